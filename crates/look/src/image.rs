//! A small still image of a kind that every browser shows.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use ring::digest::{SHA256, digest};

use crate::size;

/// Most bytes of an image: a phone on a bad connection loads one in a few seconds.
pub const MAX_BYTES: usize = 256 * 1024;
/// Most pixels on a side: 16 MB when decoded, which a cheap phone bears.
pub const MAX_SIDE: u32 = 2048;

/// The kind of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Portable Network Graphics.
    Png,
    /// JPEG.
    Jpeg,
    /// WebP, without animation.
    WebP,
}

/// Why something is not an image that may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Its content type is none of the three.
    #[error("an image is image/png, image/jpeg or image/webp")]
    Type,
    /// More than [`MAX_BYTES`].
    #[error("an image has at most 262144 bytes")]
    Bytes,
    /// Its bytes are not of the kind that its content type says, or its header cannot be read.
    #[error("the bytes are not a still image of the kind that the content type says")]
    Content,
    /// A side of more than [`MAX_SIDE`] pixels.
    #[error("an image has at most 2048 pixels on each side")]
    Side,
}

impl Format {
    /// The format of a content type, whose parameters do not matter.
    #[must_use]
    pub fn of_content_type(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        [Self::Png, Self::Jpeg, Self::WebP]
            .into_iter()
            .find(|format| essence.eq_ignore_ascii_case(format.content_type()))
    }

    /// Its content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::WebP => "image/webp",
        }
    }

    /// The ending of a file's name.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::WebP => "webp",
        }
    }
}

/// The SHA-256 of an image's bytes, which names it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageHash([u8; 32]);

impl ImageHash {
    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        ImageHash(hash)
    }

    /// A hash that was stored; `None` unless it has 32 bytes.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(ImageHash)
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// 64 hexadecimal digits in lower case.
impl fmt::Display for ImageHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ImageHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for ImageHash {
    type Err = ();

    /// Reads what `Display` writes and nothing else, so that an image has one address.
    fn from_str(text: &str) -> Result<Self, ()> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(()),
        };
        let digits: &[u8; 64] = text.as_bytes().try_into().map_err(|_| ())?;
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(ImageHash(hash))
    }
}

/// An image that may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    format: Format,
    bytes: Bytes,
    width: u32,
    height: u32,
}

impl Image {
    /// Takes bytes that came with a content type.
    ///
    /// # Errors
    /// Says which rule they break.
    pub fn new(content_type: &str, bytes: Bytes) -> Result<Self, ImageError> {
        let format = Format::of_content_type(content_type).ok_or(ImageError::Type)?;
        if bytes.len() > MAX_BYTES {
            return Err(ImageError::Bytes);
        }
        let (width, height) = match format {
            Format::Png => size::png(&bytes),
            Format::Jpeg => size::jpeg(&bytes),
            Format::WebP => size::webp(&bytes),
        }
        .filter(|(width, height)| *width > 0 && *height > 0)
        .ok_or(ImageError::Content)?;
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(ImageError::Side);
        }
        Ok(Image { format, bytes, width, height })
    }

    /// Its kind.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// The file, byte for byte.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Pixels from left to right.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Pixels from top to bottom.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// What names it.
    #[must_use]
    pub fn hash(&self) -> ImageHash {
        ImageHash::of(&self.bytes)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} x {}, {} bytes", self.format, self.width, self.height, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
        file.extend(width.to_be_bytes());
        file.extend(height.to_be_bytes());
        file.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
        file
    }

    fn image(content_type: &str, bytes: &[u8]) -> Result<Image, ImageError> {
        Image::new(content_type, Bytes::copy_from_slice(bytes))
    }

    #[test]
    fn new_reads_kind_and_size() {
        let read = image("Image/PNG; charset=x", &png(320, 200)).unwrap();
        assert_eq!((read.format(), read.width(), read.height()), (Format::Png, 320, 200));
    }

    #[test]
    fn new_refuses_what_may_not_be_shown() {
        let good = png(2048, 1);
        assert!(image("image/png", &good).is_ok());
        assert_eq!(image("image/svg+xml", &good), Err(ImageError::Type));
        assert_eq!(image("text/html", &good), Err(ImageError::Type));
        assert_eq!(image("image/jpeg", &good), Err(ImageError::Content));
        assert_eq!(image("image/webp", &good), Err(ImageError::Content));
        assert_eq!(image("image/png", b"<svg onload=alert(1)>"), Err(ImageError::Content));
        assert_eq!(image("image/png", &png(2049, 1)), Err(ImageError::Side));
        assert_eq!(image("image/png", &png(1, u32::MAX)), Err(ImageError::Side));
        assert_eq!(image("image/png", &png(0, 1)), Err(ImageError::Content));
        let mut large = good.clone();
        large.resize(MAX_BYTES, 0);
        assert!(image("image/png", &large).is_ok());
        large.push(0);
        assert_eq!(image("image/png", &large), Err(ImageError::Bytes));
    }

    #[test]
    fn new_of_every_beginning_of_a_file_never_panics() {
        let file = png(10, 10);
        for end in 0..file.len() {
            for content_type in ["image/png", "image/jpeg", "image/webp"] {
                let _ = image(content_type, &file[..end]);
            }
        }
        assert_eq!(image("image/png", &file[..23]), Err(ImageError::Content));
    }

    #[test]
    fn hash_reads_its_own_writing_alone() {
        let hash = ImageHash::of(b"abc");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for wrong in [hash.to_string().to_uppercase(), "é".repeat(32), String::new(), "0".repeat(63)] {
            assert_eq!(wrong.parse::<ImageHash>(), Err(()), "{wrong}");
        }
    }
}
