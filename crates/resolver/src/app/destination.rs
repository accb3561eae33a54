//! Where a brand sends the holder of a genuine product: its template with the unit filled in.

use std::fmt::Write;

use mintmark_ids::BatchId;
use url::Url;

/// A template that was read once, when its product changed, so that a scan only joins parts.
#[derive(Debug, PartialEq, Eq)]
pub struct Destination {
    parts: Vec<Part>,
    fragment: String,
    has_query: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Gtin,
    Serial,
    Batch,
}

impl Destination {
    /// Reads a template: an absolute `http` or `https` URL with `{gtin}`, `{serial}` and `{batch}`
    /// behind its host. There is no placeholder for the code: it is between its holder and us.
    /// `None` when it is not one; the product is then answered with the built-in page.
    pub fn parse(template: &str) -> Option<Self> {
        let url = Url::parse(template).ok()?;
        let plain = |byte: u8| byte.is_ascii_graphic();
        if !matches!(url.scheme(), "http" | "https")
            || url.host_str().is_none_or(|host| host.contains(['{', '}', '%']))
            || !template.bytes().all(plain)
        {
            return None;
        }
        let (before, fragment) = match template.find('#') {
            Some(at) => template.split_at(at),
            None => (template, ""),
        };
        Some(Destination {
            parts: parts_of(before)?,
            fragment: fragment.to_owned(),
            has_query: before.contains('?'),
        })
    }

    /// The URL for one unit. `query` is the query of the scanned link, byte for byte, or empty; it is passed on.
    ///
    /// The values are digits and a typed id, which need no percent-encoding; so none happens here.
    pub fn fill(&self, gtin: &str, serial: i64, batch: BatchId, query: &str) -> String {
        let mut url = String::with_capacity(160 + query.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => url.push_str(text),
                Part::Gtin => url.push_str(gtin),
                Part::Serial => push(&mut url, serial),
                Part::Batch => push(&mut url, batch),
            }
        }
        if !query.is_empty() {
            match url.as_bytes().last() {
                Some(b'?' | b'&') if self.has_query => {}
                _ => url.push(if self.has_query { '&' } else { '?' }),
            }
            url.push_str(query);
        }
        url.push_str(&self.fragment);
        url
    }
}

fn push(url: &mut String, value: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(url, "{value}");
}

fn parts_of(mut text: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    while let Some(open) = text.find('{') {
        let close = open + text[open..].find('}')?;
        if open > 0 {
            parts.push(Part::Text(text[..open].to_owned()));
        }
        parts.push(match &text[open + 1..close] {
            "gtin" => Part::Gtin,
            "serial" => Part::Serial,
            "batch" => Part::Batch,
            _ => return None,
        });
        text = &text[close + 1..];
    }
    if !text.is_empty() {
        parts.push(Part::Text(text.to_owned()));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str, query: &str) -> String {
        let batch = BatchId::from_uuid(uuid::Uuid::from_u128(7));
        Destination::parse(template).unwrap().fill("09506000134352", 42, batch, query)
    }

    #[test]
    fn fill_puts_in_all_values() {
        let batch = BatchId::from_uuid(uuid::Uuid::from_u128(7));
        assert_eq!(
            filled("https://brand.example/p/{gtin}?s={serial}&b={batch}", ""),
            format!("https://brand.example/p/09506000134352?s=42&b={batch}")
        );
    }

    #[test]
    fn fill_passes_the_query_on() {
        assert_eq!(filled("https://b.example/x", "a=1;b"), "https://b.example/x?a=1;b");
        assert_eq!(filled("https://b.example/x?y=2", "a=1"), "https://b.example/x?y=2&a=1");
        assert_eq!(filled("https://b.example/x?", "a=1"), "https://b.example/x?a=1");
        assert_eq!(filled("https://b.example/x#top", "a=1"), "https://b.example/x?a=1#top");
    }

    #[test]
    fn parse_refuses_what_could_lead_astray() {
        for bad in [
            "/relative",
            "javascript:alert(1)",
            "https://{gtin}.example/",
            "https://b.example/{code}",
            "https://b.example/{gtin",
            "https://b.example/a b",
            "https://b.example/\r\nX: y",
        ] {
            assert_eq!(Destination::parse(bad), None, "{bad}");
        }
    }
}
