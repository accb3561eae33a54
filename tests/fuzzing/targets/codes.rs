//! Codes, GTINs, Digital Link paths and bases: what is read prints as what it was, and nothing prints a code by accident.

use mintmark_codes::link::{Base, Link, is_qr_alphanumeric, short_uri, unit_uri, unit_uri_qr};
use mintmark_codes::{Code, CodeDigest, Gtin};

/// Characters of a code that a masked one shows.
const SHOWN: usize = 6;

/// Reads the input as each of them.
pub fn run(data: &[u8]) {
    let text = super::text(data);
    let code = Code::parse(&text).inspect(code_holds).ok();
    for gtin in [Gtin::parse(&text), Gtin::parse14(&text)].into_iter().flatten() {
        assert_eq!(Gtin::parse14(gtin.as_str()), Ok(gtin), "a GTIN prints as it is read");
        assert_eq!(gtin.to_string().parse(), Ok(gtin));
    }
    if let Ok(link) = Link::from_path(&text) {
        code_holds(&link.code);
        let path = format!("/01/{}/21/{}", link.gtin, link.code.as_str());
        assert_eq!(Link::from_path(&path), Ok(link), "a link prints as it is read");
    }
    if let Ok(base) = Base::parse(&text) {
        base_holds(&base);
        if let (Some(code), Ok(gtin)) = (code, Gtin::parse14("09506000134352")) {
            uris_hold(&base, &gtin, &code);
        }
    }
    // A base and a code in one input: the base up to the first space.
    if let Some((base, code)) = text.split_once(' ')
        && let (Ok(base), Ok(code), Ok(gtin)) =
            (Base::parse(base), Code::parse(code), Gtin::parse14("09506000134352"))
    {
        uris_hold(&base, &gtin, &code);
    }
}

fn code_holds(code: &Code) {
    assert_eq!(Code::parse(code.as_str()), Ok(*code), "a code prints as it is read");
    assert_eq!(Code::parse(&code.grouped()), Ok(*code), "groups of four are read");
    assert_eq!(Code::parse(&code.as_str().to_ascii_lowercase()), Ok(*code), "small letters are read");
    assert_eq!(CodeDigest::of(code).as_bytes(), CodeDigest::of(code).as_bytes());
    for printed in [code.masked(), format!("{code:?}")] {
        let plain: String = printed.chars().filter(char::is_ascii_alphanumeric).collect();
        assert!(!plain.contains(&code.as_str()[2..16]), "a masked code hides the middle: {printed}");
    }
    let shown = code.masked().chars().filter(char::is_ascii_alphanumeric).count();
    assert!(shown <= SHOWN, "a masked code shows {shown} characters");
}

fn base_holds(base: &Base) {
    assert_eq!(Base::parse(base.as_str()).as_ref(), Ok(base), "a base prints as it is read");
    assert_eq!(base.to_string().parse::<Base>().as_ref(), Ok(base));
}

fn uris_hold(base: &Base, gtin: &Gtin, code: &Code) {
    let uri = unit_uri(base, gtin, code);
    let path = uri.strip_prefix(base.as_str()).unwrap_or_default();
    assert_eq!(Link::from_path(path), Ok(Link { gtin: *gtin, code: *code }));
    let symbol = unit_uri_qr(base, gtin, code);
    assert!(is_qr_alphanumeric(&symbol), "a symbol's URI fits the alphanumeric mode");
    assert!(symbol.eq_ignore_ascii_case(&uri), "a symbol says the same URI");
    let short = short_uri(base, code);
    assert!(short.ends_with(code.as_str()) && short.starts_with(base.as_str()));
}
