//! A symbol as PNG: one bit a pixel, a whole number of pixels a module, so that no edge is grey.

use png::{BitDepth, ColorType, Compression, Encoder, EncodingError, Filter, PixelDimensions, Unit};

use super::{MODULE_UM, Symbol};

/// Pixels along one side of a module: the fewest that reach 600 dpi at the least printed size (0.396 mm at 600 dpi are
/// 9.4 pixels).
pub const PIXELS_PER_MODULE: u32 = 10;

/// The resolution that the picture states: 641 dpi, rounded down so that it never prints smaller than the least size.
pub const PIXELS_PER_METRE: u32 = PIXELS_PER_MODULE * 1_000_000 / MODULE_UM;

pub(super) fn draw(symbol: &Symbol) -> Result<Vec<u8>, EncodingError> {
    let side = symbol.side() * PIXELS_PER_MODULE;
    let row_bytes = side.div_ceil(8) as usize;
    let band = row_bytes * PIXELS_PER_MODULE as usize;
    // A set bit is white; the bits behind the last pixel of a row mean nothing and are set too.
    let mut pixels = vec![0xff; band * symbol.side() as usize];
    for run in symbol.runs() {
        let first_row = run.y as usize * band;
        let row = &mut pixels[first_row..][..row_bytes];
        for x in run.x * PIXELS_PER_MODULE..(run.x + run.width) * PIXELS_PER_MODULE {
            row[x as usize / 8] &= !(0x80 >> (x % 8));
        }
    }
    for module_row in pixels.chunks_exact_mut(band) {
        let (row, others) = module_row.split_at_mut(row_bytes);
        others.chunks_exact_mut(row_bytes).for_each(|other| other.copy_from_slice(row));
    }
    encode(&pixels, side)
}

fn encode(pixels: &[u8], side: u32) -> Result<Vec<u8>, EncodingError> {
    let mut out = Vec::with_capacity(4096);
    let mut encoder = Encoder::new(&mut out, side, side);
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::One);
    encoder.set_pixel_dims(Some(PixelDimensions {
        xppu: PIXELS_PER_METRE,
        yppu: PIXELS_PER_METRE,
        unit: Unit::Meter,
    }));
    encoder.set_compression(Compression::Balanced);
    // Nine of ten rows are the one above again.
    encoder.set_filter(Filter::Up);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(out)
}
