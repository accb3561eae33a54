#![doc = include_str!("../README.md")]

pub mod cli;
mod cvss;
mod exceptions;
mod finding;
mod print;
mod report;
mod severity;
pub mod shipped;
mod verdict;

pub use cvss::Score;
pub use exceptions::{Exception, Exceptions, ExceptionsError, MAX_DAYS};
pub use finding::{Finding, merge};
pub use print::print;
pub use report::{ReportError, read};
pub use severity::{Level, Severity};
pub use verdict::{Bypass, Judged, Outcome, Verdict, judge};
