//! The table of signed URLs, for a folder and for a bucket: what a URL gives, until when, and what it does not give.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use mintmark_objects::SignedUrl;

use crate::fixture::Fixture;

const TTL: Duration = Duration::from_secs(300);
const ONE: &str = "exports/acme/part-0001.zip";
const OTHER: &str = "exports/acme/part-0002.zip";

async fn with_two_objects() -> [Fixture; 2] {
    let fixtures = Fixture::both().await;
    for fixture in &fixtures {
        fixture.store.put(ONE, "one".into()).await.unwrap();
        fixture.store.put(OTHER, "other".into()).await.unwrap();
    }
    fixtures
}

/// A URL for 300 seconds that was signed so long ago.
fn aged(fixture: &Fixture, seconds: i64) -> SignedUrl {
    let moment = Utc::now() - TimeDelta::seconds(seconds);
    fixture.store.signed_get_at(ONE, TTL, "pack.zip", &[7; 32], moment).unwrap()
}

#[tokio::test]
async fn signed_url_is_good_at_its_299th_second() {
    for fixture in with_two_objects().await {
        assert_eq!(fixture.fetch("GET", &aged(&fixture, 0).url).await, 200, "{}", fixture.name());
        let mut attempts = 0..50;
        loop {
            assert!(attempts.next().is_some(), "no request was answered within a second");
            let signed = aged(&fixture, 299);
            let status = fixture.fetch("GET", &signed.url).await;
            // An answer that came before the end was given before it; a later one says nothing.
            if Utc::now() < signed.expires_at {
                assert_eq!(status, 200, "{}", fixture.name());
                break;
            }
        }
    }
}

#[tokio::test]
async fn signed_url_is_refused_at_its_301st_second() {
    for fixture in with_two_objects().await {
        for age in [301, 3_000] {
            assert_eq!(fixture.fetch("GET", &aged(&fixture, age).url).await, 403, "{} {age}", fixture.name());
        }
    }
}

#[tokio::test]
async fn signed_url_is_refused_for_anything_but_what_was_signed() {
    for fixture in with_two_objects().await {
        let url = aged(&fixture, 0).url;
        let (address, _) = url.split_once('?').unwrap();
        let edited = [
            ("another object", url.replace("part-0001", "part-0002")),
            ("another folder", url.replace("/acme/", "/bcme/")),
            ("another name", url.replace("pack.zip", "sack.zip")),
            ("no signature", address.to_owned()),
        ];
        let longer = match fixture.name() {
            "bucket" => url.replace("X-Amz-Expires=300", "X-Amz-Expires=301"),
            _ => {
                let expires = aged(&fixture, 0).expires_at.timestamp();
                let (before, after) = url.split_once("expires=").unwrap();
                let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}expires={}{rest}", expires + 60)
            }
        };
        for (what, edited) in edited.iter().map(|(what, url)| (*what, url)).chain([("longer", &longer)]) {
            assert_ne!(edited, &url, "{what}");
            assert_eq!(fixture.fetch("GET", edited).await, 403, "{}: {what}", fixture.name());
        }
        assert_eq!(fixture.fetch("GET", &url).await, 200, "{}", fixture.name());
    }
}

#[tokio::test]
async fn signed_url_is_refused_for_another_method_and_changes_nothing() {
    for fixture in with_two_objects().await {
        let url = aged(&fixture, 0).url;
        for method in ["HEAD", "PUT", "DELETE"] {
            assert_eq!(fixture.fetch(method, &url).await, 403, "{} {method}", fixture.name());
        }
        let status = fixture.fetch("POST", &url).await;
        assert!((400..500).contains(&status), "{} POST: {status}", fixture.name());
        assert_eq!(fixture.store.get_range(ONE, 0..3).await.unwrap(), "one");
    }
}

#[tokio::test]
async fn signed_url_of_a_wrong_secret_is_refused() {
    for fixture in with_two_objects().await {
        let signed = fixture.with_wrong_secret().signed_get(ONE, TTL, "pack.zip", &[7; 32]).await.unwrap();
        assert_eq!(fixture.fetch("GET", &signed.url).await, 403, "{}", fixture.name());
    }
}

#[tokio::test]
async fn signed_url_of_what_is_not_there_is_404() {
    for fixture in Fixture::both().await {
        assert_eq!(fixture.fetch("GET", &aged(&fixture, 0).url).await, 404, "{}", fixture.name());
    }
}
