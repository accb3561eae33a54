//! A published batch whose codes the benchmark knows: what scans ask for.

use std::time::Instant;

use mintmark_auth::{DEFAULT_ISSUER, SigningKey, TokenSource};
use mintmark_codes::{Code, CodeDigest, Partition};
use mintmark_ids::{BatchId, ProductId, ServiceName, TenantId};
use mintmark_rpc::client::Directory;
use mintmark_wire::directory::v1::{
    ActivationMode, OpenPublicationRequest, Product, PublishRequest, SealPublicationRequest,
};

use crate::Result;
use crate::load::{CODE_BYTES, Dice, Requests};
use crate::report::Report;
use crate::stage::{Role, Stage};

/// Of GS1's range for examples, with a correct check digit.
pub const GTIN: &str = "09506000134369";
/// Units of a chunk, as the control plane sends them.
const CHUNK: u32 = 50_000;

/// The codes of one sealed batch of mode `static`.
pub struct Catalogue {
    /// One request a code.
    pub requests: Requests,
    /// The table that they are in.
    pub table: String,
}

impl Catalogue {
    /// Publishes so many codes through the directory's own gRPC and seals them. The codes are random, and not the control
    /// plane's: the directory sees no difference, and the benchmark must know them.
    ///
    /// # Errors
    /// The directory refuses something.
    pub async fn publish(stage: &Stage, units: u32, seed: u64, report: &Report) -> Result<Self> {
        let key = SigningKey::from_pem(&std::fs::read_to_string(stage.folder().join("control-plane.pem"))?)?;
        let tokens = TokenSource::new(ServiceName::ControlPlane, key, DEFAULT_ISSUER);
        let directory = Directory::new(&stage.service(Role::Directory).url(), tokens)?;
        let tenant = TenantId::parse("bench")?;
        let product = ProductId::new();
        directory.put_product(&tenant, described(product)).await?;
        let terms = OpenPublicationRequest {
            batch_id: BatchId::new().to_string(),
            product_id: product.to_string(),
            mode: ActivationMode::Static.into(),
            first_serial: 1,
            units: u64::from(units),
            chunk_units: CHUNK,
            fence: 1,
        };
        let partition = directory.open_publication(&tenant, terms.clone()).await?.partition;
        let partition = u16::try_from(partition)?;
        let started = Instant::now();
        let codes = codes(partition, units, seed)?;
        let (batch, fence) = (terms.batch_id.clone(), terms.fence);
        let chunks: Vec<Vec<Code>> = codes.chunks(CHUNK as usize).map(<[Code]>::to_vec).collect();
        let chunks = chunks.into_iter().zip(0..).map(move |(codes, chunk)| PublishRequest {
            batch_id: batch.clone(),
            fence,
            chunk,
            digests: codes
                .iter()
                .flat_map(|code| *CodeDigest::of(code).as_bytes())
                .collect::<Vec<u8>>()
                .into(),
        });
        let mut answers = directory.publish(&tenant, futures::stream::iter(chunks)).await?;
        let mut published = 0;
        while let Some(answer) = answers.message().await? {
            published += answer.units;
        }
        if published != units {
            return Err(format!("{published} of {units} codes were published").into());
        }
        let seal = SealPublicationRequest { batch_id: terms.batch_id, fence };
        directory.seal_publication(&tenant, seal).await?;
        report.note(&format!(
            "{units} codes published over gRPC and sealed in {:.1} s; seed {seed}",
            started.elapsed().as_secs_f64()
        ));
        let bytes = |code: &Code| -> Result<[u8; CODE_BYTES]> { Ok(code.as_str().as_bytes().try_into()?) };
        let codes = codes.iter().map(bytes).collect::<Result<_>>()?;
        Ok(Self { requests: Requests::new(GTIN, codes), table: format!("code_{partition:04}") })
    }
}

fn codes(partition: u16, units: u32, seed: u64) -> Result<Vec<Code>> {
    let partition = Partition::new(partition).ok_or("the directory named a partition that cannot be")?;
    let mut dice = Dice(seed);
    Ok((0..units)
        .map(|_| Code::from_parts(partition, u128::from(dice.next()) << 64 | u128::from(dice.next())))
        .collect())
}

fn described(product: ProductId) -> Product {
    Product {
        product_id: product.to_string(),
        gtin: GTIN.to_owned(),
        brand_name: "A brand".to_owned(),
        product_name: "A product".to_owned(),
        destination_template: Some("https://brand.example/verify/{gtin}?serial={serial}".to_owned()),
        version: 1,
        presentation: None,
    }
}
