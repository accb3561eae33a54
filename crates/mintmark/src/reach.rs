//! Options that every operator command takes: which platform, and how to print.

use std::path::PathBuf;

use clap::Args;

/// Which platform, and how to print.
#[derive(Args, Clone)]
pub struct Reach {
    /// Which platform: a context of the configuration, or `local` for the one that `mintmark up` runs here.
    #[arg(
        long,
        global = true,
        env = "MINTMARK_CONTEXT",
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub context: Option<String>,
    /// The configuration file [default: $XDG_CONFIG_HOME/mintmark/config.toml].
    #[arg(
        long,
        global = true,
        env = "MINTMARK_CONFIG",
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub config: Option<PathBuf>,
    /// Print JSON: the result on standard output, an error on standard error.
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
}

/// How much of a list.
#[derive(Args, Clone, Debug)]
pub struct Paging {
    /// At most so many, newest first.
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// All of them, however many there are.
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Go on after an earlier list: its `nextCursor`.
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// Whether a question is answered beforehand.
#[derive(Args, Clone, Debug)]
pub struct Consent {
    /// Do it without asking; needed where nobody can be asked.
    #[arg(long, short = 'y')]
    pub yes: bool,
}
