//! The symbols of a part as files: SVG, PNG or both of a unit side by side, drawn from one matrix.

use std::io::Write;

use zip::write::PreparedZipFile;

use super::archive::{Archive, FileFacts, prepare};
use super::manifest::{Manifest, SymbolFacts};
use super::{Gauge, PackError, PackSource, PartRange, Unit, lanes, png_name, svg_name};

/// Symbols in a block: enough that handing one over costs nothing beside drawing it (about 0.1 ms a symbol), few enough
/// that a stop is prompt.
const BLOCK_UNITS: u64 = 64;

/// The symbol of one unit, compressed.
struct Drawn {
    svg: Option<Picture>,
    png: Option<Picture>,
    facts: SymbolFacts,
}

struct Picture {
    entry: PreparedZipFile,
    file: FileFacts,
}

/// Writes the pictures that the pack wants as entries of `archive`.
pub(super) fn write<W: Write>(
    source: &PackSource,
    range: &PartRange,
    gauge: &Gauge,
    archive: &mut Archive<W>,
    manifest: &mut Manifest<'_>,
) -> Result<(), PackError> {
    let make = |units: Vec<Unit>| units.iter().map(|unit| draw(source, unit)).collect::<Result<Vec<_>, _>>();
    lanes::in_order(source, range, BLOCK_UNITS, make, |drawn| {
        let units = drawn.len() as u64;
        for Drawn { svg, png, facts } in drawn {
            manifest.symbol(facts);
            if let Some(Picture { entry, file }) = svg {
                manifest.svg(file);
                archive.add(entry)?;
            }
            if let Some(Picture { entry, file }) = png {
                manifest.png(file);
                archive.add(entry)?;
            }
        }
        gauge.advance(units)
    })
}

fn draw(source: &PackSource, unit: &Unit) -> Result<Drawn, PackError> {
    let symbol = unit.symbol()?;
    let svg = source
        .formats
        .svg
        .then(|| Picture::of(&svg_name(unit.serial), symbol.svg().as_bytes()))
        .transpose()?;
    let png = if source.formats.png {
        let content = symbol.png().map_err(PackError::symbol)?;
        Some(Picture::of(&png_name(unit.serial), &content)?)
    } else {
        None
    };
    Ok(Drawn { svg, png, facts: SymbolFacts::of(&symbol) })
}

impl Picture {
    fn of(name: &str, content: &[u8]) -> Result<Self, PackError> {
        Ok(Self { entry: prepare(name, content)?, file: FileFacts::of(content) })
    }
}
