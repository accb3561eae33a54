//! What changed in the directory, as the scan role follows it.

use std::collections::HashMap;

use futures::TryStreamExt;
use mintmark_db::{RawClient, raw_fault};
use mintmark_fault::{Fault, Result};
use mintmark_ids::{BatchId, ProductId};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Row, RowStream};
use uuid::Uuid;

use super::image::look;
use crate::app::destination::Destination;
use crate::app::directory_state::{Changes, Mode, Product, SealedPublication};
use crate::app::peppers::Peppers;
use crate::app::revoked_serials::RevokedSerials;

const COUNTER: &str = "SELECT value FROM change_counter";
const PUBLICATIONS: &str = "SELECT id, batch_id, product_id, mode, revoked_at
    FROM publication WHERE revision > $1 AND state = 'sealed'";
const PRODUCTS: &str = "SELECT product_id, gtin, brand_name, product_name, destination_template,
        primary_colour, l.sha256, l.content_type, l.width, l.height, p.sha256, p.content_type, p.width, p.height
    FROM product LEFT JOIN image l ON l.sha256 = logo LEFT JOIN image p ON p.sha256 = picture
    WHERE revision > $1";
// In the order in which they are cheapest to take in.
const REVOKED: &str = "SELECT r.publication_id, p.first_serial, p.units, r.serial
    FROM revoked_code r JOIN publication p ON p.id = r.publication_id
    WHERE r.revision > $1 ORDER BY r.publication_id, r.serial";
const PARTITIONS: &str = "SELECT id, pepper_id FROM partition";

/// What changed behind `counter`; `None` when nothing did.
///
/// The counter is read first, so that what is read after it is at least as new. Products are read after publications,
/// so that a publication's product is always there.
pub async fn changes_since(client: &RawClient, counter: i64, peppers: &Peppers) -> Result<Option<Changes>> {
    let statement = client.prepared(COUNTER).await?;
    let now: i64 =
        client.query_one(&statement, &[]).await.and_then(|row| row.try_get(0)).map_err(raw_fault)?;
    if now == counter {
        return Ok(None);
    }
    let (publications, revoked, products, partitions) = (
        client.prepared(PUBLICATIONS).await?,
        client.prepared(REVOKED).await?,
        client.prepared(PRODUCTS).await?,
        client.prepared(PARTITIONS).await?,
    );
    let behind: [&(dyn ToSql + Sync); 1] = [&counter];
    // Pipelined: the server runs them in this order.
    let (publications, revoked, products, partitions) = futures::try_join!(
        client.query(&publications, &behind),
        // There may be millions at the first reading, so they are taken in as they come.
        async { collect_revoked(client.query_raw(&revoked, [counter]).await?).await },
        client.query(&products, &behind),
        client.query(&partitions, &[]),
    )
    .map_err(raw_fault)?;
    Ok(Some(Changes {
        counter: now,
        publications: publications.iter().map(publication).collect::<Result<_>>()?,
        revoked,
        products: products.iter().map(product).collect::<Result<_>>()?,
        partitions: partitions
            .iter()
            .map(|row| {
                let id: i16 = row.try_get(0).map_err(raw_fault)?;
                let pepper = peppers.get(row.try_get(1).map_err(raw_fault)?).cloned();
                if pepper.is_none() {
                    tracing::error!(
                        partition = id,
                        "CODE_PEPPERS lacks the pepper of a partition: its codes cannot be confirmed"
                    );
                }
                Ok((u16::try_from(id).map_err(Fault::internal)?, pepper))
            })
            .collect::<Result<_>>()?,
    }))
}

async fn collect_revoked(
    rows: RowStream,
) -> std::result::Result<HashMap<i32, RevokedSerials>, tokio_postgres::Error> {
    let mut rows = std::pin::pin!(rows);
    let mut revoked: HashMap<i32, RevokedSerials> = HashMap::new();
    while let Some(row) = rows.try_next().await? {
        let (first_serial, units): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
        let serials = revoked.entry(row.try_get(0)?).or_insert_with(|| {
            // The table allows 16 million units.
            RevokedSerials::new(first_serial, u32::try_from(units).unwrap_or(u32::MAX))
        });
        serials.insert(row.try_get(3)?);
    }
    Ok(revoked)
}

fn publication(row: &Row) -> Result<(i32, SealedPublication)> {
    let mode: &str = row.try_get(3).map_err(raw_fault)?;
    let publication = SealedPublication {
        batch: BatchId::from_uuid(row.try_get(1).map_err(raw_fault)?),
        product: row.try_get(2).map_err(raw_fault)?,
        mode: Mode::from_word(mode)
            .ok_or_else(|| Fault::internal(format!("a publication is of mode {mode:?}")))?,
        revoked_at: row.try_get(4).map_err(raw_fault)?,
    };
    Ok((row.try_get(0).map_err(raw_fault)?, publication))
}

fn product(row: &Row) -> Result<(Uuid, Product)> {
    let id: Uuid = row.try_get(0).map_err(raw_fault)?;
    let template: Option<&str> = row.try_get(4).map_err(raw_fault)?;
    let destination = template.and_then(Destination::parse);
    if template.is_some() && destination.is_none() {
        let product = ProductId::from_uuid(id);
        tracing::warn!(product.id = %product, "a destination template cannot be used: the built-in page answers");
    }
    let product = Product {
        gtin: row.try_get(1).map_err(raw_fault)?,
        brand: row.try_get(2).map_err(raw_fault)?,
        name: row.try_get(3).map_err(raw_fault)?,
        destination,
        look: look(row, 5)?,
    };
    Ok((id, product))
}
