//! A publication: one batch in the directory, from its first chunk to its seal.

use chrono::{DateTime, Utc};
use mintmark_fault::Fault;
use mintmark_ids::{BatchId, ProductId};

use super::directory_state::Mode;

/// Most units of a batch.
pub const MAX_UNITS: u64 = 10_000_000;
/// Most units of a chunk: 3.2 MB of digests, below the 4 MiB that a gRPC message may have.
pub const MAX_CHUNK_UNITS: u32 = 100_000;

/// What a publication was opened with; it never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The batch.
    pub batch: BatchId,
    /// The product that the units are of.
    pub product: ProductId,
    /// When its codes activate.
    pub mode: Mode,
    /// Serial number of the first unit, at least 1.
    pub first_serial: i64,
    /// How many units: 1 to [`MAX_UNITS`].
    pub units: i64,
    /// Units of each chunk but the last: 1 to [`MAX_CHUNK_UNITS`].
    pub chunk_units: i32,
}

impl Terms {
    /// Checks the numbers as they came.
    ///
    /// # Errors
    /// `FIRST_SERIAL_OUT_OF_RANGE`, `UNITS_OUT_OF_RANGE` or `CHUNK_UNITS_OUT_OF_RANGE`, each naming its field.
    pub fn new(
        batch: BatchId,
        product: ProductId,
        mode: Mode,
        first_serial: u64,
        units: u64,
        chunk_units: u32,
    ) -> Result<Self, Fault> {
        let refuse = |code, field, message: &'static str| Err(Fault::invalid(code, field, message));
        if !(1..=MAX_UNITS).contains(&units) {
            return refuse("UNITS_OUT_OF_RANGE", "units", "units must be from 1 to 10,000,000");
        }
        if !(1..=MAX_CHUNK_UNITS).contains(&chunk_units) {
            return refuse("CHUNK_UNITS_OUT_OF_RANGE", "chunkUnits", "chunkUnits must be from 1 to 100,000");
        }
        let (Ok(first), Ok(units), Ok(chunk_units)) =
            (i64::try_from(first_serial), i64::try_from(units), i32::try_from(chunk_units))
        else {
            return refuse("FIRST_SERIAL_OUT_OF_RANGE", "firstSerial", "firstSerial must be less than 2^63");
        };
        if first < 1 || first.checked_add(units).is_none() {
            return refuse(
                "FIRST_SERIAL_OUT_OF_RANGE",
                "firstSerial",
                "firstSerial must be at least 1 and leave room for the units",
            );
        }
        Ok(Terms { batch, product, mode, first_serial: first, units, chunk_units })
    }

    /// How many chunks make the publication whole.
    pub fn chunks(&self) -> i64 {
        (self.units + i64::from(self.chunk_units) - 1) / i64::from(self.chunk_units)
    }

    /// The first serial number of a chunk and how many units it has; `None` behind the last.
    pub fn chunk(&self, number: u32) -> Option<(i64, usize)> {
        let offset = i64::from(number) * i64::from(self.chunk_units);
        let units = (self.units - offset).min(i64::from(self.chunk_units));
        let units = usize::try_from(units).ok().filter(|units| *units > 0)?;
        Some((self.first_serial + offset, units))
    }
}

/// Where a publication stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It takes chunks.
    Open,
    /// It is whole, and scans recognise it.
    Sealed(DateTime<Utc>),
    /// It was given up.
    Aborted,
}

/// A publication as the ledger has it.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Its number in the code tables.
    pub id: i32,
    /// What it was opened with.
    pub terms: Terms,
    /// The partition that its codes name.
    pub partition: u16,
    /// The highest fence under which it was opened, sealed or aborted.
    pub fence: i64,
    /// Where it stands.
    pub state: State,
    /// Since when it is recalled; that beats every state.
    pub revoked_at: Option<DateTime<Utc>>,
    /// How many units are in.
    pub units_published: i64,
    /// The first chunk that is not in the ledger.
    pub next_chunk: u32,
}

impl Publication {
    /// Refuses whoever comes with a lower fence than somebody before.
    ///
    /// # Errors
    /// `STALE_FENCE`.
    pub fn check_fence(&self, fence: i64) -> Result<(), Fault> {
        if fence < self.fence { Err(stale_fence()) } else { Ok(()) }
    }
}

/// Somebody has taken over.
pub fn stale_fence() -> Fault {
    Fault::conflict("STALE_FENCE", "another worker has taken this publication over with a higher fence; stop")
}

/// The publication takes no more of what was asked.
pub fn closed(how: &'static str) -> Fault {
    Fault::new(
        mintmark_fault::Kind::Unprocessable,
        "PUBLICATION_CLOSED",
        format!("this publication is {how}, and stays so"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(units: u64, chunk_units: u32) -> Terms {
        Terms::new(BatchId::new(), ProductId::new(), Mode::Static, 101, units, chunk_units).unwrap()
    }

    #[test]
    fn chunk_covers_the_range_without_gap_or_overlap() {
        let terms = terms(10, 4);
        assert_eq!(terms.chunks(), 3);
        assert_eq!(terms.chunk(0), Some((101, 4)));
        assert_eq!(terms.chunk(1), Some((105, 4)));
        assert_eq!(terms.chunk(2), Some((109, 2)));
        assert_eq!(terms.chunk(3), None);
        assert_eq!(terms.chunk(u32::MAX), None);
    }

    #[test]
    fn new_refuses_numbers_out_of_range() {
        let make = |first, units, chunk| {
            Terms::new(BatchId::new(), ProductId::new(), Mode::Static, first, units, chunk)
                .err()
                .map(|fault| fault.field_name().unwrap_or_default().to_owned())
        };
        assert_eq!(make(0, 1, 1).as_deref(), Some("firstSerial"));
        assert_eq!(make(i64::MAX as u64, 1, 1).as_deref(), Some("firstSerial"));
        assert_eq!(make(u64::MAX, 1, 1).as_deref(), Some("firstSerial"));
        assert_eq!(make(1, 0, 1).as_deref(), Some("units"));
        assert_eq!(make(1, MAX_UNITS + 1, 1).as_deref(), Some("units"));
        assert_eq!(make(1, 1, 0).as_deref(), Some("chunkUnits"));
        assert_eq!(make(1, 1, MAX_CHUNK_UNITS + 1).as_deref(), Some("chunkUnits"));
        assert_eq!(make(1, MAX_UNITS, MAX_CHUNK_UNITS), None);
    }
}
