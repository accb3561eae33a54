//! The one kind that these tests need.

use mintmark_jobs::JobKind;
use serde::{Deserialize, Serialize};

pub enum Echo {}

#[derive(Serialize, Deserialize)]
pub struct EchoPayload {
    pub note: String,
}

impl JobKind for Echo {
    const NAME: &'static str = "echo";
    type Payload = EchoPayload;
    const MAX_ATTEMPTS: u32 = 3;
}
