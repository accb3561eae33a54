use mintmark_service::config::Reader;

use super::*;
use crate::StoreConfig;
use crate::config::Place;

const GOOD: [(&str, &str); 4] = [
    ("EXPORT_STORE_URL", "s3://packs/exports"),
    ("S3_ENDPOINT", "https://s3.example:9000"),
    ("S3_ACCESS_KEY_ID", "an-id"),
    ("S3_SECRET_ACCESS_KEY", "a-secret"),
];

fn read(changes: &[(&str, &str)]) -> std::result::Result<BucketConfig, String> {
    let mut reader = Reader::from_pairs(GOOD.iter().chain(changes).map(|pair| (pair.0, pair.1)));
    let config = StoreConfig::read(&mut reader, "EXPORT", "");
    let config = reader.finish(config).map_err(|errors| errors.to_string())?;
    assert!(!format!("{config:?}").contains("a-secret"));
    match config.0 {
        Place::Bucket(config) => Ok(config),
        Place::Folder(_) | Place::Closed(_) => Err("a folder".to_owned()),
    }
}

#[test]
fn read_of_a_bucket_needs_no_signing_key_and_reaches_nothing() {
    let config = read(&[]).unwrap();
    assert_eq!((config.bucket.as_str(), config.prefix.as_str()), ("packs", "exports"));
    assert_eq!(config.region, "us-east-1");
    assert_eq!(config.public_endpoint, config.endpoint);
    config.open().unwrap();
}

#[test]
fn address_has_the_bucket_in_path_or_host() {
    let public = [("S3_PUBLIC_ENDPOINT", "https://files.example")];
    let config = read(&public).unwrap();
    assert_eq!(config.address(&config.public_endpoint).unwrap().as_str(), "https://files.example/packs");
    let config = read(&[public[0], ("S3_VIRTUAL_HOSTED_STYLE", "true")]).unwrap();
    assert_eq!(config.address(&config.public_endpoint).unwrap().as_str(), "https://packs.files.example/");
    assert_eq!(config.address(&config.endpoint).unwrap().as_str(), "https://packs.s3.example:9000/");
}

#[test]
fn read_of_bad_values_names_the_variable_and_repeats_none() {
    for (name, value, expected) in [
        ("EXPORT_STORE_URL", "s3://", "write it like s3://bucket"),
        ("EXPORT_STORE_URL", "s3://Packs/x", "write it like s3://bucket"),
        ("EXPORT_STORE_URL", "s3://packs/../x", "write it like s3://bucket"),
        ("EXPORT_STORE_URL", "s3:packs", "write it like s3://bucket"),
        ("S3_ENDPOINT", "", "is not set"),
        ("S3_ENDPOINT", "s3.example", "is not an address"),
        ("S3_ENDPOINT", "https://me:secret@s3.example", "is not an address"),
        ("S3_ENDPOINT", "https://s3.example/packs", "is not an address"),
        ("S3_ENDPOINT", "http://s3.example", "use https://"),
        ("S3_PUBLIC_ENDPOINT", "http://files.example", "use https://"),
        ("S3_ACCESS_KEY_ID", "", "is not set"),
        ("S3_SECRET_ACCESS_KEY", "", "is not set"),
        ("S3_REGION", "a b", "is not a region"),
        ("S3_VIRTUAL_HOSTED_STYLE", "maybe", "neither true nor false"),
    ] {
        let errors = read(&[(name, value)]).unwrap_err();
        assert!(errors.contains(expected) && errors.contains(name), "{name}={value}: {errors}");
        assert!(!errors.contains("secret@"), "{errors}");
    }
}

#[test]
fn read_allows_http_on_this_machine_and_where_the_environment_says_so() {
    for endpoint in ["http://127.0.0.1:9000", "http://[::1]:9000", "http://localhost:9000"] {
        read(&[("S3_ENDPOINT", endpoint)]).unwrap();
    }
    for app_env in ["development", "test"] {
        read(&[("S3_ENDPOINT", "http://minio:9000"), ("APP_ENV", app_env)]).unwrap();
    }
    assert!(read(&[("S3_ENDPOINT", "http://minio:9000"), ("APP_ENV", "production")]).is_err());
}

#[test]
fn read_of_an_authority_that_cannot_be_used_says_what_is_wrong_with_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let said = || read(&[("S3_CA_FILE", file.to_str().unwrap())]).unwrap_err();
    assert!(said().starts_with("S3_CA_FILE: ") && said().contains("ca.pem cannot be read"), "{}", said());
    let pem = |inside: &str| format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
    let authority = mintmark_devstack::authority::Authority::new(folder.path(), "authority").unwrap().pem();
    for (text, expected) in [
        (String::new(), "holds no certificate"),
        ("no PEM at all".to_owned(), "holds no certificate"),
        (pem("not base64"), "cannot be used"),
        (pem("AAAA"), "cannot be used"),
        (format!("{authority}{}", pem("AAAA")), "cannot be used"),
        (authority.replace("END CERTIFICATE", "END"), "cannot be used"),
    ] {
        std::fs::write(&file, &text).unwrap();
        assert!(said().contains(expected), "{text}: {}", said());
    }
    std::fs::write(&file, authority).unwrap();
    read(&[("S3_CA_FILE", file.to_str().unwrap())]).unwrap();
}

#[test]
fn read_refuses_a_bucket_before_an_address() {
    let changes = [("S3_ENDPOINT", "https://10.0.0.7:9000"), ("S3_VIRTUAL_HOSTED_STYLE", "true")];
    assert!(read(&changes).unwrap_err().contains("S3_VIRTUAL_HOSTED_STYLE"));
    read(&changes[..1]).unwrap();
}

#[test]
fn read_without_anything_reports_all_that_is_missing_at_once() {
    let mut reader = Reader::from_pairs([("EXPORT_STORE_URL", "s3://packs")]);
    let config = StoreConfig::read(&mut reader, "EXPORT", "");
    let errors = reader.finish(config).unwrap_err().to_string();
    for name in ["S3_ENDPOINT", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] {
        assert!(errors.contains(name), "{errors}");
    }
    assert!(!errors.contains("EXPORT_URL_SIGNING_KEY"), "{errors}");
}
