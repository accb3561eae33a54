//! What the fake directory does to its ledger, and where it fails as it was told to.

use mintmark_fault::Fault;
use mintmark_wire::directory::v1::*;
use tonic::Status;

use super::{Ledger, PARTITION, Publication, Trouble};

impl Ledger {
    pub fn pull(&mut self, tenant: &str, asked: &PullScansRequest) -> PullScansResponse {
        self.pulls.push((tenant.to_owned(), asked.cursor));
        let mut rows: Vec<ScanSummary> = self
            .scans
            .iter()
            .filter(|(of, row)| of == tenant && row.revision > asked.cursor)
            .map(|(_, row)| row.clone())
            .collect();
        rows.sort_by_key(|row| row.revision);
        let more = rows.len() > asked.limit as usize;
        rows.truncate(asked.limit as usize);
        let next_cursor = rows.last().map_or(asked.cursor, |row| row.revision);
        PullScansResponse { summaries: rows, next_cursor, more, mark: String::new() }
    }

    /// Whether this trouble is to be had now; a `once` trouble is used up.
    fn strikes(&mut self, matching: impl Fn(&Trouble) -> Option<&'static str>) -> Option<&'static str> {
        let place = self.trouble.iter().position(|trouble| matching(trouble).is_some())?;
        let code = matching(&self.trouble[place]);
        if matches!(self.trouble[place], Trouble::RefuseChunkOnce(..)) {
            self.trouble.remove(place);
        }
        code
    }

    pub fn open(
        &mut self,
        tenant: &str,
        asked: OpenPublicationRequest,
    ) -> Result<OpenPublicationResponse, Status> {
        if let Some(code) = self.strikes(|trouble| match trouble {
            Trouble::RefuseOpen(code) => Some(code),
            _ => None,
        }) {
            return Err(refusal(code));
        }
        if !self.products.contains_key(&(tenant.to_owned(), asked.product_id.clone())) {
            return Err(mintmark_rpc::status(Fault::not_found("product")));
        }
        let key = (tenant.to_owned(), asked.batch_id.clone());
        let publication = self.publications.entry(key).or_insert_with(|| Publication {
            product_id: asked.product_id.clone(),
            mode: asked.mode,
            first_serial: asked.first_serial,
            units: asked.units,
            chunk_units: asked.chunk_units,
            state: PublicationState::Open.into(),
            ..Publication::default()
        });
        if asked.fence < publication.fence {
            return Err(refusal("STALE_FENCE"));
        }
        publication.fence = asked.fence;
        publication.openings.push(asked.fence);
        Ok(OpenPublicationResponse {
            partition: PARTITION,
            next_chunk: publication.chunks.len() as u32,
            state: publication.state,
        })
    }

    pub fn chunk(&mut self, tenant: &str, sent: PublishRequest) -> Result<PublishResponse, Status> {
        let refused = self.strikes(|trouble| match trouble {
            Trouble::RefuseChunkOnce(chunk, code) | Trouble::RefuseChunk(chunk, code)
                if *chunk == sent.chunk =>
            {
                Some(code)
            }
            _ => None,
        });
        let place = self.trouble.iter().position(|trouble| *trouble == Trouble::TakeOverAt(sent.chunk));
        let key = (tenant.to_owned(), sent.batch_id.clone());
        let publication = self.publications.get_mut(&key).ok_or_else(|| refusal("NOT_FOUND"))?;
        publication.arrived.push(sent.chunk);
        if let Some(code) = refused {
            return Err(refusal(code));
        }
        if let Some(place) = place {
            self.trouble.remove(place);
            publication.fence += 1;
        }
        if sent.fence < publication.fence {
            return Err(refusal("STALE_FENCE"));
        }
        if sent.chunk as usize != publication.chunks.len() {
            return Err(refusal("CHUNK_OUT_OF_ORDER"));
        }
        let units = sent.digests.len() as u32 / 32;
        publication.chunks.insert(sent.chunk, sent.digests);
        Ok(PublishResponse { chunk: sent.chunk, units })
    }

    pub fn seal(
        &mut self,
        tenant: &str,
        asked: &SealPublicationRequest,
    ) -> Result<SealPublicationResponse, Status> {
        let key = (tenant.to_owned(), asked.batch_id.clone());
        let publication = self.publications.get_mut(&key).ok_or_else(|| refusal("NOT_FOUND"))?;
        if publication.digests().len() as u64 != publication.units {
            return Err(refusal("PUBLICATION_INCOMPLETE"));
        }
        publication.state = PublicationState::Sealed.into();
        for trouble in &mut self.trouble {
            if let Trouble::LoseSealAnswers(left) = trouble
                && *left > 0
            {
                *left -= 1;
                return Err(Status::unavailable("the answer was lost"));
            }
        }
        Ok(SealPublicationResponse { sealed_at: None })
    }
}

impl Ledger {
    /// The publication of this batch that may be recalled.
    pub fn recallable(&mut self, tenant: String, batch: String) -> Result<&mut Publication, Status> {
        let publication = self
            .publications
            .get_mut(&(tenant, batch))
            .ok_or_else(|| mintmark_rpc::status(Fault::not_found("publication")))?;
        let aborted = publication.state == i32::from(PublicationState::Aborted);
        if aborted { Err(refusal("PUBLICATION_CLOSED")) } else { Ok(publication) }
    }
}

pub fn refusal(code: &'static str) -> Status {
    match code {
        "DIRECTORY_AWAY" => Status::unavailable("away"),
        _ => mintmark_rpc::status(Fault::conflict(code, "refused by the fake directory")),
    }
}
