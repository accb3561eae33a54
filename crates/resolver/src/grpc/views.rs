//! Between messages and what the use cases speak.

use chrono::{DateTime, Utc};
use mintmark_codes::Gtin;
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, ProductId};
use mintmark_wire::directory::v1::{
    ActivationMode, GetPublicationResponse, OpenPublicationRequest, OpenPublicationResponse,
    PublicationState, PublishRequest, PutProductRequest,
};
use prost_types::Timestamp;

use crate::app::directory_state::Mode;
use crate::app::publication::{Publication, State, Terms};
use crate::app::publish::Chunk;
use crate::store::product::NewProduct;

/// Most characters of a name.
const NAME_MAX: usize = 200;
/// Most characters of a destination template.
const TEMPLATE_MAX: usize = 2048;

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
    Ok(NewProduct {
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

/// The terms of a publication, and the fence.
pub fn terms(message: &OpenPublicationRequest) -> Result<(Terms, i64)> {
    let (batch, fence) = batch_and_fence(&message.batch_id, message.fence)?;
    let product = message.product_id.parse::<ProductId>().map_err(|error| malformed("productId", error))?;
    let mode = match message.mode() {
        ActivationMode::Static => Mode::Static,
        ActivationMode::FirstScan => Mode::FirstScan,
        ActivationMode::Unspecified => {
            return Err(Fault::invalid("MODE_UNKNOWN", "mode", "mode must be static or first scan"));
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
