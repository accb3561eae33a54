//! Files in MaxMind's format are made here, byte by byte: https://maxmind.github.io/MaxMind-DB/.

use std::time::{Duration, Instant};

use super::*;

/// A database of IPv6 networks, the IPv4 ones below ::/96, with records of 24 bits.
struct Database {
    nodes: Vec<[Option<Child>; 2]>,
    data: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Child {
    Node(usize),
    Data(usize),
}

fn control(kind: u8, size: usize) -> Vec<u8> {
    assert!(size < 29);
    if kind > 7 { vec![size as u8, kind - 7] } else { vec![(kind << 5) | size as u8] }
}

fn text(value: &str) -> Vec<u8> {
    [control(2, value.len()), value.as_bytes().to_vec()].concat()
}

fn number(kind: u8, value: u64) -> Vec<u8> {
    let bytes: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    [control(kind, bytes.len()), bytes].concat()
}

fn map(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let entries = entries.iter().map(|(key, value)| [text(key), value.clone()].concat());
    [control(7, entries.len()), entries.collect::<Vec<_>>().concat()].concat()
}

fn list(values: &[Vec<u8>]) -> Vec<u8> {
    [control(11, values.len()), values.concat()].concat()
}

impl Database {
    fn new() -> Self {
        Database { nodes: vec![[None; 2]], data: Vec::new() }
    }

    fn with(mut self, network: &str, record: &[u8]) -> Self {
        let (address, prefix) = network.split_once('/').unwrap();
        let (bits, prefix) = match address.parse().unwrap() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), prefix.parse::<usize>().unwrap() + 96),
            IpAddr::V6(v6) => (v6.to_bits(), prefix.parse().unwrap()),
        };
        let mut node = 0;
        for depth in 0..prefix {
            let side = (bits >> (127 - depth)) as usize & 1;
            if depth + 1 == prefix {
                self.nodes[node][side] = Some(Child::Data(self.data.len()));
            } else if let Some(Child::Node(next)) = self.nodes[node][side] {
                node = next;
            } else {
                self.nodes.push([None; 2]);
                let next = self.nodes.len() - 1;
                self.nodes[node][side] = Some(Child::Node(next));
                node = next;
            }
        }
        self.data.extend_from_slice(record);
        self
    }

    fn bytes(&self, kind: &str) -> Vec<u8> {
        let count = self.nodes.len();
        let mut bytes = Vec::new();
        for child in self.nodes.iter().flatten() {
            let record = match child {
                None => count,
                Some(Child::Node(node)) => *node,
                Some(Child::Data(offset)) => count + 16 + offset,
            };
            bytes.extend_from_slice(&(record as u32).to_be_bytes()[1..]);
        }
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&self.data);
        bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        bytes.extend(map(&[
            ("binary_format_major_version", number(5, 2)),
            ("binary_format_minor_version", number(5, 0)),
            ("build_epoch", number(9, 1_700_000_000)),
            ("database_type", text(kind)),
            ("description", map(&[("en", text("made by a test"))])),
            ("ip_version", number(5, 6)),
            ("languages", list(&[])),
            ("node_count", number(6, count as u64)),
            ("record_size", number(5, 24)),
        ]));
        bytes
    }
}

fn city(country: &str, region: Option<&str>) -> Vec<u8> {
    let mut record = vec![
        ("continent", map(&[("code", text("EU"))])),
        ("country", map(&[("geoname_id", number(6, 2_921_044)), ("iso_code", text(country))])),
    ];
    if let Some(region) = region {
        let part =
            |code: &str| map(&[("iso_code", text(code)), ("names", map(&[("en", text("Somewhere"))]))]);
        record.push(("subdivisions", list(&[part(region), part("XX")])));
    }
    map(&record)
}

fn cities() -> Vec<u8> {
    Database::new()
        .with("193.0.6.0/24", &city("NL", Some("NH")))
        .with("198.51.0.0/16", &city("GB", Some("ENG")))
        .with("203.0.113.128/25", &city("FR", None))
        .with("2003::/19", &city("DE", Some("BY")))
        .bytes("Some-City")
}

fn place(geo: &Geo, address: &str) -> (Option<String>, Option<String>) {
    let origin = geo.locate(address.parse().unwrap());
    (
        origin.country.map(|country| country.as_str().to_owned()),
        origin.region.map(|region| region.as_str().to_owned()),
    )
}

fn known(country: &str, region: Option<&str>) -> (Option<String>, Option<String>) {
    (Some(country.to_owned()), region.map(str::to_owned))
}

#[test]
fn locate_with_the_embedded_table_knows_countries_and_no_regions() {
    let geo = Geo::embedded().unwrap();
    for (address, country) in [
        ("193.0.6.139", "NL"),
        ("8.8.8.8", "US"),
        ("133.11.0.9", "JP"),
        ("200.160.2.3", "BR"),
        ("::ffff:200.160.2.3", "BR"),
        ("2003:e0:1::1", "DE"),
        ("2409:4000::1", "IN"),
        ("240e:300::1", "CN"),
        ("2001:e68::1", "MY"),
        ("2001:8003::1", "AU"),
    ] {
        assert_eq!(place(&geo, address), known(country, None), "{address}");
    }
    for nowhere in ["127.0.0.1", "10.1.2.3", "192.168.1.1", "0.0.0.0", "255.255.255.255", "::1", "fe80::1"] {
        assert_eq!(place(&geo, nowhere), (None, None), "{nowhere}");
    }
    let origin = geo.locate("193.0.6.139".parse().unwrap());
    assert_eq!(origin.network, "193.0.6.0/24".parse().unwrap());
}

#[tokio::test]
async fn locate_with_a_file_knows_regions_and_truncates_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.mmdb");
    std::fs::write(&path, cities()).unwrap();
    let context = Context::for_tests("geo");
    let geo = Geo::file(&path, &context).unwrap();
    assert_eq!(place(&geo, "193.0.6.139"), known("NL", Some("NH")));
    assert_eq!(place(&geo, "2003:e0:1::9"), known("DE", Some("BY")));
    assert_eq!(place(&geo, "203.0.113.200"), known("FR", None));
    assert_eq!(place(&geo, "203.0.113.100"), (None, None));
    for address in ["193.0.6.139", "198.51.77.1", "2003:e0:1::9"] {
        let block = geo.locate(address.parse().unwrap()).network.address().to_string();
        assert_eq!(place(&geo, address), place(&geo, &block), "networks of /24 and larger: {address}");
    }
    context.shutdown.trigger();
}

#[tokio::test(flavor = "multi_thread")]
async fn file_is_read_again_when_it_changes_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("city.mmdb");
    std::fs::write(&path, cities()).unwrap();
    let context = Context::for_tests("geo");
    let geo = Geo::file(&path, &context).unwrap();
    std::fs::write(&path, &cities()[..700]).unwrap();
    assert!(matches!(geo.reload(&path), Err(MmdbError::Damaged(..))));
    assert_eq!(place(&geo, "193.0.6.139"), known("NL", Some("NH")));
    let replaced = Database::new().with("193.0.6.0/24", &map(&[("country_code", text("BE"))])).bytes("Flat");
    std::fs::write(folder.path().join("new"), replaced).unwrap();
    std::fs::rename(folder.path().join("new"), &path).unwrap();
    let started = Instant::now();
    while place(&geo, "193.0.6.139") != known("BE", None) {
        assert!(started.elapsed() < Duration::from_secs(10), "the new file is not in force");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    context.shutdown.trigger();
}

#[test]
fn open_refuses_what_knows_no_countries_and_what_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.mmdb");
    let opened = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        MmdbFile::open(&path).map(drop)
    };
    let asn = Database::new().with("193.0.6.0/24", &map(&[("autonomous_system_number", number(6, 3333))]));
    assert!(matches!(opened(&asn.bytes("Some-ASN")), Err(MmdbError::NoCountries(..))));
    assert!(matches!(opened(b"no database"), Err(MmdbError::Damaged(..))));
    let sound = cities();
    for length in (0..sound.len()).step_by(7) {
        assert!(opened(&sound[..length]).is_err(), "{length} of {} bytes", sound.len());
    }
    assert!(matches!(MmdbFile::open(&folder.path().join("missing")), Err(MmdbError::Read(..))));
}
