//! A minimal TrueType font, built byte by byte: every printable character is the same box, the space is empty.

/// Units of the em square.
const EM: u16 = 1000;
/// Advance of every glyph.
pub const ADVANCE: u16 = 600;

/// The font program. A box of 500 by 700 units, standing on the base line, 50 units from the left.
pub fn truetype() -> Vec<u8> {
    let (glyf, loca) = glyphs();
    let tables: [(&[u8; 4], Vec<u8>); 10] = [
        (b"OS/2", os2()),
        (b"cmap", cmap()),
        (b"glyf", glyf),
        (b"head", head()),
        (b"hhea", hhea()),
        (b"hmtx", words(&[ADVANCE, 50, ADVANCE, 50, ADVANCE, 0])),
        (b"loca", loca),
        (b"maxp", maxp()),
        (b"name", words(&[0, 0, 6])),
        (b"post", post()),
    ];
    let mut out = vec![0, 1, 0, 0];
    out.extend(words(&[10, 128, 3, 32]));
    let mut data: Vec<u8> = Vec::new();
    let start = 12 + 16 * tables.len();
    let mut head_at = 0;
    for (tag, body) in &tables {
        if *tag == b"head" {
            head_at = start + data.len();
        }
        out.extend_from_slice(*tag);
        out.extend(checksum(body).to_be_bytes());
        out.extend(u32::try_from(start + data.len()).unwrap().to_be_bytes());
        out.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
        data.extend_from_slice(body);
        data.resize(data.len().next_multiple_of(4), 0);
    }
    out.extend(data);
    let adjustment = 0xB1B0_AFBA_u32.wrapping_sub(checksum(&out));
    out[head_at + 8..head_at + 12].copy_from_slice(&adjustment.to_be_bytes());
    out
}

/// Entries of the simple font's dictionary, for the widths of characters 32 to 126.
pub fn widths() -> String {
    let widths = vec![ADVANCE.to_string(); 95].join(" ");
    format!("/FirstChar 32 /LastChar 126 /Widths [{widths}]")
}

fn glyphs() -> (Vec<u8>, Vec<u8>) {
    let mut one = words(&[1, 50, 0, 550, 700, 3, 0]);
    one.extend([1, 1, 1, 1]);
    one.extend(words(&[50, 500, 0, 500_u16.wrapping_neg()]));
    one.extend(words(&[0, 0, 700, 0]));
    one.resize(one.len().next_multiple_of(4), 0);
    let half = u16::try_from(one.len() / 2).unwrap();
    (one.repeat(2), words(&[0, half, 2 * half, 2 * half]))
}

fn head() -> Vec<u8> {
    let mut out = words(&[1, 0, 1, 0, 0, 0, 0x5F0F, 0x3CF5, 0, EM]);
    out.extend([0; 16]);
    out.extend(words(&[50, 0, 550, 700, 0, 8, 2, 0, 0]));
    out
}

fn hhea() -> Vec<u8> {
    let mut out = words(&[1, 0, 800, 200_u16.wrapping_neg(), 0, ADVANCE, 50, 50, 550, 1]);
    out.extend([0; 14]);
    out.extend(words(&[3]));
    out
}

fn maxp() -> Vec<u8> {
    words(&[1, 0, 3, 4, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])
}

fn post() -> Vec<u8> {
    let mut out = words(&[3, 0]);
    out.extend([0; 28]);
    out
}

fn os2() -> Vec<u8> {
    let mut out = words(&[0, ADVANCE, 400, 5, 0]);
    out.resize(64, 0);
    out.extend(words(&[32, 126, 800, 200_u16.wrapping_neg(), 0, 800, 200]));
    out
}

/// Characters 33 to 126 are glyph 1, the space is glyph 2: once by Macintosh codes, once by Unicode.
fn cmap() -> Vec<u8> {
    let mut out = words(&[0, 2, 1, 0, 0, 20, 3, 1, 0, 20 + 262]);
    out.extend(words(&[0, 262, 0]));
    out.extend((0..=255_u8).map(|code| match code {
        33..=126 => 1,
        32 => 2,
        _ => 0,
    }));
    // Format 4: segments [32, 126] over an array of glyphs, and the closing one.
    let glyphs: Vec<u16> = (32..=126_u16).map(|code| if code == 32 { 2 } else { 1 }).collect();
    let length = u16::try_from(16 + 16 + 2 * glyphs.len()).unwrap();
    out.extend(words(&[4, length, 0, 4, 4, 1, 0, 126, 0xFFFF, 0, 32, 0xFFFF, 0, 1, 4, 0]));
    out.extend(words(&glyphs));
    out
}

fn words(values: &[u16]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn checksum(bytes: &[u8]) -> u32 {
    bytes.chunks(4).fold(0, |sum: u32, chunk| {
        let mut word = [0; 4];
        word[..chunk.len()].copy_from_slice(chunk);
        sum.wrapping_add(u32::from_be_bytes(word))
    })
}
