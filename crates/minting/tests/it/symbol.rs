use mintmark_codes::{Code, Gtin, link};
use mintmark_minting::symbol::{Symbol, SymbolError, qr_svg};

/// Pixels of one module in the rasterised image.
const SCALE: usize = 4;

/// A drawing as a reader of the SVG sees it: the whole view box, dark where the path is filled.
struct Raster {
    side: usize,
    dark: Vec<bool>,
}

impl Raster {
    /// Reads the view box and the one path out of the text.
    fn of(svg: &str) -> Self {
        let view_box = attribute(svg, "viewBox");
        let side: usize = view_box.strip_prefix("0 0 ").unwrap().split(' ').next().unwrap().parse().unwrap();
        assert_eq!(view_box, format!("0 0 {side} {side}"));
        assert_eq!(svg.matches("<path ").count(), 1);
        let mut raster = Self { side, dark: vec![false; side * side] };
        for run in attribute(svg, " d").split_terminator('z') {
            let (x, rest) = run.strip_prefix('M').unwrap().split_once(' ').unwrap();
            let (y, rest) = rest.split_once('h').unwrap();
            let (width, back) = rest.split_once("v1h-").unwrap();
            assert_eq!(width, back, "a run is a closed rectangle");
            raster.fill(x.parse().unwrap(), y.parse().unwrap(), width.parse().unwrap());
        }
        raster
    }

    fn fill(&mut self, x: usize, y: usize, width: usize) {
        assert!(width > 0 && x + width <= self.side && y < self.side);
        for cell in &mut self.dark[y * self.side + x..][..width] {
            assert!(!*cell, "runs do not overlap");
            *cell = true;
        }
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        self.dark[y * self.side + x]
    }

    /// Finds the one symbol in the picture and reads it.
    fn decode(&self) -> (rqrr::MetaData, String) {
        let pixels = self.side * SCALE;
        let grey = |x: usize, y: usize| if self.is_dark(x / SCALE, y / SCALE) { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(pixels, pixels, grey);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap()
    }
}

/// The value of the first attribute of this name.
fn attribute<'a>(svg: &'a str, name: &str) -> &'a str {
    let start = svg.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
    svg[start..].split('"').next().unwrap()
}

/// Level M as the format information of a symbol spells it (ISO/IEC 18004, table 12).
const LEVEL_M: u16 = 0;

fn assert_reads_back(symbol: &Symbol, text: &str) {
    let (meta, content) = Raster::of(&symbol.svg).decode();
    assert_eq!(content, text);
    assert_eq!(meta.version.0, usize::from(symbol.version));
    assert_eq!(meta.ecc_level, LEVEL_M);
}

fn unit_uri(base: &str) -> String {
    let base = link::Base::parse(base).unwrap();
    let gtin = Gtin::parse("09506000134352").unwrap();
    link::unit_uri_qr(&base, &gtin, &Code::parse("3FZK9Q7M2XW4T8B6NRVA").unwrap())
}

#[test]
fn qr_svg_of_a_unit_uri_is_read_by_another_reader() {
    // 61 alphanumeric characters fit version 3 at level M, 90 fit version 4 (ISO/IEC 18004, table 7).
    for (base, length, version) in [
        ("https://id.example", 60, 3),
        ("https://id2.example", 61, 3),
        ("https://id23.example", 62, 4),
        ("https://id.brand.example", 66, 4),
        ("https://codes.a-rather-long-name.brand.example:8443", 93, 5),
    ] {
        let text = unit_uri(base);
        assert_eq!(text.len(), length, "{base}");
        let symbol = qr_svg(&text).unwrap();
        assert_eq!((symbol.version, symbol.modules), (version, 17 + 4 * u32::from(version)), "{base}");
        assert_reads_back(&symbol, &text);
    }
}

#[test]
fn qr_svg_of_other_texts_is_read_by_another_reader() {
    let long = "https://id.example/".repeat(60);
    for text in ["1", "0123456789", "https://id.example/3fzk", "Grüße, 世界", &long] {
        assert_reads_back(&qr_svg(text).unwrap(), text);
    }
}

#[test]
fn qr_svg_leaves_four_light_modules_around() {
    let symbol = qr_svg(&unit_uri("https://id.example")).unwrap();
    let raster = Raster::of(&symbol.svg);
    let (first, last) = (4, 4 + symbol.modules as usize - 1);
    assert_eq!(raster.side, last + 1 + 4);
    for y in 0..raster.side {
        for x in 0..raster.side {
            let inside = (first..=last).contains(&x) && (first..=last).contains(&y);
            assert!(inside || !raster.is_dark(x, y), "({x}, {y}) lies in the quiet zone");
        }
    }
    // Three corners hold finder patterns, the fourth does not.
    assert!(raster.is_dark(first, first) && raster.is_dark(last, first) && raster.is_dark(first, last));
}

#[test]
fn qr_svg_states_its_least_physical_size() {
    let symbol = qr_svg(&unit_uri("https://id.brand.example")).unwrap();
    assert_eq!(symbol.modules, 33);
    assert!((symbol.min_mm - 41.0 * 0.396).abs() < 0.000_5);
    assert!(
        symbol
            .svg
            .starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"16.236mm\" height=\"16.236mm\"")
    );
    assert_eq!(attribute(&symbol.svg, "shape-rendering"), "crispEdges");
}

#[test]
fn qr_svg_of_one_text_is_always_the_same_bytes() {
    let text = unit_uri("https://id.example");
    let symbol = qr_svg(&text).unwrap();
    assert_eq!(symbol, qr_svg(&text).unwrap());
    let digest = ring::digest::digest(&ring::digest::SHA256, symbol.svg.as_bytes());
    let digest: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    // A change means that exports are no longer byte-identical: raise the version of the pack's format with it.
    assert_eq!(digest, "afa19a4baff81aa28d337a2873cc18396f1b4f7cde8139a2adcf70ac4e515da5");
}

#[test]
fn qr_svg_refuses_what_no_symbol_holds() {
    assert_eq!(qr_svg(""), Err(SymbolError::Empty));
    // Version 40 at level M: 5,596 digits, 3,391 alphanumeric characters or 2,331 bytes.
    assert_eq!(qr_svg(&"1".repeat(5596)).unwrap().version, 40);
    assert_eq!(qr_svg(&"1".repeat(5597)), Err(SymbolError::TooLong));
    assert_eq!(qr_svg(&"A".repeat(3391)).unwrap().version, 40);
    assert_eq!(qr_svg(&"A".repeat(3392)), Err(SymbolError::TooLong));
    assert_eq!(qr_svg(&"a".repeat(2331)).unwrap().version, 40);
    assert_eq!(qr_svg(&"a".repeat(2332)), Err(SymbolError::TooLong));
    assert_eq!(qr_svg(&"1".repeat(1 << 20)), Err(SymbolError::TooLong));
}
