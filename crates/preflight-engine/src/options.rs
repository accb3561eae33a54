//! The command line, read by hand: what a thousand short processes do not need is not linked into them.

use crate::sandbox::Limits;

/// What the program was told.
#[derive(Debug)]
pub struct Options {
    /// Bounds that the kernel keeps.
    pub limits: Limits,
    /// Bytes of input that are read.
    pub input: u64,
    /// The process that must have started this one.
    pub parent: Option<i32>,
    /// Whether a missing layer ends it.
    pub require_full: bool,
    /// Whether only the confinement is asked for.
    pub probe: bool,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Errors
    /// A sentence about the argument that is wrong.
    pub fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            limits: Limits { memory: 1 << 30, cpu: 30, output: 64 << 20 },
            input: 512 << 20,
            parent: None,
            require_full: false,
            probe: false,
        };
        for argument in arguments {
            let (name, value) = argument.split_once('=').unwrap_or((&argument, ""));
            match name {
                "--memory" => options.limits.memory = number(name, value)?,
                "--cpu" => options.limits.cpu = number(name, value)?,
                "--output" => options.limits.output = number(name, value)?,
                "--input" => options.input = number(name, value)?,
                "--parent" => options.parent = Some(number(name, value)?),
                "--require" if value == "full" => options.require_full = true,
                "--probe" if value.is_empty() => options.probe = true,
                _ => {
                    return Err(format!(
                        "unknown argument `{argument}`: see the head of this program's source"
                    ));
                }
            }
        }
        Ok(options)
    }
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{name} takes a whole number, not `{value}`"))
}
