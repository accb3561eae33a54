//! Images of the built-in page.

use bytes::Bytes;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use mintmark_db::{Meaning, raw_fault};
use mintmark_fault::{Fault, Result};
use mintmark_look::{Format, Image, ImageHash};
use tokio_postgres::Row;

use super::scan::ScanStore;
use super::schema::{image, product};
use crate::app::look::{ImageRef, Look};

impl ScanStore {
    /// The bytes of an image.
    pub async fn image(&self, hash: ImageHash) -> Result<Option<Bytes>> {
        self.ask(|session| async move {
            let statement = session.client.prepared("SELECT content FROM image WHERE sha256 = $1").await?;
            let row = session.client.query_opt(&statement, &[&hash.as_bytes()]).await.map_err(raw_fault)?;
            row.map(|row| row.try_get::<_, &[u8]>(0).map(Bytes::copy_from_slice).map_err(raw_fault))
                .transpose()
        })
        .await
    }
}

/// Reads a look out of a row: the colour at `at`, then hash, type, width and height of logo and picture.
pub(super) fn look(row: &Row, at: usize) -> Result<Look> {
    let colour: Option<&str> = row.try_get(at).map_err(raw_fault)?;
    Ok(Look {
        // The table holds nothing else; a colour that could not be read would be none.
        colour: colour.and_then(|colour| colour.parse().ok()),
        logo: image_ref(row, at + 1)?,
        picture: image_ref(row, at + 5)?,
    })
}

fn image_ref(row: &Row, at: usize) -> Result<Option<ImageRef>> {
    let hash: Option<&[u8]> = row.try_get(at).map_err(raw_fault)?;
    let Some(hash) = hash else {
        return Ok(None);
    };
    let content_type: &str = row.try_get(at + 1).map_err(raw_fault)?;
    let (width, height): (i16, i16) =
        (row.try_get(at + 2).map_err(raw_fault)?, row.try_get(at + 3).map_err(raw_fault)?);
    let odd = || Fault::internal("an image is stored under what cannot be its hash or type");
    Ok(Some(ImageRef {
        hash: ImageHash::from_slice(hash).ok_or_else(odd)?,
        format: Format::of_content_type(content_type).ok_or_else(odd)?,
        width: width.unsigned_abs(),
        height: height.unsigned_abs(),
    }))
}

/// Stores images that are not there yet.
pub(super) async fn put<'a>(
    conn: &mut AsyncPgConnection,
    images: impl Iterator<Item = &'a Image>,
) -> Result<()> {
    for new in images {
        let side = |pixels: u32| i16::try_from(pixels).map_err(Fault::internal);
        diesel::insert_into(image::table)
            .values((
                image::sha256.eq(new.hash().as_bytes()),
                image::content_type.eq(new.format().content_type()),
                image::content.eq(new.bytes().as_ref()),
                image::width.eq(side(new.width())?),
                image::height.eq(side(new.height())?),
            ))
            .on_conflict_do_nothing()
            .execute(conn)
            .await
            .or_fault()?;
    }
    Ok(())
}

/// Removes those of the images that no product shows any more. A product that takes one up at this very moment makes the
/// foreign key refuse one of the two, and the control plane tries again.
pub(super) async fn forget(conn: &mut AsyncPgConnection, hashes: &[Vec<u8>]) -> Result<()> {
    let shown = |hash: &Vec<u8>| {
        product::table
            .filter(product::logo.eq(hash.clone()).or(product::picture.eq(hash.clone())))
            .select(product::product_id)
    };
    for hash in hashes {
        let still: Option<uuid::Uuid> = shown(hash).first(conn).await.optional().or_fault()?;
        if still.is_none() {
            diesel::delete(image::table.find(hash)).execute(conn).await.or_fault()?;
        }
    }
    Ok(())
}
