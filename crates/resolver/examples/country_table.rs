//! Makes `data/countries.bin` from the two CSV files of ip-location-db; `data/README.md` has the steps.
#![expect(clippy::unwrap_used, reason = "a tool for developers: a panic is its error message")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mintmark_resolver::app::geo::{Country, CountryTable};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [v4, v6, delegated4, delegated6, table] = arguments.as_slice() else {
        eprintln!("usage: country_table IPV4.csv IPV6.csv DELEGATED4.csv DELEGATED6.csv TABLE");
        std::process::exit(2);
    };
    let v4: Vec<(u32, u32, Country)> =
        unreserved(corrected(&flattened(ranges(v4)), &flattened(ranges(delegated4))))
            .into_iter()
            .map(|(first, last, country)| (first as u32, last as u32, country))
            .collect();
    let v6: Vec<(u64, u64, Country)> =
        unreserved(corrected(&flattened(ranges(v6)), &flattened(ranges(delegated6))))
            .into_iter()
            .filter_map(|(first, last, country)| {
                // Whole /64 blocks alone: nothing smaller is a network of its own.
                let (first, behind) = (first.div_ceil(1 << 64), last.checked_add(1)? >> 64);
                (first < behind).then(|| (first as u64, (behind - 1) as u64, country))
            })
            .collect();
    let bytes = CountryTable::encode(&v4, &v6).unwrap();
    let decoded = CountryTable::decode(&bytes).unwrap();
    for (first, last, country) in &v4 {
        for address in [first, last] {
            assert_eq!(decoded.country(IpAddr::V4(Ipv4Addr::from_bits(*address))), Some(*country));
        }
    }
    for (first, last, country) in &v6 {
        for address in [first, last] {
            let address = Ipv6Addr::from_bits(u128::from(*address) << 64);
            assert_eq!(decoded.country(IpAddr::V6(address)), Some(*country));
        }
    }
    std::fs::write(table, &bytes).unwrap();
    println!("{} ranges of IPv4, {} of IPv6, {} bytes", v4.len(), v6.len(), bytes.len());
}

/// Blocks that belong to nobody (IANA's registries of special-purpose addresses), whatever a source says.
const RESERVED: [&str; 16] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
    "2001:db8::/32",
    "fc00::/7",
    "fe80::/10",
];

type Range = (u128, u128, Country);

fn ranges(path: &str) -> Vec<Range> {
    let text = std::fs::read_to_string(path).unwrap();
    let range = |line: &str| {
        let mut fields = line.splitn(3, ',');
        let (first, last, country) = (fields.next()?, fields.next()?, fields.next()?);
        Some((bits(first), bits(last), Country::parse(country.trim())?))
    };
    text.lines().filter_map(range).collect()
}

/// The same without overlaps: the source has some hundred, and there the later start, the narrower range, wins.
fn flattened(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by_key(|(first, last, _)| (*first, u128::MAX - last));
    let (mut flat, mut open, mut position) = (Vec::new(), Vec::<(u128, Country)>::new(), 0);
    let end = (u128::MAX, u128::MAX, ranges[0].2);
    for (first, last, country) in ranges.into_iter().chain([end]) {
        while let Some((last, country)) = open.pop_if(|(last, _)| *last < first) {
            if position <= last {
                flat.push((position, last, country));
                position = last + 1;
            }
        }
        if let Some((_, country)) = open.last()
            && position < first
        {
            flat.push((position, first - 1, *country));
        }
        position = first;
        open.push((last, country));
    }
    flat
}

/// The first list, except where it says AU and the registries' own list knows better: whois answers AU, where APNIC sits,
/// for whole blocks of Asia that APNIC's members hold.
fn corrected(ranges: &[Range], delegated: &[Range]) -> Vec<Range> {
    let mut result = Vec::with_capacity(ranges.len());
    for &(first, last, country) in ranges {
        if country.as_str() != "AU" {
            result.push((first, last, country));
            continue;
        }
        let mut position = first;
        let from = delegated.partition_point(|range| range.1 < first);
        for &(other_first, other_last, other) in &delegated[from..] {
            if other_first > last {
                break;
            }
            let (other_first, other_last) = (other_first.max(first), other_last.min(last));
            if position < other_first {
                result.push((position, other_first - 1, country));
            }
            result.push((other_first, other_last, other));
            position = other_last + 1;
        }
        if position <= last {
            result.push((position, last, country));
        }
    }
    result
}

/// The ranges without what is reserved; both ascend.
fn unreserved(ranges: Vec<Range>) -> Vec<Range> {
    let v4 = ranges.iter().all(|range| range.1 <= u128::from(u32::MAX));
    let reserved = RESERVED.iter().filter(|block| block.contains('.') == v4).map(|block| {
        let (address, prefix) = block.split_once('/').unwrap();
        let (first, length) = (bits(address), if v4 { 32 } else { 128 } - prefix.parse::<u32>().unwrap());
        (first, first | ((1 << length) - 1))
    });
    reserved.fold(ranges, |ranges, (from, to)| {
        let cut = |(first, last, country): Range| {
            let before = (first < from).then(|| (first, last.min(from.wrapping_sub(1)), country));
            let behind = (last > to).then(|| (first.max(to + 1), last, country));
            before.into_iter().chain(behind).filter(|range| range.0 <= range.1)
        };
        ranges.into_iter().flat_map(cut).collect()
    })
}

fn bits(address: &str) -> u128 {
    match address.parse().unwrap() {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}
