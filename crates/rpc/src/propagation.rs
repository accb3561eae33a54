//! W3C trace context in headers and metadata.

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, Injector};
use tonic::metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue};

/// Reads the caller's trace context.
pub(crate) struct Incoming<'a>(pub &'a HeaderMap);

impl Extractor for Incoming<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

/// Writes our trace context into a request that goes out.
pub(crate) struct Outgoing<'a>(pub &'a mut MetadataMap);

impl Injector for Outgoing<'_> {
    fn set(&mut self, key: &str, value: String) {
        // What is not ASCII cannot travel as metadata, and trace context always is.
        if let (Ok(key), Ok(value)) =
            (key.parse::<MetadataKey<Ascii>>(), value.parse::<MetadataValue<Ascii>>())
        {
            self.0.insert(key, value);
        }
    }
}
