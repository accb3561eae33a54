use crate::alphabet;

/// A part of the directory, 0 to 1023, that a code names in its first two characters.
///
/// A partition names the pepper of its hashes, so a pepper is rotated by opening new partitions under the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition(u16);

impl Partition {
    /// How many there are: two base32 characters.
    pub const COUNT: u16 = 1024;

    /// `None` for 1024 and above.
    pub const fn new(number: u16) -> Option<Self> {
        if number < Self::COUNT { Some(Self(number)) } else { None }
    }

    /// The number, 0 to 1023.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// The two characters that codes of this partition begin with, as ASCII.
    pub const fn characters(self) -> [u8; 2] {
        [alphabet::character((self.0 >> 5) as u128), alphabet::character(self.0 as u128)]
    }

    /// The partition of two canonical characters.
    pub(crate) fn of(first: u8, second: u8) -> Self {
        Self(alphabet::value(first) << 5 | alphabet::value(second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_every_partition_read_back() {
        for number in 0..Partition::COUNT {
            let partition = Partition::new(number).unwrap();
            let [first, second] = partition.characters();
            assert_eq!(Partition::of(first, second), partition);
            assert_eq!(partition.get(), number);
        }
        assert_eq!(Partition::new(709).unwrap().characters(), *b"P5");
        assert_eq!(Partition::new(1024), None);
    }
}
