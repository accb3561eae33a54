//! The gateway and its worker as clients meet them: true services on free ports, a fresh Postgres database for each test.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod binary;
mod changes;
mod credentials;
mod documents;
mod hostile;
mod jobs;
mod limits;
mod limits_rpc;
mod metrics;
mod policies;
mod rpc;
mod schema;
mod scopes;
mod stage;
mod targets;
mod telemetry;
mod worker;
