//! Between messages and what the use cases speak.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use mintmark_codes::{CodeDigest, Gtin};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, ProductId};
use mintmark_look::{Colour, Image};
use mintmark_wire::directory::v1 as wire;
use mintmark_wire::directory::v1::{
    ActivationMode, GetPublicationResponse, OpenPublicationRequest, OpenPublicationResponse,
    PublicationState, PublishRequest, PutProductRequest, RevokeCodesRequest, RevokeCodesResponse,
};
use prost_types::Timestamp;

use crate::app::directory_state::Mode;
use crate::app::publication::{Publication, State, Terms};
use crate::app::publish::Chunk;
use crate::app::revoke::RecalledCodes;
use crate::store::product::NewProduct;

/// Most characters of a name.
const NAME_MAX: usize = 200;
/// Most characters of a destination template.
const TEMPLATE_MAX: usize = 2048;
/// Most codes that one call recalls.
const REVOKED_MAX: usize = 10_000;

/// A batch id.
pub fn batch(text: &str) -> Result<BatchId> {
    text.parse().map_err(|error| malformed("batchId", error))
}

/// A batch id and a fence.
pub fn batch_and_fence(text: &str, fence: i64) -> Result<(BatchId, i64)> {
    if fence < 1 {
        return Err(Fault::invalid("FENCE_OUT_OF_RANGE", "fence", "fence must be positive"));
    }
    Ok((batch(text)?, fence))
}

/// The product to put.
pub fn new_product(message: PutProductRequest) -> Result<NewProduct> {
    let product = message
        .product
        .ok_or_else(|| Fault::invalid("PRODUCT_MISSING", "product", "product must be there"))?;
    let presentation = product.presentation.unwrap_or_default();
    let colour = presentation.primary_colour.as_deref().map(str::parse::<Colour>).transpose();
    Ok(NewProduct {
        colour: colour.map_err(|error| {
            Fault::invalid("COLOUR_INVALID", "product.presentation.primaryColour", error.to_string())
        })?,
        logo: presentation.logo.map(|sent| image("product.presentation.logo", sent)).transpose()?,
        picture: presentation.picture.map(|sent| image("product.presentation.picture", sent)).transpose()?,
        id: product.product_id.parse::<ProductId>().map_err(|error| malformed("product.productId", error))?,
        gtin: Gtin::parse14(&product.gtin)
            .map_err(|error| Fault::invalid("GTIN_MALFORMED", "product.gtin", error.to_string()))?,
        brand_name: text("product.brandName", product.brand_name, NAME_MAX)?,
        product_name: text("product.productName", product.product_name, NAME_MAX)?,
        destination_template: product
            .destination_template
            .map(|template| text("product.destinationTemplate", template, TEMPLATE_MAX))
            .transpose()?,
        version: i64::try_from(product.version).ok().filter(|version| *version >= 1).ok_or_else(|| {
            Fault::invalid("VERSION_OUT_OF_RANGE", "product.version", "version must be from 1 to 2^63 - 1")
        })?,
    })
}

fn image(field: &'static str, sent: wire::Image) -> Result<Image> {
    Image::new(&sent.content_type, Bytes::from(sent.content))
        .map_err(|error| Fault::invalid("IMAGE_MALFORMED", field, error.to_string()))
}

/// The terms of a publication, and the fence.
pub fn terms(message: &OpenPublicationRequest) -> Result<(Terms, i64)> {
    let (batch, fence) = batch_and_fence(&message.batch_id, message.fence)?;
    let product = message.product_id.parse::<ProductId>().map_err(|error| malformed("productId", error))?;
    let mode = match message.mode() {
        ActivationMode::Static => Mode::Static,
        ActivationMode::FirstScan => Mode::FirstScan,
        ActivationMode::ConfirmedScan => Mode::ConfirmedScan,
        ActivationMode::Unspecified => {
            return Err(Fault::invalid(
                "MODE_UNKNOWN",
                "mode",
                "mode must be static, first scan or confirmed scan",
            ));
        }
    };
    let terms = Terms::new(batch, product, mode, message.first_serial, message.units, message.chunk_units)?;
    Ok((terms, fence))
}

/// A chunk.
pub fn chunk(message: PublishRequest) -> Result<Chunk> {
    let (batch, fence) = batch_and_fence(&message.batch_id, message.fence)?;
    Ok(Chunk { batch, fence, number: message.chunk, digests: message.digests })
}

/// The batch and the digests of the codes to recall, each once.
pub fn recalled_codes(message: &RevokeCodesRequest) -> Result<(BatchId, Vec<CodeDigest>)> {
    let (digests, rest) = message.digests.as_chunks::<{ CodeDigest::LEN }>();
    if !rest.is_empty() || digests.is_empty() || digests.len() > REVOKED_MAX {
        return Err(Fault::invalid(
            "DIGESTS_LENGTH",
            "digests",
            format!("digests must be 1 to {REVOKED_MAX} of 32 bytes, end to end"),
        ));
    }
    let mut digests = digests.to_vec();
    digests.sort_unstable();
    digests.dedup();
    Ok((batch(&message.batch_id)?, digests.into_iter().map(CodeDigest::from_bytes).collect()))
}

/// What became of the codes to recall.
pub fn recalled(recalled: &RecalledCodes) -> RevokeCodesResponse {
    RevokeCodesResponse {
        revoked: recalled.revoked,
        already_revoked: recalled.already_revoked,
        unmatched: recalled.unmatched,
    }
}

/// What opening answers.
pub fn opened(publication: &Publication) -> OpenPublicationResponse {
    OpenPublicationResponse {
        partition: u32::from(publication.partition),
        next_chunk: publication.next_chunk,
        state: state(publication).into(),
    }
}

/// Where a publication stands.
pub fn publication(publication: &Publication) -> GetPublicationResponse {
    GetPublicationResponse {
        state: state(publication).into(),
        units_published: publication.units_published.unsigned_abs(),
        units: publication.terms.units.unsigned_abs(),
        next_chunk: publication.next_chunk,
        sealed_at: match publication.state {
            State::Sealed(at) => Some(timestamp(at)),
            State::Open | State::Aborted => None,
        },
        partition: u32::from(publication.partition),
    }
}

/// A time.
pub fn timestamp(at: DateTime<Utc>) -> Timestamp {
    Timestamp { seconds: at.timestamp(), nanos: at.timestamp_subsec_nanos().cast_signed() }
}

fn state(publication: &Publication) -> PublicationState {
    match publication.state {
        _ if publication.revoked_at.is_some() => PublicationState::Revoked,
        State::Open => PublicationState::Open,
        State::Sealed(_) => PublicationState::Sealed,
        State::Aborted => PublicationState::Aborted,
    }
}

fn text(field: &'static str, value: String, max: usize) -> Result<String> {
    let characters = value.chars().count();
    if characters == 0 || characters > max || value.chars().any(char::is_control) {
        return Err(Fault::invalid(
            "TEXT_MALFORMED",
            field,
            format!("must have 1 to {max} characters, without control characters"),
        ));
    }
    Ok(value)
}

fn malformed(field: &'static str, error: mintmark_ids::IdError) -> Fault {
    Fault::invalid("ID_MALFORMED", field, error.to_string())
}
