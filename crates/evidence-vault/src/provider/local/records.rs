//! Tombstones and holds: a file each, under its tenant, named after its record.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::{fs, io};

use chrono::{DateTime, Utc};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{EvidenceId, TenantId};

use super::super::failure::{damaged, unavailable};
use super::super::kept_hold::KeptHold;
use super::super::{Hold, Tombstone};
use super::files::{self, Aside};
use super::keystore::Keystore;

impl Keystore {
    fn tombstones_of(&self, tenant: &TenantId) -> PathBuf {
        self.folder("tombstones").join(tenant.as_str())
    }

    fn holds_of(&self, tenant: &TenantId) -> PathBuf {
        self.folder("holds").join(tenant.as_str())
    }

    /// A batch is one file with a line for each record, and a name of it for each record: few fsyncs, however many records.
    /// The name is what counts.
    pub(super) fn entomb(&self, tombstones: &[Tombstone]) -> Result<()> {
        if tombstones.is_empty() {
            return Ok(());
        }
        self.ready()?;
        self.link_batch(tombstones).map_err(unavailable)
    }

    fn link_batch(&self, tombstones: &[Tombstone]) -> io::Result<()> {
        let lines: String = tombstones
            .iter()
            .map(|stone| format!("{} {} {}\n", stone.tenant, stone.record, stone.at.timestamp_micros()))
            .collect();
        let batch = Aside::write(&self.folder("tombstones"), lines.as_bytes())?;
        let mut folders = BTreeSet::new();
        for stone in tombstones {
            let folder = self.tombstones_of(&stone.tenant);
            if folders.insert(folder.clone()) {
                files::make_folder(&folder)?;
            }
            // Taken: the record keeps its first.
            batch.link(&folder.join(stone.record.to_string()))?;
        }
        folders.iter().try_for_each(|folder| files::sync(folder))
    }

    pub(super) fn is_entombed(&self, tenant: &TenantId, record: EvidenceId) -> Result<bool> {
        let path = self.tombstones_of(tenant).join(record.to_string());
        let found = path.try_exists().map(|exists| exists.then_some(()));
        Ok(self.absent(found)?.is_some())
    }

    pub(super) fn tombstones(&self) -> Result<Vec<Tombstone>> {
        self.ready()?;
        self.read_tombstones().map_err(unavailable)
    }

    fn read_tombstones(&self) -> io::Result<Vec<Tombstone>> {
        let mut all = Vec::new();
        // Names of one batch share its file: each file is read once.
        let mut batches: HashMap<u64, HashMap<(String, String), DateTime<Utc>>> = HashMap::new();
        for tenant in files::names(&self.folder("tombstones"))? {
            let Ok(tenant) = TenantId::parse(&tenant) else { continue };
            let folder = self.tombstones_of(&tenant);
            for name in files::names(&folder)? {
                let Ok(record) = name.parse::<EvidenceId>() else { continue };
                let path = folder.join(&name);
                let inode = match fs::metadata(&path) {
                    Ok(metadata) => metadata.ino(),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                let lines = match batches.entry(inode) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(parse(&files::read(&path)?.unwrap_or_default())),
                };
                let at = lines.get(&(tenant.as_str().to_owned(), name)).copied();
                // One whose line is damaged counts as made now: later is when it is dropped later.
                all.push(Tombstone { tenant: tenant.clone(), record, at: at.unwrap_or_else(Utc::now) });
            }
        }
        Ok(all)
    }

    pub(super) fn disinter(&self, tenant: &TenantId, record: EvidenceId) -> Result<()> {
        self.ready()?;
        let folder = self.tombstones_of(tenant);
        // Its bytes are shared with the other records of its batch, and hold ids and a time only.
        let removed = files::unlink(&folder.join(record.to_string())).map_err(unavailable)?;
        if removed { files::sync(&folder).map_err(unavailable) } else { Ok(()) }
    }

    pub(super) fn hold(&self, hold: &Hold) -> Result<()> {
        self.ready()?;
        let bytes = serde_json::to_vec(&KeptHold::of(&hold.key)).map_err(Fault::internal)?;
        let folder = self.holds_of(&hold.tenant);
        files::make_folder(&folder).map_err(unavailable)?;
        files::replace(&folder, &hold.record.to_string(), &bytes).map_err(unavailable)
    }

    pub(super) fn held(&self, tenant: &TenantId, record: EvidenceId) -> Result<Option<Hold>> {
        let found = self.absent(files::read(&self.holds_of(tenant).join(record.to_string())))?;
        let Some(bytes) = found else { return Ok(None) };
        let kept: KeptHold = serde_json::from_slice(&bytes).map_err(damaged)?;
        let key = kept.key().ok_or_else(|| damaged("a kept hold has a field of another length"))?;
        Ok(Some(Hold { tenant: tenant.clone(), record, key }))
    }

    pub(super) fn holds(&self) -> Result<Vec<Hold>> {
        self.ready()?;
        let mut all = Vec::new();
        for tenant in files::names(&self.folder("holds")).map_err(unavailable)? {
            let Ok(tenant) = TenantId::parse(&tenant) else { continue };
            for name in files::names(&self.holds_of(&tenant)).map_err(unavailable)? {
                let Ok(record) = name.parse::<EvidenceId>() else { continue };
                all.extend(self.held(&tenant, record)?);
            }
        }
        Ok(all)
    }

    pub(super) fn release(&self, tenant: &TenantId, record: EvidenceId) -> Result<()> {
        self.ready()?;
        let folder = self.holds_of(tenant);
        if !folder.try_exists().map_err(unavailable)? {
            return Ok(());
        }
        files::destroy(&folder, &record.to_string()).map_err(unavailable)
    }
}

fn parse(batch: &[u8]) -> HashMap<(String, String), DateTime<Utc>> {
    let line = |line: &str| {
        let (tenant, rest) = line.split_once(' ')?;
        let (record, micros) = rest.split_once(' ')?;
        let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
        Some(((tenant.to_owned(), record.to_owned()), at))
    };
    String::from_utf8_lossy(batch).lines().filter_map(line).collect()
}
