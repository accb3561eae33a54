use mintmark_codes::{Code, Gtin, link};
use mintmark_minting::symbol::{PIXELS_PER_METRE, PIXELS_PER_MODULE, Symbol, SymbolError};

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
    let (meta, content) = Raster::of(&symbol.svg()).decode();
    assert_eq!(content, text);
    assert_eq!(meta.version.0, usize::from(symbol.version()));
    assert_eq!(meta.ecc_level, LEVEL_M);
}

fn unit_uri(base: &str) -> String {
    let base = link::Base::parse(base).unwrap();
    let gtin = Gtin::parse("09506000134352").unwrap();
    link::unit_uri_qr(&base, &gtin, &Code::parse("3FZK9Q7M2XW4T8B6NRVA").unwrap())
}

fn sha256(content: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, content);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn symbol_of_a_unit_uri_is_read_by_another_reader() {
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
        let symbol = Symbol::of(&text).unwrap();
        assert_eq!((symbol.version(), symbol.modules()), (version, 17 + 4 * u32::from(version)), "{base}");
        assert_reads_back(&symbol, &text);
    }
}

#[test]
fn symbol_of_other_texts_is_read_by_another_reader() {
    let long = "https://id.example/".repeat(60);
    for text in ["1", "0123456789", "https://id.example/3fzk", "Grüße, 世界", &long] {
        assert_reads_back(&Symbol::of(text).unwrap(), text);
    }
}

#[test]
fn symbol_leaves_four_light_modules_around() {
    let symbol = Symbol::of(&unit_uri("https://id.example")).unwrap();
    let raster = Raster::of(&symbol.svg());
    let (first, last) = (4, 4 + symbol.modules() as usize - 1);
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
fn symbol_states_its_least_physical_size() {
    let symbol = Symbol::of(&unit_uri("https://id.brand.example")).unwrap();
    assert_eq!(symbol.modules(), 33);
    assert!((symbol.min_mm() - 41.0 * 0.396).abs() < 0.000_5);
    assert!(
        symbol
            .svg()
            .starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"16.236mm\" height=\"16.236mm\"")
    );
    assert_eq!(attribute(&symbol.svg(), "shape-rendering"), "crispEdges");
}

#[test]
fn symbol_of_one_text_is_always_the_same_bytes() {
    let text = unit_uri("https://id.example");
    let symbol = Symbol::of(&text).unwrap();
    assert_eq!(symbol.svg(), Symbol::of(&text).unwrap().svg());
    // A change means that exports are no longer byte-identical: raise the version of the pack's format with it.
    assert_eq!(
        sha256(symbol.svg().as_bytes()),
        "afa19a4baff81aa28d337a2873cc18396f1b4f7cde8139a2adcf70ac4e515da5"
    );
}

#[test]
fn symbol_refuses_what_no_symbol_holds() {
    let refusal = |text: &str| Symbol::of(text).err();
    assert_eq!(refusal(""), Some(SymbolError::Empty));
    // Version 40 at level M: 5,596 digits, 3,391 alphanumeric characters or 2,331 bytes.
    assert_eq!(Symbol::of(&"1".repeat(5596)).unwrap().version(), 40);
    assert_eq!(refusal(&"1".repeat(5597)), Some(SymbolError::TooLong));
    assert_eq!(Symbol::of(&"A".repeat(3391)).unwrap().version(), 40);
    assert_eq!(refusal(&"A".repeat(3392)), Some(SymbolError::TooLong));
    assert_eq!(Symbol::of(&"a".repeat(2331)).unwrap().version(), 40);
    assert_eq!(refusal(&"a".repeat(2332)), Some(SymbolError::TooLong));
    assert_eq!(refusal(&"1".repeat(1 << 20)), Some(SymbolError::TooLong));
}

/// Width, resolution, and whether the pixel at (x, y) is dark.
fn picture(png: &[u8]) -> (usize, png::PixelDimensions, impl Fn(usize, usize) -> bool) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.color_type, frame.bit_depth), (png::ColorType::Grayscale, png::BitDepth::One));
    assert_eq!(frame.width, frame.height);
    let resolution = reader.info().pixel_dims.unwrap();
    let dark = move |x: usize, y: usize| pixels[y * frame.line_size + x / 8] & (0x80 >> (x % 8)) == 0;
    (frame.width as usize, resolution, dark)
}

#[test]
fn png_shows_the_same_modules_as_svg() {
    for base in ["https://id.example", "https://codes.a-rather-long-name.brand.example:8443"] {
        let symbol = Symbol::of(&unit_uri(base)).unwrap();
        let (raster, png) = (Raster::of(&symbol.svg()), symbol.png().unwrap());
        let (width, _, dark) = picture(&png);
        let scale = PIXELS_PER_MODULE as usize;
        assert_eq!(width, raster.side * scale);
        for y in 0..width {
            for x in 0..width {
                assert_eq!(dark(x, y), raster.is_dark(x / scale, y / scale), "({x}, {y})");
            }
        }
    }
}

#[test]
fn png_prints_at_600_dpi_or_more_and_no_smaller_than_it_may() {
    let symbol = Symbol::of(&unit_uri("https://id.brand.example")).unwrap();
    let (width, resolution, _) = picture(&symbol.png().unwrap());
    assert_eq!((resolution.xppu, resolution.yppu), (PIXELS_PER_METRE, PIXELS_PER_METRE));
    assert_eq!(resolution.unit, png::Unit::Meter);
    assert!(f64::from(resolution.xppu) * 0.0254 >= 600.0);
    let printed_mm = width as f64 / f64::from(resolution.xppu) * 1000.0;
    assert!(printed_mm >= f64::from(symbol.min_mm()) && printed_mm < f64::from(symbol.min_mm()) + 0.01);
}

#[test]
fn png_of_one_text_is_always_the_same_bytes() {
    let png = || Symbol::of(&unit_uri("https://id.example")).unwrap().png().unwrap();
    assert!(png() == png());
    assert!(png().len() < 4096, "{} bytes", png().len());
    // A change, also one of the encoder's, means that exports are no longer byte-identical: raise the version of the
    // pack's format with it.
    assert_eq!(sha256(&png()), "a2bc5cfa4fd5dd34ded8c466f84117b1574410c6bcbfa1f0e43e4027bff61676");
}

#[test]
fn runs_cover_the_dark_modules_once() {
    let symbol = Symbol::of(&unit_uri("https://id.example")).unwrap();
    let raster = Raster::of(&symbol.svg());
    let mut dark = vec![false; raster.side * raster.side];
    for run in symbol.runs() {
        dark[run.y as usize * raster.side + run.x as usize..][..run.width as usize].fill(true);
    }
    assert!(dark == raster.dark);
}
