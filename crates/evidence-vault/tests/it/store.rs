//! The vault over a bucket.

use mintmark_devstack::s3::{self, S3Bucket};
use mintmark_evidence_vault::config::VaultConfig;
use mintmark_evidence_vault::vault;
use mintmark_service::config::Reader;

use crate::stage::{Cast, Stage, noise};

#[path = "../../../objects/tests/it/versions.rs"]
mod versions;

fn variables(bucket: &S3Bucket) -> Vec<(&'static str, String)> {
    let url = format!("s3://{}/evidence", bucket.name());
    bucket.variables().into_iter().chain([("EVIDENCE_STORE_URL", url)]).collect()
}

fn borrowed<'a>(variables: &'a [(&'static str, String)]) -> Vec<(&'static str, &'a str)> {
    variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_in_a_bucket_is_stored_read_and_aborted_as_in_a_folder() {
    let bucket = s3::bucket().await;
    let variables = variables(&bucket);
    let (stage, cast) = (Stage::start_with(&borrowed(&variables)).await, Cast::new());
    // Several parts.
    let content = noise(11 << 20);
    let id = stage.upload(&cast.user, &content).await.evidence_id;
    assert!(stage.read(&cast.arbitrator, &id, None, None).await.unwrap().1 == content);
    let (_, part) = stage.read(&cast.arbitrator, &id, Some(5_000_000), Some(40_000)).await.unwrap();
    assert!(part == content[5_000_000..5_040_000]);
    let objects = bucket.objects();
    assert_eq!(objects.len(), 1);
    assert!(objects[0].starts_with(&format!("evidence/acme/{id}/")), "{objects:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_keeps_versions_is_refused_at_start_with_a_sentence() {
    let bucket = s3::bucket().await;
    versions::set(&bucket, "Enabled").await;
    let variables = variables(&bucket);
    let stage = Stage::prepare(&borrowed(&variables)).await;
    let mut reader = Reader::from_pairs(stage.variables().to_vec());
    let config = VaultConfig::read(&mut reader);
    let config = reader.finish(config).unwrap_or_else(|errors| panic!("{errors}"));
    let refused = vault::build(config, &stage.context).await.err().unwrap().to_string();
    assert!(refused.contains("EVIDENCE_STORE_URL") && refused.contains("versions"), "{refused}");
}
