//! Attacks on API keys: what is nearly one, with a checksum that is right all the same.

use ring::digest::{SHA256, digest};

use super::{Attack, carried};

/// Every attack with something near `key` on a door that takes keys; `other` is the id of another tenant's key.
pub fn near_the_api_key(key: &str, other: &str) -> Vec<Attack> {
    let parts: Vec<&str> = key.split('_').collect();
    let [prefix, environment, id, tail] = parts[..] else { panic!("a key has four parts") };
    let (secret, checksum) = tail.split_at(64);
    let made = |environment: &str, id: &str, secret: &str| {
        let body = format!("{prefix}_{environment}_{id}_{secret}");
        format!("{body}{:08x}", crc32fast::hash(body.as_bytes()))
    };
    assert_eq!(made(environment, id, secret), key, "the forger makes keys as the platform does");
    let altered = if secret.starts_with('0') { "1" } else { "0" }.to_owned() + &secret[1..];
    let digest: String =
        digest(&SHA256, key.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let forged = [
        ("another secret", made(environment, id, &altered)),
        ("zeros for a secret", made(environment, id, &"0".repeat(64))),
        ("no secret", made(environment, id, "")),
        ("half a secret", made(environment, id, &secret[..32])),
        ("its digest for a secret", made(environment, id, &digest)),
        ("its digest", digest.clone()),
        ("its secret in upper case", made(environment, id, &secret.to_uppercase())),
        ("the environment live", made("live", id, secret)),
        ("an unknown environment", made("prod", id, secret)),
        ("no environment", made("", id, secret)),
        ("the id of another tenant's", made(environment, other.split_once('_').unwrap().1, secret)),
        ("an unknown id", made(environment, "01h45ytscbebyvny4gc8cr8ma2", secret)),
        ("its id in upper case", made(environment, &id.to_uppercase(), secret)),
        ("SQL for an id", made(environment, "'OR'1'='1", secret)),
        ("traversal for an id", made(environment, "../../etc/passwd", secret)),
        ("another checksum", format!("{}{}", &key[..key.len() - 8], "00000000")),
        ("no checksum", key[..key.len() - 8].to_owned()),
        ("its checksum in upper case", format!("{}{}", &key[..key.len() - 8], checksum.to_uppercase() + "F")),
        ("without its prefix", key["mmk_".len()..].to_owned()),
        ("its prefix in upper case", key.replacen("mmk", "MMK", 1)),
        ("its prefix alone", "mmk_".to_owned()),
        ("its id alone", format!("key_{id}")),
        ("cut off", key[..key.len() - 1].to_owned()),
        ("with one character more", format!("{key}0")),
        ("twice", format!("{key}{key}")),
        ("twice with a comma", format!("{key},{key}")),
        ("in quotes", format!("\"{key}\"")),
        ("with a pattern", "mmk_%".to_owned()),
    ];
    let mut attacks = Vec::new();
    for (name, key) in &forged {
        attacks.push(Attack::bearer(format!("API key, {name}, as a bearer"), key));
        attacks.push(Attack::new(format!("API key, {name}")).header("x-api-key", key));
    }
    attacks.push(Attack::new("API key twice").header("x-api-key", key).header("x-api-key", key));
    let beside = Attack::new("API key behind another").header("x-api-key", "mmk_");
    attacks.push(beside.header("x-api-key", key));
    attacks
        .push(Attack::new("API key as a bearer in its header").header("x-api-key", &format!("Bearer {key}")));
    for other in ["", "Basic YTpi", "Bearer garbage"] {
        let beside = Attack::new(format!("API key beside Authorization: {other}"));
        attacks.push(beside.header("authorization", other).header("x-api-key", key));
    }
    attacks.extend(carried(key));
    // In this one place it is right.
    attacks.retain(|attack| attack.name != "the credential in x-api-key");
    attacks
}
