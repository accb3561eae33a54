#![doc = include_str!("../README.md")]

mod colour;
mod image;
mod size;

pub use colour::{Colour, ColourError};
pub use image::{Format, Image, ImageError, ImageHash, MAX_BYTES, MAX_SIDE};
