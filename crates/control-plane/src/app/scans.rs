//! What became of the printed units: scans by day, country and product.

use chrono::{DateTime, Datelike, Days as Span, NaiveDate, Utc};
use mintmark_auth::Principal;
use mintmark_auth::action::{ViewBatch, ViewBrand};
use mintmark_db::Pool;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, BrandId};

use super::access;
use crate::store::scans::{self, Count, Days, Figures};

/// Days of the usual answer, today included.
const USUAL_DAYS: u64 = 30;
/// Days of the longest answer.
const MOST_DAYS: i64 = 366;

/// Shows sums of scans.
#[derive(Clone)]
pub struct Scans {
    pool: Pool,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Report {
    /// The days that it is about.
    pub days: Days,
    /// Everything together.
    pub totals: Count,
    /// Everything apart.
    pub figures: Figures,
    /// Up to when scans are in it; `None` when none were pulled yet.
    pub as_of: Option<DateTime<Utc>>,
}

impl Scans {
    /// Works on the given database.
    pub fn new(pool: Pool) -> Self {
        Scans { pool }
    }

    /// The scans of a batch.
    pub async fn of_batch(&self, who: &Principal, id: BatchId, days: Days) -> Result<Report> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_batch::<ViewBatch>(&mut conn, who, id).await?;
        let as_of = scans::as_of(&mut conn, permit.tenant()).await?;
        Ok(report(days, as_of, scans::of_batch(&mut conn, &permit, id, days).await?))
    }

    /// The scans of a brand.
    pub async fn of_brand(&self, who: &Principal, id: BrandId, days: Days) -> Result<Report> {
        let mut conn = self.pool.get().await?;
        let permit = access::to_brand::<ViewBrand>(&mut conn, who, id).await?;
        let as_of = scans::as_of(&mut conn, permit.tenant()).await?;
        Ok(report(days, as_of, scans::of_brand(&mut conn, &permit, days).await?))
    }
}

fn report(days: Days, as_of: Option<DateTime<Utc>>, figures: Figures) -> Report {
    let totals = figures.by_day.iter().fold(Count::default(), |sum, (_, day)| Count {
        scans: sum.scans + day.scans,
        first_activations: sum.first_activations + day.first_activations,
        went_nowhere: sum.went_nowhere + day.went_nowhere,
    });
    Report { days, totals, figures, as_of }
}

/// The days that somebody asks for: the last 30 up to `to`, which is today when nothing else is said.
///
/// # Errors
/// 400 `DAYS_OUT_OF_RANGE`.
pub fn days(from: Option<NaiveDate>, to: Option<NaiveDate>, today: NaiveDate) -> Result<Days> {
    let refuse = |field: &'static str, sentence: &'static str| {
        Err(Fault::invalid("DAYS_OUT_OF_RANGE", field, sentence))
    };
    // What the calendar of people and the database's have in common.
    let sensible = |day: &NaiveDate| (2000..=9999).contains(&day.year());
    let to = to.unwrap_or(today);
    if !sensible(&to) {
        return refuse("to", "to must be a day of the years 2000 to 9999");
    }
    let from = from.or_else(|| to.checked_sub_days(Span::new(USUAL_DAYS - 1))).unwrap_or(to);
    if from > to {
        return refuse("from", "from must not be after to, which is today when it is left out");
    }
    if (to - from).num_days() >= MOST_DAYS {
        return refuse("from", "from and to may be 366 days at most: ask for a shorter time");
    }
    Ok(Days { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_left_out_are_the_last_thirty() {
        let today = day("2026-11-22");
        assert_eq!(days(None, None, today).unwrap(), Days { from: day("2026-10-24"), to: today });
        let to = day("2026-03-01");
        assert_eq!(days(None, Some(to), today).unwrap(), Days { from: day("2026-01-31"), to });
        let from = day("2026-11-22");
        assert_eq!(days(Some(from), None, today).unwrap(), Days { from, to: today });
    }

    #[test]
    fn days_have_bounds() {
        let today = day("2026-11-22");
        let asked = |from: &str, to: &str| days(Some(day(from)), Some(day(to)), today);
        assert!(asked("2024-01-01", "2024-12-31").is_ok(), "a leap year has 366 days");
        for (from, to) in [
            ("2024-01-01", "2025-01-01"),
            ("2026-11-23", "2026-11-22"),
            ("1999-12-01", "1999-12-31"),
            ("+10000-01-01", "+10000-01-02"),
        ] {
            assert_eq!(asked(from, to).unwrap_err().code(), "DAYS_OUT_OF_RANGE", "{from} {to}");
        }
    }
}
