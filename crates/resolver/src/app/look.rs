//! What a product brings to the built-in page, as the scan role knows it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mintmark_fault::Result;
use mintmark_look::{Colour, Format, ImageHash};
use moka::sync::Cache;

use super::directory_state::{DirectoryState, Product};
use crate::store::scan::ScanStore;

/// Most bytes of images in memory: a hundred of the largest.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// How long an image is kept that nobody asks for.
const CACHE_IDLE: Duration = Duration::from_secs(3600);

/// How the page looks for a product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The brand's colour.
    pub colour: Option<Colour>,
    /// The brand's logo.
    pub logo: Option<ImageRef>,
    /// The product's picture.
    pub picture: Option<ImageRef>,
}

/// An image that is shown, without its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageRef {
    /// Its name.
    pub hash: ImageHash,
    /// Its kind.
    pub format: Format,
    /// Pixels from left to right.
    pub width: u16,
    /// Pixels from top to bottom.
    pub height: u16,
}

impl ImageRef {
    /// The name of its file below `/-/images/`.
    pub fn file_name(&self) -> String {
        format!("{}.{}", self.hash, self.format.extension())
    }
}

/// The images that these products show.
pub fn shown<'a>(products: impl Iterator<Item = &'a Arc<Product>>) -> HashMap<ImageHash, Format> {
    products
        .flat_map(|product| [product.look.logo, product.look.picture])
        .flatten()
        .map(|image| (image.hash, image.format))
        .collect()
}

/// Images as they are served: only those that a current product shows are looked up at all.
pub struct Images {
    state: Arc<DirectoryState>,
    store: ScanStore,
    cache: Cache<ImageHash, Bytes>,
}

impl Images {
    /// With an empty cache.
    pub fn new(state: Arc<DirectoryState>, store: ScanStore) -> Self {
        let cache = Cache::builder()
            .max_capacity(CACHE_BYTES)
            .weigher(|_, content: &Bytes| u32::try_from(content.len()).unwrap_or(u32::MAX))
            .time_to_idle(CACHE_IDLE)
            .build();
        Images { state, store, cache }
    }

    /// The image of this file name, with its kind. An old state will do: it decides about looks alone.
    pub async fn find(&self, file_name: &str) -> Result<Option<(Format, Bytes)>> {
        let Some((hash, format)) = self.named(file_name) else {
            return Ok(None);
        };
        if let Some(content) = self.cache.get(&hash) {
            return Ok(Some((format, content)));
        }
        let Some(content) = self.store.image(hash).await? else {
            return Ok(None);
        };
        self.cache.insert(hash, content.clone());
        Ok(Some((format, content)))
    }

    fn named(&self, file_name: &str) -> Option<(ImageHash, Format)> {
        let (hash, extension) = file_name.split_once('.')?;
        let hash: ImageHash = hash.parse().ok()?;
        let format = self.state.shown(&hash)?;
        (extension == format.extension()).then_some((hash, format))
    }
}
