//! The compact table of countries: for each address at which the country changes, that address and the country.
//!
//! Format: `MMCTRY01`; the number of countries (u16) and their letters; then for IPv4 and for the upper 64 bits of IPv6
//! the number of changes (u32) and the changes: the distance from the one before as LEB128, and the country's place in
//! the list plus one, 0 for nowhere. Numbers are little-endian.

use std::net::IpAddr;

use bytes::Buf;

use super::place::Country;

const MAGIC: &[u8; 8] = b"MMCTRY01";

/// The bytes are no table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableError;

impl std::fmt::Display for TableError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the table of countries is damaged: make it again as crates/resolver/data/README.md says")
    }
}

impl std::error::Error for TableError {}

/// A range of addresses, both ends included, and its country.
pub type CountryRange<T> = (T, T, Country);

/// Which country an address belongs to.
pub struct CountryTable {
    countries: Vec<Country>,
    v4: Changes<u32>,
    v6: Changes<u64>,
}

/// The addresses at which the country changes, ascending, and the country from there on.
struct Changes<T> {
    starts: Vec<T>,
    places: Vec<u8>,
}

impl CountryTable {
    /// Reads the format.
    ///
    /// # Errors
    /// The bytes are not such a table.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, TableError> {
        bytes = bytes.strip_prefix(MAGIC).ok_or(TableError)?;
        let listed = usize::from(bytes.try_get_u16_le().map_err(|_| TableError)?);
        let (letters, mut rest) = bytes.split_at_checked(listed * 2).ok_or(TableError)?;
        let countries = letters
            .chunks_exact(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(Country::parse).ok_or(TableError))
            .collect::<Result<Vec<_>, _>>()?;
        let v4 = Changes::decode(&mut rest, listed)?;
        let v6 = Changes::decode(&mut rest, listed)?;
        if rest.is_empty() { Ok(CountryTable { countries, v4, v6 }) } else { Err(TableError) }
    }

    /// Writes the format, from ranges in ascending order that do not overlap; of IPv6 the upper 64 bits.
    ///
    /// # Errors
    /// There are more than 254 countries, or the ranges are not in order.
    pub fn encode(v4: &[CountryRange<u32>], v6: &[CountryRange<u64>]) -> Result<Vec<u8>, TableError> {
        let mut countries: Vec<Country> =
            v4.iter().map(|range| range.2).chain(v6.iter().map(|range| range.2)).collect();
        countries.sort_unstable();
        countries.dedup();
        if countries.len() > 254 {
            return Err(TableError);
        }
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&(countries.len() as u16).to_le_bytes());
        bytes.extend(countries.iter().flat_map(|country| country.as_str().bytes().collect::<Vec<_>>()));
        let v4: Vec<CountryRange<u64>> =
            v4.iter().map(|(first, last, country)| (u64::from(*first), u64::from(*last), *country)).collect();
        encode_changes(&v4, u64::from(u32::MAX), &countries, &mut bytes)?;
        encode_changes(v6, u64::MAX, &countries, &mut bytes)?;
        Ok(bytes)
    }

    /// The country of an address, where it is known.
    pub fn country(&self, address: IpAddr) -> Option<Country> {
        let place = match address {
            IpAddr::V4(v4) => self.v4.at(v4.to_bits()),
            IpAddr::V6(v6) => self.v6.at((v6.to_bits() >> 64) as u64),
        };
        self.countries.get(usize::from(place.checked_sub(1)?)).copied()
    }
}

impl<T: Copy + Ord + TryFrom<u64>> Changes<T> {
    fn decode(bytes: &mut &[u8], countries: usize) -> Result<Self, TableError> {
        let count = bytes.try_get_u32_le().map_err(|_| TableError)? as usize;
        // Each change takes two bytes at least: a damaged count must not ask for memory.
        if count > bytes.len() / 2 {
            return Err(TableError);
        }
        let (mut starts, mut places) = (Vec::with_capacity(count), Vec::with_capacity(count));
        let mut start = 0_u64;
        for _ in 0..count {
            start = start.checked_add(distance(bytes)?).ok_or(TableError)?;
            starts.push(T::try_from(start).map_err(|_| TableError)?);
            let place = bytes.try_get_u8().map_err(|_| TableError)?;
            if usize::from(place) > countries {
                return Err(TableError);
            }
            places.push(place);
        }
        Ok(Changes { starts, places })
    }

    /// The place in the list, plus one; 0 for nowhere.
    fn at(&self, address: T) -> u8 {
        let behind = self.starts.partition_point(|start| *start <= address);
        behind.checked_sub(1).and_then(|change| self.places.get(change)).copied().unwrap_or(0)
    }
}

fn encode_changes(
    ranges: &[CountryRange<u64>],
    highest: u64,
    countries: &[Country],
    bytes: &mut Vec<u8>,
) -> Result<(), TableError> {
    let mut changes: Vec<(u64, u8)> = Vec::new();
    // The first address behind what is covered; none when the last range reached the highest.
    let mut next = Some(0);
    for (first, last, country) in ranges {
        if first > last || next.is_none_or(|next| *first < next) {
            return Err(TableError);
        }
        let place = countries.binary_search(country).map_err(|_| TableError)? as u8 + 1;
        let gap = next.filter(|next| next < first);
        for (start, place) in gap.map(|start| (start, 0)).into_iter().chain([(*first, place)]) {
            if changes.last().map_or(0, |change| change.1) != place {
                changes.push((start, place));
            }
        }
        next = last.checked_add(1).filter(|next| *next <= highest);
    }
    if let Some(start) = next {
        changes.push((start, 0));
    }
    bytes.extend_from_slice(&(changes.len() as u32).to_le_bytes());
    let mut before = 0;
    for (start, place) in changes {
        let mut distance = start - before;
        before = start;
        while distance >= 0x80 {
            bytes.push(distance as u8 | 0x80);
            distance >>= 7;
        }
        bytes.extend_from_slice(&[distance as u8, place]);
    }
    Ok(())
}

fn distance(bytes: &mut &[u8]) -> Result<u64, TableError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes.try_get_u8().map_err(|_| TableError)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(TableError)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use crate::app::network::Network;

    fn land(text: &str) -> Country {
        Country::parse(text).unwrap()
    }

    #[test]
    fn decode_gives_back_what_was_encoded() {
        let (de, fr) = (land("DE"), land("FR"));
        let v4 = [(5, 9, de), (10, 19, de), (20, 20, fr), (30, u32::MAX, de)];
        let v6 = [(0, 3, fr), (1 << 40, u64::MAX - 1, de)];
        let table = CountryTable::decode(&CountryTable::encode(&v4, &v6).unwrap()).unwrap();
        let at4 = |bits: u32| table.country(Ipv4Addr::from_bits(bits).into());
        for (bits, country) in [
            (0, None),
            (5, Some(de)),
            (19, Some(de)),
            (20, Some(fr)),
            (21, None),
            (30, Some(de)),
            (u32::MAX, Some(de)),
        ] {
            assert_eq!(at4(bits), country, "{bits}");
        }
        let at6 = |bits: u64| table.country(Ipv6Addr::from_bits(u128::from(bits) << 64 | 7).into());
        for (bits, country) in [
            (0, Some(fr)),
            (3, Some(fr)),
            (4, None),
            (1 << 40, Some(de)),
            (u64::MAX - 1, Some(de)),
            (u64::MAX, None),
        ] {
            assert_eq!(at6(bits), country, "{bits}");
        }
    }

    #[test]
    fn encode_refuses_ranges_out_of_order() {
        let de = land("DE");
        for v4 in [[(5, 9, de), (9, 12, de)], [(9, 5, de), (10, 12, de)], [(0, u32::MAX, de), (3, 4, de)]] {
            assert!(CountryTable::encode(&v4, &[]).is_err(), "{v4:?}");
        }
    }

    #[test]
    fn decode_of_damaged_bytes_fails() {
        let bytes = CountryTable::encode(&[(5, 9, land("DE"))], &[(1, 2, land("FR"))]).unwrap();
        for length in 0..bytes.len() {
            assert!(CountryTable::decode(&bytes[..length]).is_err(), "the first {length} bytes");
        }
        assert!(CountryTable::decode(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn country_of_the_embedded_table_survives_truncation_where_networks_are_large_enough() {
        let table = CountryTable::decode(super::super::EMBEDDED).unwrap();
        let mut networks = 0;
        for pair in table.v4.starts.windows(2) {
            let (first, next) = (pair[0], pair[1]);
            if first % 256 == 0 && next % 256 == 0 {
                for address in [first, first + 77, next - 1].map(Ipv4Addr::from_bits) {
                    let block = Network::coarse(address.into()).address();
                    assert_eq!(table.country(address.into()), table.country(block), "{address}");
                }
                networks += 1;
            }
        }
        assert!(networks > 100_000, "{networks}");
        let small = table.v6.starts.iter().filter(|start| *start & 0xffff != 0).count();
        assert!(small < table.v6.starts.len() / 2, "{small}");
    }
}
