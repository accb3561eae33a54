//! A symbol as SVG.

use super::{QUIET_ZONE, Symbol};

pub(super) fn draw(symbol: &Symbol) -> String {
    let (side, size_um) = (symbol.side(), symbol.min_um());
    let size_mm = format!("{}.{:03}", size_um / 1000, size_um % 1000);
    let modules = side - 2 * QUIET_ZONE;
    // Dark runs average about three modules with as much light between, and take some 14 bytes each.
    let mut svg = String::with_capacity(300 + (modules * modules * 3) as usize);
    svg.push_str(&format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{size_mm}mm\" height=\"{size_mm}mm\" \
         viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path fill=\"#000\" d=\""
    ));
    for run in symbol.runs() {
        svg.push('M');
        push_number(&mut svg, run.x);
        svg.push(' ');
        push_number(&mut svg, run.y);
        svg.push('h');
        push_number(&mut svg, run.width);
        svg.push_str("v1h-");
        push_number(&mut svg, run.width);
        svg.push('z');
    }
    svg.push_str("\"/></svg>");
    svg
}

/// Appends a number of at most three digits: a pack draws some fifty million of them, which `format!` would dominate.
fn push_number(out: &mut String, number: u32) {
    debug_assert!(number < 1000, "a symbol is at most 185 modules wide");
    let digit = |number: u32| char::from(b'0' + (number % 10) as u8);
    if number >= 100 {
        out.push(digit(number / 100));
    }
    if number >= 10 {
        out.push(digit(number / 10));
    }
    out.push(digit(number));
}
