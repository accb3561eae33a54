//! The control token reaches no log line and no message.
use mintmark_auth::ControlToken;

fn debugged(token: &ControlToken) -> String {
    format!("{token:?}")
}

fn displayed(token: &ControlToken) -> String {
    format!("{token}")
}

fn to_text(token: &ControlToken) -> String {
    token.to_string()
}

fn main() {}
