//! Reads a QR symbol out of an SVG as a camera would: by its dark and light places, with a reader that is not ours.

/// Pixels of one module in the picture.
const SCALE: usize = 4;

/// The text of the one symbol in this drawing.
pub fn read_symbol(svg: &str) -> String {
    let side: usize = attribute(svg, "viewBox").split(' ').nth(2).unwrap().parse().unwrap();
    let mut dark = vec![false; side * side];
    for run in attribute(svg, " d").split_terminator('z') {
        let (x, rest) = run.strip_prefix('M').unwrap().split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let (width, _) = rest.split_once('v').unwrap();
        let [x, y, width]: [usize; 3] = [x, y, width].map(|number| number.parse().unwrap());
        dark[y * side + x..][..width].fill(true);
    }
    let pixels = side * SCALE;
    let grey = |x: usize, y: usize| if dark[y / SCALE * side + x / SCALE] { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(pixels, pixels, grey);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().unwrap().1
}

fn attribute<'a>(svg: &'a str, name: &str) -> &'a str {
    let start = svg.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
    svg[start..].split('"').next().unwrap()
}

/// The text of the one symbol in this PNG picture.
pub fn read_png(content: &[u8]) -> String {
    let mut reader = png::Decoder::new(std::io::Cursor::new(content)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((frame.color_type, frame.bit_depth), (png::ColorType::Grayscale, png::BitDepth::One));
    let light = |x: usize, y: usize| pixels[y * frame.line_size + x / 8] & (0x80 >> (x % 8)) != 0;
    let (width, height) = (frame.width as usize, frame.height as usize);
    let grey = |x: usize, y: usize| if light(x, y) { 255 } else { 0 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, grey);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().unwrap().1
}
