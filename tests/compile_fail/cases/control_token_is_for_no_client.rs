//! A client of another service takes what mints service tokens, and nothing else.
use mintmark_auth::{ControlAuthority, ControlToken, ServiceToken};
use mintmark_rpc::client::Directory;

fn with_the_token(token: ControlToken) {
    let _ = Directory::new("http://127.0.0.1:9081", token);
}

fn with_its_proof(proof: ControlAuthority) {
    let _ = Directory::new("http://127.0.0.1:9081", proof);
}

fn as_a_service_token(token: ControlToken) -> ServiceToken {
    ServiceToken::from(token)
}

fn main() {}
