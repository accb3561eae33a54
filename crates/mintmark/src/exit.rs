//! Exit statuses: the same for every command that speaks to a platform, so that a script can tell what to do next.

/// How a command ends when it did not do what was asked; 0 is "done".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// The platform understood and refused: a conflict, a rule, a body that is not valid.
    Refused = 1,
    /// The command line or the configuration is wrong, or a certificate is not trusted; nothing was sent. clap ends with the same.
    Usage = 2,
    /// Not now: nothing answers, the answer is a 5xx or a 429, or it did not come in time. Trying again makes sense.
    Away = 3,
    /// No credential, or one that is not accepted (401).
    Unauthenticated = 4,
    /// The credential is good and may not do this (403).
    Forbidden = 5,
    /// There is no such thing, or it is another tenant's (404).
    NotFound = 6,
    /// The work that was waited for ended badly: a batch or an export that failed or was called off.
    EndedBadly = 7,
    /// Something on this machine: a file that cannot be written, a download that is not what was promised.
    Local = 8,
    /// Interrupted by Ctrl-C.
    Interrupted = 130,
}
