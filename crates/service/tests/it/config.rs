use std::time::Duration;

use mintmark_service::config::{Need, Reader, Secrecy, Secret};

#[derive(Debug)]
#[expect(dead_code, reason = "only printed")]
struct Config {
    key: Secret,
    ttl: Duration,
}

fn parse(reader: &mut Reader) -> Option<Config> {
    let key = reader.secret("EXAMPLE_KEY", "the key of the example");
    let ttl = reader.seconds("EXAMPLE_TTL_SECS", 60, 1..=3600, "how long an example lives");
    let workers = reader.number::<usize>("EXAMPLE_WORKERS", 2, 0..=64, "workers");
    let url = reader.url("EXAMPLE_URL", "http://127.0.0.1:9081", "where examples are");
    let open = reader.boolean("EXAMPLE_OPEN", false, "whether it is open");
    let file = reader.optional_path("EXAMPLE_FILE", "a file");
    let (_workers, _url, _open, _file) = (workers?, url?, open?, file?);
    Some(Config { key: key?, ttl: ttl? })
}

#[test]
fn finish_with_many_mistakes_names_all_and_repeats_no_url() {
    let mut reader = Reader::from_pairs([
        ("EXAMPLE_TTL_SECS", "3601"),
        ("EXAMPLE_WORKERS", "-1"),
        ("EXAMPLE_URL", "postgres://user:hunter2@db"),
        ("EXAMPLE_OPEN", "yes"),
        ("EXAMPLE_KEY", ""),
    ]);
    let parsed = parse(&mut reader);
    let errors = reader.finish(parsed).unwrap_err();
    assert_eq!(
        errors.to_string(),
        "EXAMPLE_KEY: is not set: the service needs it\n\
         EXAMPLE_TTL_SECS: \"3601\" is not a number from 1 to 3600\n\
         EXAMPLE_WORKERS: \"-1\" is not a number from 0 to 64\n\
         EXAMPLE_URL: is not a URL: write it like http://127.0.0.1:8080\n\
         EXAMPLE_OPEN: \"yes\" is neither true nor false"
    );
}

#[test]
fn finish_with_everything_right_hides_the_secret_in_debug() {
    let mut reader = Reader::from_pairs([("EXAMPLE_KEY", "hunter2"), ("EXAMPLE_TTL_SECS", "5")]);
    let parsed = parse(&mut reader);
    assert!(!format!("{reader:?}").contains("hunter2"));
    let config = reader.finish(parsed).unwrap();
    assert_eq!(format!("{config:?}"), "Config { key: [secret], ttl: 5s }");
}

#[test]
fn finish_without_a_result_or_a_reason_is_an_error() {
    assert!(Reader::from_pairs([("A", "b")]).finish(None::<()>).is_err());
}

#[test]
fn described_lists_what_was_asked_for_once() {
    let mut reader = Reader::from_pairs([("EXAMPLE_KEY", "hunter2")]);
    let _parsed = parse(&mut reader);
    let _asked_again = parse(&mut reader);
    let names: Vec<&str> = reader.described().iter().map(|variable| variable.name).collect();
    assert_eq!(
        names,
        ["EXAMPLE_KEY", "EXAMPLE_TTL_SECS", "EXAMPLE_WORKERS", "EXAMPLE_URL", "EXAMPLE_OPEN", "EXAMPLE_FILE"]
    );
    let [key, ttl, .., file] = reader.described() else { panic!("{names:?}") };
    assert_eq!((key.need, key.secrecy, key.default.as_deref()), (Need::Always, Secrecy::Value, None));
    assert_eq!((ttl.default.as_deref(), ttl.form.as_str()), (Some("60"), "1 to 3600 seconds"));
    assert_eq!((file.need, file.secrecy), (Need::Never, Secrecy::Open));
}
