//! Attacks in the claims: missing, null, twice, of another type, of another value, at another time.

use serde_json::{Value, json};

use super::{Attack, Loot, Refusal, Rightful, absent, at_the_end, encode, in_front, now};

/// Claims that every token has; `scp` is the service token's alone.
const TEXTS: [&str; 5] = ["iss", "aud", "sub", "tenantId", "jti"];
const TIMES: [&str; 3] = ["iat", "nbf", "exp"];

/// Audiences that somebody has, none of them the one attacked (which is left out).
const AUDIENCES: [&str; 6] =
    ["ppos:control", "ppos:resolver", "ppos:evidence", "ppos:ratelimit", "ppos:registry", "mintmark:session"];

pub(super) fn attacks(rightful: &Rightful, loot: &Loot) -> Vec<(String, String)> {
    let mut attacks = missing_or_null(rightful);
    attacks.extend(duplicates(rightful));
    attacks.extend(other_types(rightful));
    attacks.extend(audiences(rightful));
    attacks.extend(issuers(rightful));
    attacks.extend(times(rightful));
    attacks.extend(tenants(rightful, loot));
    attacks.extend(subjects(rightful, loot));
    attacks.extend(no_object(rightful));
    attacks.extend(of_person(rightful));
    if !rightful.is_session() {
        attacks.extend(scopes(rightful));
    }
    attacks
}

fn names(rightful: &Rightful) -> Vec<&'static str> {
    let scope = (!rightful.is_session()).then_some("scp");
    TEXTS.into_iter().chain(TIMES).chain(scope).collect()
}

fn missing_or_null(rightful: &Rightful) -> Vec<(String, String)> {
    let mut attacks = vec![
        ("a further claim that is null".to_owned(), rightful.with_claim("note", Value::Null)),
        ("no claims".to_owned(), rightful.signed(&rightful.header.to_string(), "{}")),
    ];
    for name in names(rightful) {
        attacks.push((format!("{name} missing"), rightful.with_claim(name, absent())));
        attacks.push((format!("{name} null"), rightful.with_claim(name, Value::Null)));
        // Present under another spelling only.
        let text = rightful
            .claims
            .to_string()
            .replace(&format!("\"{name}\":"), &format!("\"{}\":", name.to_uppercase()));
        attacks.push((format!("{name} in upper case"), rightful.signed(&rightful.header.to_string(), &text)));
    }
    attacks
}

fn duplicates(rightful: &Rightful) -> Vec<(String, String)> {
    let header = rightful.header.to_string();
    let mut attacks = vec![(
        "a further claim twice".to_owned(),
        rightful.signed(&header, &in_front(&rightful.claims, r#""note":1,"note":2"#)),
    )];
    for name in names(rightful) {
        let right = &rightful.claims[name];
        let wrong = if right.is_number() { json!(now() + 100_000) } else { json!("wrong") };
        let escaped = format!("\\u{:04x}{}", name.as_bytes()[0], &name[1..]);
        for (case, key, value) in [
            ("wrong", name, &wrong),
            ("null", name, &Value::Null),
            ("same", name, right),
            ("escaped", &escaped, right),
        ] {
            let member = format!("\"{key}\":{value}");
            let first = in_front(&rightful.claims, &member);
            attacks.push((format!("{name} twice, {case} first"), rightful.signed(&header, &first)));
            let last = at_the_end(&rightful.claims, &member);
            attacks.push((format!("{name} twice, {case} last"), rightful.signed(&header, &last)));
        }
    }
    attacks
}

fn other_types(rightful: &Rightful) -> Vec<(String, String)> {
    let mut attacks = Vec::new();
    let mut add = |name: &str, value: Value| {
        let shown: String = value.to_string().chars().take(40).collect();
        attacks.push((format!("{name} = {shown}"), rightful.with_claim(name, value)));
    };
    for name in TEXTS {
        let right = rightful.claims[name].clone();
        let text = right.as_str().unwrap().to_owned();
        for value in [
            json!([right]),
            json!([]),
            json!({ "value": right }),
            json!(0),
            json!(true),
            json!(""),
            json!("x".repeat(300)),
            json!(format!("{text}\n")),
            json!(format!("{text}\0")),
            json!(format!("\u{7f}{text}")),
        ] {
            add(name, value);
        }
    }
    for name in TIMES {
        let right = rightful.claims[name].as_i64().unwrap();
        for value in [
            json!(right.to_string()),
            json!(format!("{right}x")),
            json!(right as f64 + 0.5),
            json!(right as f64),
            json!(-right),
            json!(-1),
            json!(u64::MAX),
            json!(i64::MIN),
            json!(1e300),
            json!(right * 1000),
            json!([right]),
            json!({ "$date": right }),
            json!(true),
            json!(""),
        ] {
            add(name, value);
        }
    }
    attacks
}

fn audiences(rightful: &Rightful) -> Vec<(String, String)> {
    let right = rightful.claims["aud"].as_str().unwrap();
    let mut values: Vec<Value> =
        AUDIENCES.into_iter().filter(|audience| *audience != right).map(|audience| json!(audience)).collect();
    values.extend([
        json!([right, "ppos:evidence"]),
        json!(["ppos:evidence", right]),
        json!(&right[..right.len() - 1]),
        json!(format!("{right}2")),
        json!(format!("{right}/")),
        json!(format!("{right}.evil.example")),
        json!(format!(" {right}")),
        json!(format!("{right} ")),
        json!(format!("{right} ppos:evidence")),
        json!(format!("{right},ppos:evidence")),
        json!(right.to_uppercase()),
        json!("*"),
        json!("ppos:*"),
        json!("ppos:"),
    ]);
    values.into_iter().map(|value| (format!("aud {value}"), rightful.with_claim("aud", value))).collect()
}

fn issuers(rightful: &Rightful) -> Vec<(String, String)> {
    let right = rightful.claims["iss"].as_str().unwrap();
    let host = right.trim_start_matches("https://");
    let values = [
        json!("https://evil.example"),
        json!(format!("{right}/")),
        json!(format!("{right}.evil.example")),
        json!(format!("https://evil.example/{host}")),
        json!(format!("https://{host}@evil.example")),
        json!(format!("http://{host}")),
        json!(host),
        json!(right.to_uppercase()),
        json!(format!(" {right}")),
        json!(&right[..right.len() - 1]),
    ];
    let forged = |value: Value| (format!("iss {value}"), rightful.with_claim("iss", value));
    values.map(forged).to_vec()
}

fn times(rightful: &Rightful) -> Vec<(String, String)> {
    let now = now();
    // The longest that a token of the kind may live: a session a day, a PREFLIGHT_JWT five minutes, others a minute.
    let most = match rightful.is_session() {
        true => 86_400,
        false if rightful.claims["aud"] == "ppos:control" => 300,
        false => 60,
    };
    let at = |iat: i64, nbf: i64, exp: i64| {
        rightful.with_claims(&[("iat", json!(iat)), ("nbf", json!(nbf)), ("exp", json!(exp))])
    };
    [
        ("expires now", at(now - 30, now - 30, now)),
        ("expired a second ago", at(now - 30, now - 30, now - 1)),
        ("expired within a leeway of 60 s", at(now - 55, now - 55, now - 10)),
        ("expired a year ago", at(now - 31_536_060, now - 31_536_060, now - 31_536_000)),
        ("valid in the future", at(now, now + 3_600, now + 3_610)),
        ("not yet valid within a leeway of 60 s", at(now, now + 55, now + 59)),
        ("issued in the future", at(now + 3_600, now, now + 3_610)),
        ("issued in the future within a leeway of 60 s", at(now + 55, now, now + 59)),
        ("lives a second too long", at(now, now, now + most + 1)),
        ("lives a second too long, nearly over", at(now - most + 10, now - most + 10, now + 11)),
        ("lives for a year", at(now, now, now + 31_536_000)),
        ("issued long ago", at(now - 31_536_000, now - 31_536_000, now + 30)),
        ("issued at 0", at(0, now, now + 30)),
        ("expires at 0", at(now, now, 0)),
        ("ends before it was issued", at(now + 4, now, now + 2)),
        ("ends before it begins", at(now, now + 4, now + 2)),
        ("ends when it begins", at(now, now + 3, now + 3)),
    ]
    .map(|(name, token)| (name.to_owned(), token))
    .to_vec()
}

fn tenants(rightful: &Rightful, loot: &Loot) -> Vec<(String, String)> {
    let right = rightful.claims["tenantId"].as_str().unwrap();
    let mut values = vec![
        json!(right.to_uppercase()),
        json!(format!("{right} ")),
        json!(format!("{right}/")),
        json!(format!("{right},{}", loot.other_tenant)),
        json!(format!("../{right}")),
        json!("*"),
        json!("%"),
        json!("' OR '1'='1"),
        json!(".."),
        json!("a"),
        json!("a".repeat(64)),
    ];
    if rightful.is_session() {
        // A person of one tenant who says to be of the other: nobody like that is there.
        values.push(json!(loot.other_tenant));
        values.push(json!("nobody-has-this-one"));
    }
    values
        .into_iter()
        .map(|value| (format!("tenantId {value}"), rightful.with_claim("tenantId", value)))
        .collect()
}

fn subjects(rightful: &Rightful, loot: &Loot) -> Vec<(String, String)> {
    let right = rightful.claims["sub"].as_str().unwrap();
    let mut values: Vec<String> = vec![
        // Of an operator, whose name has no kind, the half of it.
        right.split_once(':').map_or("control", |(_, name)| name).to_owned(),
        format!(" {right}"),
        format!("{right} "),
        format!("{right}:admin"),
        right.replacen(':', "::", 1),
        right.replacen(':', "", 1),
        "user:".to_owned(),
        "client:".to_owned(),
        "service:".to_owned(),
        "service:*".to_owned(),
        "admin".to_owned(),
    ];
    if rightful.is_session() {
        values.extend([
            format!("user:{}", loot.other_user),
            "user:usr_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
            "service:control-plane".to_owned(),
            right.to_uppercase(),
            right.replace("user:", "User:"),
            right.replace("usr_", "brd_"),
            right.replace("usr_", ""),
        ]);
    } else {
        // The signer is the control plane: it cannot speak as another service.
        values.extend(
            ["resolver", "evidence-vault", "preflight-gateway", "ratelimit", "Control-Plane"]
                .map(|service| format!("service:{service}")),
        );
    }
    values
        .into_iter()
        .filter(|value| value != right)
        .map(|value| (format!("sub {value:?}"), rightful.with_claim("sub", json!(value))))
        .collect()
}

/// Scopes that the bundle does not grant to the signer, and forms that no scope list has.
fn scopes(rightful: &Rightful) -> Vec<(String, String)> {
    let right = rightful.claims["scp"][0].as_str().unwrap();
    // A right one, where the vault is attacked.
    let evidence =
        if rightful.claims["aud"] == "ppos:evidence" { json!("evidence:*") } else { json!("evidence:read") };
    let foreign = if rightful.claims["aud"] == "ppos:control" { "directory:read" } else { "preflight:read" };
    let values = [
        json!([]),
        json!(""),
        json!(" "),
        json!([""]),
        json!([[right]]),
        json!([right, null]),
        json!([right, 1]),
        json!({ "0": right }),
        json!({ (right): true }),
        json!(1),
        json!(true),
        json!(format!("{right}  {right}")),
        json!(format!(" {right}")),
        json!(format!("{right} ")),
        json!(format!("{right},directory:read")),
        json!(format!("{right}\tdirectory:read")),
        json!([format!("{right} directory:read")]),
        json!([right.to_uppercase()]),
        json!([format!("{right}2")]),
        json!([&right[..right.len() - 1]]),
        json!("*"),
        json!("directory:*"),
        json!([right, "directory:admin"]),
        json!([right, foreign]),
        json!([foreign]),
        json!([evidence]),
        json!(vec![right; 33]),
        json!(["x".repeat(65)]),
    ];
    let mut attacks: Vec<(String, String)> =
        values.into_iter().map(|value| (format!("scp {value}"), rightful.with_claim("scp", value))).collect();
    for value in [json!("platinum"), json!("ENTERPRISE"), json!(1), json!(["free"]), json!("")] {
        attacks.push((format!("tier {value}"), rightful.with_claim("tier", value)));
    }
    attacks
}

/// Tokens that are right in everything and carry the scope of another method, as array and as text.
pub(super) fn of_scope(rightful: &Rightful) -> Vec<Attack> {
    let Some(right) = rightful.claims["scp"][0].as_str() else { return Vec::new() };
    // The limiter and the control plane have one scope: there is no other that a right token could carry. What each of the
    // five of preflight opens is walked in the gateway's own tests.
    let audience = rightful.claims["aud"].as_str().unwrap_or_default();
    if ["ppos:ratelimit", "ppos:registry", "ppos:control"].contains(&audience) {
        return Vec::new();
    }
    let all = match audience {
        // No other of the control plane's calls, even with every one of these.
        "ppos:evidence" => ["evidence:read", "evidence:hold", "evidence:operate"],
        _ => ["directory:publish", "directory:revoke", "directory:read"],
    };
    let others: Vec<&str> = all.into_iter().filter(|scope| *scope != right).collect();
    let mut values = vec![json!(others), json!(others.join(" "))];
    values.extend(others.iter().map(|scope| json!([scope])));
    let forged = |value: Value| {
        let token = rightful.with_claim("scp", value.clone());
        Attack::bearer(format!("scp of other methods: {value}"), &token).ends(Refusal::Forbidden)
    };
    values.into_iter().map(forged).collect()
}

/// What a call in a person's name says of the person: changed under the old signature, or signed as nobody may.
fn of_person(rightful: &Rightful) -> Vec<(String, String)> {
    if rightful.claims["act"].is_null() {
        return Vec::new();
    }
    let iat = rightful.claims["iat"].as_i64().unwrap();
    let user = "user:usr_01h45ytscbebyvny4gc8cr8ma2";
    let mut attacks: Vec<(String, String)> = [
        ("act", absent()),
        ("act", json!("service:control-plane")),
        ("act", json!({ "sub": "service:console" })),
        ("act", json!({ "sub": "service:control-plane", "act": { "sub": user } })),
        ("role", json!("governance")),
        ("role", json!("OWNER")),
        ("role", json!(["GOVERNANCE"])),
        ("disputeState", json!("reopened")),
        ("disputeId", json!("dsp_x")),
        ("exp", json!(iat + 31)),
        ("exp", json!(iat + 60)),
        ("sub", json!("client:portal")),
        ("sub", json!("service:control-plane")),
        ("sub", json!(format!("{user} by {user}"))),
    ]
    .into_iter()
    .map(|(name, value)| (format!("{name} of a person's call {value}"), rightful.with_claim(name, value)))
    .collect();
    let token = rightful.token();
    let signature = token.rsplit('.').next().unwrap();
    let state = if rightful.claims["disputeState"] == "open" { "closed" } else { "open" };
    let role = if rightful.claims["role"] == "GOVERNANCE" { "USER" } else { "GOVERNANCE" };
    for (name, value) in [
        ("role", role),
        ("disputeState", state),
        ("sub", user),
        ("disputeId", "dsp_01h45ytscbebyvny4gc8cr8ma2"),
    ] {
        let changed = super::with(&rightful.claims, name, json!(value)).to_string();
        let header = encode(rightful.header.to_string());
        attacks.push((
            format!("{name} changed afterwards"),
            format!("{header}.{}.{signature}", encode(changed)),
        ));
    }
    attacks
}

fn no_object(rightful: &Rightful) -> Vec<(String, String)> {
    let (header, claims) = (rightful.header.to_string(), rightful.claims.to_string());
    let texts = [
        ("an array", format!("[{claims}]")),
        ("a string", json!(claims).to_string()),
        ("null", "null".to_owned()),
        ("true", "true".to_owned()),
        ("a number", "1".to_owned()),
        ("empty", String::new()),
        ("two objects", format!("{claims}{claims}")),
        ("cut off", claims[..claims.len() - 1].to_owned()),
        ("a trailing comma", format!("{},}}", &claims[..claims.len() - 1])),
        ("single quotes", claims.replace('"', "'")),
        ("a byte order mark", format!("\u{feff}{claims}")),
        ("a token of its own", rightful.token()),
        (
            "deep nesting",
            at_the_end(&rightful.claims, &format!("\"a\":{}{}", "[".repeat(600), "]".repeat(600))),
        ),
    ];
    let mut attacks: Vec<(String, String)> =
        texts.map(|(name, text)| (format!("claims {name}"), rightful.signed(&header, &text))).to_vec();
    let latin: Vec<u8> = claims.bytes().chain([0xff, 0xfe]).collect();
    let signed = format!("{}.{}", encode(&header), encode(latin));
    attacks.push(("claims not UTF-8".to_owned(), rightful.sealed(&signed)));
    attacks
}
