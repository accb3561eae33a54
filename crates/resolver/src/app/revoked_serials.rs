//! Which serials of a publication are recalled alone, in at most one bit a unit.
//!
//! Few are kept as a sorted list of offsets, four bytes each. Where that list would outgrow a bitmap over all units it
//! becomes one: ten million units take 1.25 MB, however many of them are recalled.

/// Recalled serials of one publication; they only grow in number.
#[derive(Clone, Debug)]
pub struct RevokedSerials {
    first_serial: i64,
    units: u32,
    offsets: Offsets,
}

#[derive(Clone, Debug)]
enum Offsets {
    /// Sorted, each once.
    Few(Vec<u32>),
    /// One bit a unit.
    Many(Box<[u64]>),
}

/// Bits of a word of the bitmap.
const WORD: u32 = u64::BITS;

impl RevokedSerials {
    /// None yet, of a publication with so many units from this serial on.
    pub fn new(first_serial: i64, units: u32) -> Self {
        RevokedSerials { first_serial, units, offsets: Offsets::Few(Vec::new()) }
    }

    /// Adds a serial; one that is not of the publication changes nothing. Cheapest in ascending order.
    pub fn insert(&mut self, serial: i64) {
        let Some(offset) = self.offset(serial) else { return };
        self.insert_offset(offset);
    }

    /// Adds what another knows of the same publication.
    pub fn absorb(&mut self, newer: &RevokedSerials) {
        match (&mut self.offsets, &newer.offsets) {
            (Offsets::Few(known), Offsets::Few(offsets)) => {
                known.extend(offsets);
                known.sort_unstable();
                known.dedup();
                self.compact();
            }
            (Offsets::Many(words), Offsets::Few(offsets)) => {
                offsets.iter().for_each(|offset| set(words, *offset));
            }
            (_, Offsets::Many(words)) => {
                for (word, at) in words.iter().zip(0_u32..) {
                    for bit in (0..WORD).filter(|bit| word >> bit & 1 == 1) {
                        self.insert_offset(at * WORD + bit);
                    }
                }
            }
        }
    }

    /// Whether a serial is recalled.
    pub fn contains(&self, serial: i64) -> bool {
        let Some(offset) = self.offset(serial) else { return false };
        match &self.offsets {
            Offsets::Few(offsets) => offsets.binary_search(&offset).is_ok(),
            Offsets::Many(words) => {
                words.get((offset / WORD) as usize).is_some_and(|word| word >> (offset % WORD) & 1 == 1)
            }
        }
    }

    fn offset(&self, serial: i64) -> Option<u32> {
        let offset = u32::try_from(serial.checked_sub(self.first_serial)?).ok()?;
        (offset < self.units).then_some(offset)
    }

    fn insert_offset(&mut self, offset: u32) {
        match &mut self.offsets {
            Offsets::Few(offsets) => {
                if let Err(place) = offsets.binary_search(&offset) {
                    offsets.insert(place, offset);
                }
                self.compact();
            }
            Offsets::Many(words) => set(words, offset),
        }
    }

    /// Turns the list into a bitmap where that is smaller.
    fn compact(&mut self) {
        if let Offsets::Few(offsets) = &self.offsets
            && offsets.len() > (self.units / u32::BITS) as usize + 1
        {
            self.offsets = Offsets::Many(bitmap(offsets, self.units));
        }
    }
}

fn bitmap(offsets: &[u32], units: u32) -> Box<[u64]> {
    let mut words = vec![0; units.div_ceil(WORD) as usize].into_boxed_slice();
    offsets.iter().for_each(|offset| set(&mut words, *offset));
    words
}

fn set(words: &mut [u64], offset: u32) {
    if let Some(word) = words.get_mut((offset / WORD) as usize) {
        *word |= 1 << (offset % WORD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every third serial of 200, from 1001 on.
    fn thirds() -> RevokedSerials {
        let mut serials = RevokedSerials::new(1001, 200);
        (1001..1201).filter(|serial| serial % 3 == 0).for_each(|serial| serials.insert(serial));
        serials
    }

    fn members(serials: &RevokedSerials) -> Vec<i64> {
        (900..1300).filter(|serial| serials.contains(*serial)).collect()
    }

    #[test]
    fn contains_what_was_inserted_in_either_form() {
        let mut few = RevokedSerials::new(1001, 200);
        for serial in [1200, 1001, 1064, 1065, 1001] {
            few.insert(serial);
        }
        assert!(matches!(few.offsets, Offsets::Few(_)));
        assert_eq!(members(&few), [1001, 1064, 1065, 1200]);
        let many = thirds();
        assert!(matches!(many.offsets, Offsets::Many(_)), "67 of 200 are cheaper as bits");
        assert_eq!(members(&many), (1001..1201).filter(|serial| serial % 3 == 0).collect::<Vec<_>>());
    }

    #[test]
    fn insert_ignores_serials_of_other_publications() {
        let mut serials = RevokedSerials::new(1001, 200);
        for serial in [i64::MIN, -1, 1000, 1201, i64::MAX] {
            serials.insert(serial);
            assert!(!serials.contains(serial), "{serial}");
        }
        assert_eq!(members(&serials), [0; 0]);
    }

    #[test]
    fn absorb_joins_both_forms() {
        let mut few = RevokedSerials::new(1001, 200);
        few.insert(1001);
        let mut joined = few.clone();
        joined.absorb(&thirds());
        let mut expected = members(&thirds());
        expected.insert(0, 1001);
        assert_eq!(members(&joined), expected);
        let mut other = thirds();
        other.absorb(&few);
        assert_eq!(members(&other), expected);
        let mut one = RevokedSerials::new(1001, 200);
        one.insert(1200);
        one.absorb(&few);
        one.absorb(&few);
        assert_eq!(members(&one), [1001, 1200]);
    }
}
