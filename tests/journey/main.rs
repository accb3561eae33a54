//! The whole platform on real processes, started and used as a person does.

mod console;
mod contract;
mod recall;
mod run;
mod runbook;
mod scans;
