//! There is one control token in a process: whoever holds a reference cannot make another.
use mintmark_auth::ControlToken;

fn copied(token: &ControlToken) -> ControlToken {
    ControlToken::clone(token)
}

fn owned(token: &ControlToken) -> ControlToken {
    token.to_owned()
}

fn main() {}
