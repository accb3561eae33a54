//! The headers of JPEG 2000: components, bits, colour space.

/// What the headers of a JP2 file or a bare codestream say, for example `components=3 bits=8 space=16`: the space is the
/// enumerated one of JP2 (16 sRGB, 17 grey, 12 CMYK, 18 YCC), or `icc`. `bits` lists them where they differ.
pub(super) fn describe(data: &[u8]) -> Option<String> {
    if data.starts_with(&[0xff, 0x4f, 0xff, 0x51]) {
        return codestream(data).map(|(components, bits)| text(components, &bits, None));
    }
    let mut shape = None;
    let mut space = None;
    let mut stack = vec![data];
    while let Some(mut rest) = stack.pop() {
        // Boxes stand side by side; only the header holds others.
        for _ in 0..64 {
            let Some((kind, body, after)) = next_box(rest) else { break };
            rest = after;
            match &kind {
                b"jp2h" => stack.push(body),
                b"ihdr" => {
                    let components = body.get(8..10).map(|c| u16::from_be_bytes([c[0], c[1]]));
                    let bits = body.get(10).filter(|bits| **bits != 255).map(|bits| (bits & 0x7f) + 1);
                    shape = components.map(|components| (components, bits.into_iter().collect::<Vec<u8>>()));
                }
                b"bpcc" => {
                    if let Some((_, bits)) = &mut shape {
                        *bits = body.iter().take(64).map(|bits| (bits & 0x7f) + 1).collect();
                    }
                }
                b"colr" if space.is_none() => {
                    space = match body {
                        [1, _, _, number @ ..] => {
                            number.first_chunk().map(|number| u32::from_be_bytes(*number).to_string())
                        }
                        [2 | 3, ..] => Some("icc".to_owned()),
                        _ => None,
                    };
                }
                b"jp2c" if shape.is_none() => shape = codestream(body),
                _ => {}
            }
        }
    }
    shape.map(|(components, bits)| text(components, &bits, space))
}

fn text(components: u16, bits: &[u8], space: Option<String>) -> String {
    let mut depths: Vec<u8> = bits.to_vec();
    depths.dedup();
    let depths: Vec<String> = depths.iter().map(u8::to_string).collect();
    let mut text = format!("components={components} bits={}", depths.join(","));
    if let Some(space) = space {
        text.push_str(" space=");
        text.push_str(&space);
    }
    text
}

/// A box of JP2: its kind, its body, what follows.
fn next_box(data: &[u8]) -> Option<([u8; 4], &[u8], &[u8])> {
    let length = u32::from_be_bytes(*data.first_chunk()?) as usize;
    let kind: [u8; 4] = data.get(4..8)?.try_into().ok()?;
    let (head, length) = match length {
        0 => (8, data.len()),
        1 => (16, usize::try_from(u64::from_be_bytes(data.get(8..16)?.try_into().ok()?)).ok()?),
        length => (8, length),
    };
    let length = length.min(data.len());
    Some((kind, data.get(head..length)?, &data[length..]))
}

/// Components and bits of a codestream, from its SIZ marker.
fn codestream(data: &[u8]) -> Option<(u16, Vec<u8>)> {
    // SOC, SIZ, Lsiz, Rsiz, eight sizes of four bytes, Csiz, then three bytes for each component.
    let count = data.get(40..42)?;
    let components = u16::from_be_bytes([count[0], count[1]]);
    let bits =
        data.get(42..)?.iter().step_by(3).take(usize::from(components).min(64)).map(|bits| (bits & 0x7f) + 1);
    Some((components, bits.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
        [&length[..], kind, body].concat()
    }

    #[test]
    fn describe_reads_boxes_and_codestreams() {
        let header = [
            boxed(b"ihdr", &[0, 0, 0, 1, 0, 0, 0, 1, 0, 4, 7, 7, 0, 0]),
            boxed(b"colr", &[1, 0, 0, 0, 0, 0, 12]),
        ]
        .concat();
        let file = [boxed(b"jP  ", &[13, 10, 0x87, 10]), boxed(b"jp2h", &header)].concat();
        assert_eq!(describe(&file).unwrap(), "components=4 bits=8 space=12");
        let mut stream = vec![0xff, 0x4f, 0xff, 0x51];
        stream.resize(40, 0);
        stream.extend([0, 2, 11, 1, 1, 15, 1, 1]);
        assert_eq!(describe(&stream).unwrap(), "components=2 bits=12,16");
        assert_eq!(describe(b"no such thing"), None);
        assert_eq!(describe(&[0, 0, 0, 0]), None);
    }
}
