//! A tenant's export out of a real database, read by the offline verifier.

use chrono::{DateTime, Utc};
use mintmark_audit::bundle::{FORMAT, Header, Line, Writer};
use mintmark_audit::export::Export;
use mintmark_audit::token::Jwks;
use mintmark_audit::verify::{Report, Trust, bundle};
use mintmark_auth::SigningKey;
use serde_json::json;

use crate::world::World;

/// The bundle of acme's entries, and whoever can check it.
async fn export(world: &World, from: Option<DateTime<Utc>>) -> (String, Trust) {
    let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
    let jwks = json!({ "keys": [key.public_jwk()] }).to_string();
    let keys = world.signer.verifier().clone().into();
    let trust = Trust { keys, jwks: Jwks::parse(&jwks).unwrap(), ..Trust::default() };
    let tenant = "acme".parse().unwrap();
    let header = Header {
        format: FORMAT.to_owned(),
        exporter: "control-plane".to_owned(),
        tenant: Some("acme".to_owned()),
        from,
        to: None,
        created_at: Utc::now(),
        missing: Vec::new(),
    };
    let (mut writer, mut text) = Writer::begin(header);
    let mut conn = world.pool.get().await.unwrap();
    let mut log = Export::begin(&mut conn, &tenant, from, None).await.unwrap();
    while let Some(lines) = log.next(&mut conn).await.unwrap() {
        for line in lines {
            // As it goes over the wire from one service to another.
            let line = Line::parse(line.to_text().trim_end()).unwrap();
            match line {
                Line::Log(log) => text.push_str(&writer.log(log).unwrap()),
                Line::Entry(entry) => text.push_str(&writer.entry(entry)),
                Line::Header(_) | Line::Trailer(_) => panic!("a part of a bundle has neither"),
            }
        }
    }
    let sign = |manifest: &_| key.sign_audit_export(&serde_json::to_value(manifest).unwrap());
    (text + &writer.finish(sign), trust)
}

fn check(text: &str, trust: &Trust) -> Report {
    bundle(text.as_bytes(), trust, |_| {}).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn export_of_many_pages_holds() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 1_050).await;
    world.record(Some("other"), 10).await;
    world.record(Some("acme"), 1).await;
    world.until_signed().await;
    running.stop().await;
    world.record(Some("acme"), 2).await;
    let (text, trust) = export(&world, None).await;
    let report = check(&text, &trust);
    assert_eq!((report.proven, report.pending), (1_051, 2));
    assert_eq!(report.logs[0].numbers, Some((1, 1_051)));
    assert!(!text.contains(r#""tenantId":"other""#));
}

#[tokio::test(flavor = "multi_thread")]
async fn export_of_a_time_is_a_run_of_the_tenants_numbers() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("acme"), 5).await;
    let later = Utc::now();
    world.record(Some("acme"), 3).await;
    world.until_signed().await;
    running.stop().await;
    let (text, trust) = export(&world, Some(later)).await;
    assert_eq!(check(&text, &trust).logs[0].numbers, Some((6, 8)));
    let (text, trust) = export(&world, Some(Utc::now())).await;
    assert_eq!(check(&text, &trust).logs[0].numbers, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_byte_of_a_real_export_is_caught() {
    let world = World::new().await;
    let running = world.sequencer();
    world.record(Some("other"), 2).await;
    world.record(Some("acme"), 2).await;
    world.until_signed().await;
    running.stop().await;
    world.record(Some("acme"), 1).await;
    let (text, trust) = export(&world, None).await;
    assert_eq!(check(&text, &trust).proven, 2);
    for at in 0..text.len() {
        let mut bent = text.clone().into_bytes();
        bent[at] ^= 1;
        assert!(bundle(&bent[..], &trust, |_| {}).is_err(), "byte {at}");
    }
}
