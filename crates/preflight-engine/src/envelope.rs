//! What the program `preflight-engine` prints: the facts, and in what confinement they were found.
//!
//! One JSON object. A reader refuses a version that it does not know; `facts` is null when only the confinement was asked for.

use serde::{Deserialize, Serialize};

/// Version of the envelope.
pub const ENVELOPE_VERSION: u32 = 1;

/// How the program ends when it prints no envelope, or not all of one.
pub mod exit {
    /// The command line is wrong.
    pub const USAGE: u8 = 64;
    /// The input is longer than allowed, or cannot be read.
    pub const INPUT: u8 = 66;
    /// A layer of the confinement is missing and all were required; nothing of the input was read.
    pub const OPEN: u8 = 70;
    /// The output is longer than allowed.
    pub const OUTPUT: u8 = 73;
    /// Nobody takes the output.
    pub const BROKEN: u8 = 74;
    /// The program panicked: a defect, which its standard error names.
    pub const PANIC: u8 = 101;
}

/// Facts with what was done to keep their reader from harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope<F> {
    /// [`ENVELOPE_VERSION`].
    pub envelope: u32,
    /// [`crate::ENGINE_VERSION`].
    pub engine: String,
    /// The confinement that was reached before the input was touched.
    pub sandbox: Confinement,
    /// The facts.
    pub facts: F,
    /// Processor time of the process until the facts were written, in microseconds.
    pub cpu_us: u64,
}

/// The layers of the confinement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// Whether every layer stands.
    pub full: bool,
    /// Each layer, in the order in which they were put up.
    pub layers: Vec<Layer>,
}

/// One layer of the confinement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Its name: `environment`, `descriptors`, `parent_death`, `no_new_privs`, `not_dumpable`, `limits`, `landlock`, `seccomp`.
    pub name: String,
    /// Whether it stands.
    pub on: bool,
    /// How far it reaches, or why it is missing.
    pub detail: String,
}

impl Layer {
    /// A layer that stands when putting it up did not fail.
    pub fn of<E: std::fmt::Display>(name: &str, outcome: Result<String, E>) -> Self {
        let (on, detail) = match outcome {
            Ok(reach) => (true, reach),
            Err(error) => (false, error.to_string()),
        };
        Self { name: name.to_owned(), on, detail }
    }
}

impl Confinement {
    /// The layers, judged together.
    #[must_use]
    pub fn of(layers: Vec<Layer>) -> Self {
        Self { full: layers.iter().all(|layer| layer.on), layers }
    }

    /// The layers that are missing.
    pub fn missing(&self) -> impl Iterator<Item = &Layer> {
        self.layers.iter().filter(|layer| !layer.on)
    }
}

impl std::fmt::Display for Confinement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.full {
            return f.write_str("full");
        }
        f.write_str("partial, without ")?;
        for (at, layer) in self.missing().enumerate() {
            let between = if at == 0 { "" } else { ", " };
            write!(f, "{between}{} ({})", layer.name, layer.detail)?;
        }
        Ok(())
    }
}
