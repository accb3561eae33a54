//! The control token becomes no JSON and no bytes.
use mintmark_auth::ControlToken;

fn as_json(token: &ControlToken) -> serde_json::Value {
    serde_json::json!({ "token": token })
}

fn as_bytes(token: &ControlToken) -> &[u8] {
    token.as_ref()
}

fn its_inside(token: &ControlToken) -> [u8; 32] {
    token.digest
}

fn main() {}
