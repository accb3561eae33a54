//! Minimal ICC profiles, built byte by byte: nobody's work but ours, and small.

/// An output profile (`prtr`) for CMYK with coarse tables, version 2.
pub fn cmyk() -> Vec<u8> {
    let mut clut = Vec::new();
    for corner in 0..16_u8 {
        let [c, m, y, k] = [3, 2, 1, 0].map(|bit| f64::from(corner >> bit & 1));
        let light = (1.0 - k) * (1.0 - 0.4 * c) * (1.0 - 0.5 * m) * (1.0 - 0.1 * y);
        let a = (1.0 - k) * (70.0 * m - 35.0 * c - 5.0 * y);
        let b = (1.0 - k) * (90.0 * y - 45.0 * c - 5.0 * m);
        clut.extend([byte(light * 255.0), byte(a + 128.0), byte(b + 128.0)]);
    }
    let mut back = Vec::new();
    for corner in 0..8_u8 {
        let [light, a, b] = [2, 1, 0].map(|bit| f64::from(corner >> bit & 1));
        back.extend([byte((1.0 - a) * 255.0), byte(a * 255.0), byte(b * 255.0), byte((1.0 - light) * 255.0)]);
    }
    let tags = [("A2B0", lut8(4, 3, &clut)), ("B2A0", lut8(3, 4, &back))];
    profile(b"prtr", b"CMYK", b"Lab ", "Mintmark test CMYK", &tags)
}

/// A display profile (`mntr`) for RGB: matrix and gamma.
pub fn rgb() -> Vec<u8> {
    let tags = [
        ("rXYZ", xyz(0.4361, 0.2225, 0.0139)),
        ("gXYZ", xyz(0.3851, 0.7169, 0.0971)),
        ("bXYZ", xyz(0.1431, 0.0606, 0.7141)),
        ("rTRC", gamma()),
        ("gTRC", gamma()),
        ("bTRC", gamma()),
    ];
    profile(b"mntr", b"RGB ", b"XYZ ", "Mintmark test RGB", &tags)
}

/// A display profile for gray.
pub fn gray() -> Vec<u8> {
    profile(b"mntr", b"GRAY", b"XYZ ", "Mintmark test gray", &[("kTRC", gamma())])
}

/// A profile with any class and space, for example to be wrong; its tags are those of its space where we know them.
pub fn relabelled(mut profile: Vec<u8>, class: &[u8; 4]) -> Vec<u8> {
    profile[12..16].copy_from_slice(class);
    profile
}

fn profile(class: &[u8; 4], space: &[u8; 4], pcs: &[u8; 4], name: &str, more: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut tags: Vec<(&str, Vec<u8>)> =
        vec![("desc", description(name)), ("cprt", copyright()), ("wtpt", xyz(0.9642, 1.0, 0.8249))];
    tags.extend(more.iter().cloned());
    let mut table = u32::try_from(tags.len()).unwrap().to_be_bytes().to_vec();
    let mut data = Vec::new();
    let start = 128 + 4 + 12 * tags.len();
    for (tag, body) in &tags {
        table.extend_from_slice(tag.as_bytes());
        table.extend(u32::try_from(start + data.len()).unwrap().to_be_bytes());
        table.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        data.extend_from_slice(body);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    let mut out = vec![0; 128];
    out[8] = 2;
    out[9] = 0x10;
    out[12..16].copy_from_slice(class);
    out[16..20].copy_from_slice(space);
    out[20..24].copy_from_slice(pcs);
    for (at, value) in [(24, 2026_u16), (26, 1), (28, 1)] {
        out[at..at + 2].copy_from_slice(&value.to_be_bytes());
    }
    out[36..40].copy_from_slice(b"acsp");
    for (at, value) in [(68, 0.9642), (72, 1.0), (76, 0.8249)] {
        out[at..at + 4].copy_from_slice(&fixed(value));
    }
    out.extend(table);
    out.extend(data);
    let length = u32::try_from(out.len()).unwrap();
    out[0..4].copy_from_slice(&length.to_be_bytes());
    out
}

fn lut8(inputs: u8, outputs: u8, clut: &[u8]) -> Vec<u8> {
    let mut out = b"mft1\0\0\0\0".to_vec();
    out.extend([inputs, outputs, 2, 0]);
    for row in 0..3 {
        for column in 0..3 {
            out.extend(fixed(if row == column { 1.0 } else { 0.0 }));
        }
    }
    for _ in 0..inputs {
        out.extend(0..=255_u8);
    }
    out.extend_from_slice(clut);
    for _ in 0..outputs {
        out.extend(0..=255_u8);
    }
    out
}

fn xyz(x: f64, y: f64, z: f64) -> Vec<u8> {
    let mut out = b"XYZ \0\0\0\0".to_vec();
    out.extend([x, y, z].into_iter().flat_map(fixed));
    out
}

fn gamma() -> Vec<u8> {
    let mut out = b"curv\0\0\0\0\0\0\0\x01".to_vec();
    out.extend(0x0233_u16.to_be_bytes());
    out
}

fn description(name: &str) -> Vec<u8> {
    let mut out = b"desc\0\0\0\0".to_vec();
    out.extend(u32::try_from(name.len() + 1).unwrap().to_be_bytes());
    out.extend_from_slice(name.as_bytes());
    out.resize(out.len() + 1 + 4 + 4 + 2 + 1 + 67, 0);
    out
}

fn copyright() -> Vec<u8> {
    b"text\0\0\0\0No rights reserved.\0".to_vec()
}

/// s15Fixed16.
#[allow(clippy::cast_possible_truncation, reason = "small constants of our own")]
fn fixed(value: f64) -> [u8; 4] {
    ((value * 65536.0).round() as i32).to_be_bytes()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}
