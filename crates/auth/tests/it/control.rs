use mintmark_auth::{CONTROL_PREFIX, ControlToken, control};
use secrecy::ExposeSecret as _;

#[test]
fn verify_accepts_the_token_and_nothing_near_it() {
    let secret = control::generate();
    let raw = secret.expose_secret();
    let token = ControlToken::parse(raw).unwrap();
    assert!(token.verify(raw).is_some());
    let body = &raw[CONTROL_PREFIX.len()..];
    let other = control::generate();
    for near in [
        "",
        body,
        CONTROL_PREFIX,
        &raw[..raw.len() - 1],
        &format!("{raw} "),
        &format!("Bearer {raw}"),
        &raw.to_uppercase(),
        other.expose_secret(),
    ] {
        assert!(token.verify(near).is_none(), "{near}");
    }
}

#[test]
fn parse_refuses_what_generate_cannot_have_made() {
    let secret = control::generate();
    let raw = secret.expose_secret();
    for text in [
        "",
        "secret",
        "changeme-changeme-changeme-changeme-changeme",
        CONTROL_PREFIX,
        &raw[CONTROL_PREFIX.len()..],
        &raw[..raw.len() - 1],
        &format!("{raw}A"),
        &format!("{raw}="),
        &format!(" {raw}"),
        &raw.replace(CONTROL_PREFIX, "MMCT_"),
    ] {
        let error = ControlToken::parse(text).err().unwrap().to_string();
        assert!(error.contains("mintmark token control"), "{error}");
        assert!(text.len() < 10 || !error.contains(text));
    }
}

#[test]
fn generate_is_recognised_by_its_prefix_and_never_repeats() {
    let (a, b) = (control::generate(), control::generate());
    assert!(control::looks_like_control_token(a.expose_secret()));
    assert!(!control::looks_like_control_token("eyJhbGciOiJFZERTQSJ9.e30.AA"));
    assert_ne!(a.expose_secret(), b.expose_secret());
    assert_eq!(a.expose_secret().len(), 48);
}
