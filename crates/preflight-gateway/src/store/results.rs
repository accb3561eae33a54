//! Facts and reports.

use std::io::{Read, Write};

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use mintmark_db::Meaning;
use mintmark_fault::{Fault, Result};

use super::Mandate;
use super::schema::{preflight_facts as facts, preflight_job as job, preflight_report as report};
use crate::app::names::JobKey;

/// Facts, as an engine printed them.
pub struct Facts {
    /// Deflated JSON.
    deflated: Vec<u8>,
    /// Length of the JSON.
    bytes: i64,
}

impl Facts {
    /// Deflates the JSON. Takes a while for large ones: not on a thread that others wait for.
    ///
    /// # Errors
    /// 500.
    pub fn of(json: &[u8]) -> Result<Self> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(json).map_err(Fault::internal)?;
        let deflated = encoder.finish().map_err(Fault::internal)?;
        Ok(Self { deflated, bytes: i64::try_from(json.len()).map_err(Fault::internal)? })
    }

    /// The JSON. As [`Facts::of`].
    ///
    /// # Errors
    /// 500.
    pub fn json(&self) -> Result<Vec<u8>> {
        let mut json = Vec::with_capacity(usize::try_from(self.bytes).unwrap_or_default());
        ZlibDecoder::new(self.deflated.as_slice()).read_to_end(&mut json).map_err(Fault::internal)?;
        Ok(json)
    }
}

/// The facts of a content that an engine of this version found before. For workers, who have read that content themselves.
pub async fn known(conn: &mut AsyncPgConnection, content: &[u8; 32], engine: &str) -> Result<Option<Facts>> {
    let found: Option<(Vec<u8>, i64)> = facts::table
        .find((content.as_slice(), engine))
        .select((facts::deflated, facts::bytes))
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    Ok(found.map(|(deflated, bytes)| Facts { deflated, bytes }))
}

/// Keeps facts; whoever found them first is believed.
pub async fn keep(
    conn: &mut AsyncPgConnection,
    content: &[u8; 32],
    engine: &str,
    found: &Facts,
) -> Result<()> {
    diesel::insert_into(facts::table)
        .values((
            facts::content_sha256.eq(content.as_slice()),
            facts::engine_version.eq(engine),
            facts::deflated.eq(&found.deflated),
            facts::bytes.eq(found.bytes),
        ))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .or_fault()?;
    Ok(())
}

/// The report of a job of the tenant's, if it has one.
pub async fn report(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    key: &JobKey,
) -> Result<Option<String>> {
    report::table
        .inner_join(job::table.on(job::id.eq(report::id)))
        .filter(job::tenant_id.eq(mandate.tenant().as_str()))
        .filter(job::job_id.eq(key.as_str()))
        .select(report::document)
        .first(conn)
        .await
        .optional()
        .or_fault()
}

/// The facts that a job of the tenant's was judged by, if it succeeded.
pub async fn facts_of(
    conn: &mut AsyncPgConnection,
    mandate: &impl Mandate,
    key: &JobKey,
) -> Result<Option<Facts>> {
    let found: Option<(Vec<u8>, i64)> = job::table
        .inner_join(
            facts::table.on(job::content_sha256
                .eq(facts::content_sha256.nullable())
                .and(job::engine_version.eq(facts::engine_version.nullable()))),
        )
        .filter(job::tenant_id.eq(mandate.tenant().as_str()))
        .filter(job::job_id.eq(key.as_str()))
        .filter(job::state.eq("succeeded"))
        .select((facts::deflated, facts::bytes))
        .first(conn)
        .await
        .optional()
        .or_fault()?;
    Ok(found.map(|(deflated, bytes)| Facts { deflated, bytes }))
}
