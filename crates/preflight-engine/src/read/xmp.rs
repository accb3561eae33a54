//! The document's XMP packet: whether it is well-formed XML with namespaces, and the simple properties that say how the
//! file was made and what it claims. Nothing about people, and no entity is expanded but XML's own five.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use super::access;
use crate::facts::Xmp;

/// Nested elements.
const DEPTH: usize = 200;
/// Properties kept.
const PROPERTIES: usize = 200;

/// The namespaces that are read, by their usual prefixes.
const NAMESPACES: [(&str, &str); 9] = [
    ("http://www.w3.org/1999/02/22-rdf-syntax-ns#", "rdf"),
    ("http://ns.adobe.com/xap/1.0/", "xmp"),
    ("http://ns.adobe.com/xap/1.0/mm/", "xmpMM"),
    ("http://ns.adobe.com/pdf/1.3/", "pdf"),
    ("http://ns.adobe.com/pdfx/1.3/", "pdfx"),
    ("http://www.npes.org/pdfx/ns/id/", "pdfxid"),
    ("http://purl.org/dc/elements/1.1/", "dc"),
    ("http://www.aiim.org/pdfa/ns/id/", "pdfaid"),
    ("http://www.npes.org/pdfvt/ns/id/", "pdfvtid"),
];

/// What is about people or content stays unread.
const PERSONAL: [&str; 5] = ["dc:creator", "dc:contributor", "dc:description", "dc:subject", "pdf:Keywords"];

/// Reads a packet.
pub(super) fn read(packet: &[u8]) -> Xmp {
    let mut reading = Reading::default();
    let well_formed = text_of(packet).is_some_and(|text| reading.run(&text).is_some());
    Xmp { well_formed, properties: reading.properties }
}

/// The packet as text: UTF-8, or UTF-16 with a mark.
fn text_of(packet: &[u8]) -> Option<Cow<'_, str>> {
    let units = |unit: fn([u8; 2]) -> u16| -> Vec<u16> {
        packet[2..].as_chunks::<2>().0.iter().map(|pair| unit(*pair)).collect()
    };
    match packet {
        [0xfe, 0xff, ..] => String::from_utf16(&units(u16::from_be_bytes)).ok().map(Cow::Owned),
        [0xff, 0xfe, ..] => String::from_utf16(&units(u16::from_le_bytes)).ok().map(Cow::Owned),
        _ => std::str::from_utf8(packet.strip_prefix(b"\xef\xbb\xbf").unwrap_or(packet))
            .ok()
            .map(Cow::Borrowed),
    }
}

/// What has been read of a packet.
#[derive(Default)]
struct Reading {
    /// Names of the open elements; empty for those of other namespaces.
    open: Vec<String>,
    /// Text of the innermost element.
    text: String,
    properties: BTreeMap<String, String>,
}

impl Reading {
    /// Reads to the end; `None` where the packet is not well-formed.
    fn run(&mut self, text: &str) -> Option<()> {
        // Some writers pad the packet with zeros.
        let mut reader = NsReader::from_str(text.trim_end_matches('\0'));
        reader.config_mut().check_comments = true;
        let mut roots = 0;
        loop {
            let event = reader.read_event().ok()?;
            match &event {
                Event::Start(tag) | Event::Empty(tag) => {
                    roots += usize::from(self.open.is_empty());
                    if roots > 1 || self.open.len() >= DEPTH {
                        return None;
                    }
                    let name =
                        name(&reader.resolver().resolve_element(tag.name()).0, tag.local_name().as_ref())?;
                    self.start(&reader, tag, name)?;
                    if matches!(event, Event::Empty(_)) {
                        self.end();
                    }
                }
                Event::End(_) => self.end(),
                Event::Text(part) => self.characters(&part.decode().ok()?)?,
                Event::CData(part) => self.characters(&part.decode().ok()?)?,
                Event::GeneralRef(reference) => {
                    let character = match reference.resolve_char_ref().ok()? {
                        Some(character) => character.to_string(),
                        None => quick_xml::escape::resolve_xml_entity(&reference.decode().ok()?)?.to_owned(),
                    };
                    self.characters(&character)?;
                }
                Event::Eof => return (self.open.is_empty() && roots == 1).then_some(()),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
    }

    fn start(&mut self, reader: &NsReader<&[u8]>, tag: &BytesStart<'_>, element: String) -> Option<()> {
        let described =
            element == "rdf:Description" && self.open.last().is_some_and(|above| above == "rdf:RDF");
        for attribute in tag.attributes() {
            let attribute = attribute.ok()?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
            // A default namespace is not an attribute's; `xml` and `xmlns` need no declaration.
            if attribute.key.prefix().is_some_and(|prefix| !matches!(prefix.as_ref(), b"xml" | b"xmlns")) {
                let (namespace, local) = reader.resolver().resolve_attribute(attribute.key);
                let property = name(&namespace, local.as_ref())?;
                if described {
                    self.keep(&property, &value);
                }
            }
        }
        self.open.push(element);
        self.text.clear();
        Some(())
    }

    fn characters(&mut self, text: &str) -> Option<()> {
        if self.open.is_empty() {
            // Outside the root there is only white space.
            return text.trim().is_empty().then_some(());
        }
        if text.chars().any(|c| c < ' ' && !matches!(c, '\t' | '\n' | '\r')) {
            return None;
        }
        if self.text.len() < 4_096 {
            self.text.push_str(text);
        }
        Some(())
    }

    /// An element ends: the value of a property, or the first item of its list.
    fn end(&mut self) {
        let text = std::mem::take(&mut self.text);
        let open: Vec<&str> = self.open.iter().map(String::as_str).collect();
        let property = match open.as_slice() {
            [.., "rdf:RDF", "rdf:Description", property] => Some((*property).to_owned()),
            [.., "rdf:RDF", "rdf:Description", property, "rdf:Alt" | "rdf:Seq" | "rdf:Bag", "rdf:li"] => {
                Some((*property).to_owned())
            }
            _ => None,
        };
        if let Some(property) = property {
            self.keep(&property, &text);
        }
        self.open.pop();
    }

    fn keep(&mut self, property: &str, value: &str) {
        let value = value.trim();
        let wanted = !property.is_empty() && !property.starts_with("rdf:") && !PERSONAL.contains(&property);
        if wanted && !value.is_empty() && self.properties.len() < PROPERTIES {
            self.properties.entry(access::cut(property)).or_insert_with(|| access::cut(value));
        }
    }
}

/// The name with its usual prefix; empty for other namespaces, `None` for a prefix that is not declared.
fn name(namespace: &ResolveResult<'_>, local: &[u8]) -> Option<String> {
    match namespace {
        ResolveResult::Unknown(_) => None,
        ResolveResult::Unbound => Some(String::new()),
        ResolveResult::Bound(uri) => Some(
            NAMESPACES
                .iter()
                .find(|(known, _)| known.as_bytes() == uri.as_ref())
                .map(|(_, prefix)| format!("{prefix}:{}", String::from_utf8_lossy(local)))
                .unwrap_or_default(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = concat!(
        "<?xpacket begin='\u{feff}' id='W5M0MpCehiHzreSzNTczkc9d'?>",
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
    );
    const TAIL: &str = "</rdf:RDF></x:xmpmeta><?xpacket end='w'?>\n\0\0";

    fn packet(body: &str) -> Xmp {
        read(format!("{HEAD}{body}{TAIL}").as_bytes())
    }

    #[test]
    fn read_finds_elements_attributes_and_lists() {
        let xmp = packet(
            "<rdf:Description rdf:about='' xmlns:xap='http://ns.adobe.com/xap/1.0/' xap:CreateDate='2026-01-01'
               xmlns:dc='http://purl.org/dc/elements/1.1/' xmlns:id='http://www.npes.org/pdfx/ns/id/'>
               <id:GTS_PDFXVersion> PDF/X-4 </id:GTS_PDFXVersion>
               <dc:title><rdf:Alt><rdf:li xml:lang='x-default'>A &amp; B&#33;</rdf:li><rdf:li>C</rdf:li></rdf:Alt></dc:title>
               <dc:creator><rdf:Seq><rdf:li>Somebody</rdf:li></rdf:Seq></dc:creator>
               <o:x xmlns:o='urn:other'>y</o:x>
             </rdf:Description>",
        );
        assert!(xmp.well_formed);
        let found: Vec<_> =
            xmp.properties.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(
            found,
            [("dc:title", "A & B!"), ("pdfxid:GTS_PDFXVersion", "PDF/X-4"), ("xmp:CreateDate", "2026-01-01")]
        );
    }

    #[test]
    fn read_says_what_is_not_well_formed() {
        let description =
            |body: &str| packet(&format!("<rdf:Description>{body}</rdf:Description>")).well_formed;
        assert!(description("<!-- fine --> <![CDATA[ <& ]]> &lt;"));
        for bad in [
            "<a>",
            "</a>",
            "&nbsp;",
            "a & b",
            "<p:a/>",
            "<a b='1' b='2'/>",
            "<a b=1/>",
            "<!-- -- -->",
            "&#1;",
            "<a b='&x;'/>",
            "<a p:b=''/>",
        ] {
            assert!(!description(bad), "{bad}");
        }
        assert!(!read(b"").well_formed);
        assert!(!read(b"<a/><b/>").well_formed);
        assert!(!read(b"<a/>text").well_formed);
        assert!(!read(b"<a>\xff</a>").well_formed);
        assert!(!read("<a>".repeat(100_000).as_bytes()).well_formed);
    }

    #[test]
    fn read_expands_no_entity() {
        let bomb = format!(
            "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]>{}",
            "<x xmlns:p='http://ns.adobe.com/pdf/1.3/'>&b;</x>"
        );
        assert!(!read(bomb.as_bytes()).well_formed);
    }

    #[test]
    fn read_takes_utf16() {
        let text = "<a/>";
        let bytes: Vec<u8> =
            [0xfe, 0xff].into_iter().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        assert!(read(&bytes).well_formed);
    }
}
