use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
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

#[test]
fn is_carried_by_finds_it_in_any_clothes() {
    let token = control::generate();
    let token = token.expose_secret();
    let encode = |text: &str| STANDARD.encode(text);
    for (name, value) in [
        ("authorization", format!("Bearer {token}")),
        ("x-api-key", token.to_owned()),
        ("cookie", format!("a=b; token={token}; c=d")),
        ("tracestate", format!("vendor={token}")),
        ("authorization", format!("basic {}", encode(&format!("operator:{token}")))),
        ("x-token-bin", encode(token)),
        ("x-token-bin", format!("AAAA, {}", URL_SAFE_NO_PAD.encode(token))),
    ] {
        assert!(control::is_carried_by(name, value.as_bytes()), "{name}: {value}");
    }
    assert!(control::is_carried_by("x", &[&[0xff], token.as_bytes()].concat()));
    for (name, value) in [
        ("authorization", "Bearer eyJhbGciOiJFZERTQSJ9.e30.AA".to_owned()),
        ("authorization", format!("Basic {}", encode("operator:password"))),
        ("x-token-bin", encode("trace")),
        ("user-agent", "curl/8 (mmct)".to_owned()),
    ] {
        assert!(!control::is_carried_by(name, value.as_bytes()), "{name}: {value}");
    }
}
