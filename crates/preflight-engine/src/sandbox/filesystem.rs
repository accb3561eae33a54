//! Landlock without a single rule: every right over files that the kernel knows is denied, and TCP where it knows that.

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, RestrictionStatus, Ruleset, RulesetAttr, RulesetError,
    RulesetStatus, Scope,
};
use mintmark_preflight_engine::envelope::Layer;

/// The newest rights that we ask for. Older kernels give what they have: the crate leaves out what they do not know.
const NEWEST: ABI = ABI::V6;

/// Denies the filesystem.
pub fn deny() -> Layer {
    let outcome = restrict().map_err(|error| error.to_string()).and_then(|status| match status.ruleset {
        RulesetStatus::NotEnforced => {
            Err("this kernel has no landlock, or it is not enabled at boot".to_owned())
        }
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(reach(&status.landlock)),
    });
    Layer::of("landlock", outcome)
}

fn restrict() -> Result<RestrictionStatus, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .restrict_self()
}

fn reach(status: &LandlockStatus) -> String {
    let LandlockStatus::Available { effective_abi, .. } = status else { return "files".to_owned() };
    let abi = *effective_abi as i32;
    // Sockets cannot be made at all (the system-call filter): this layer is the second one there.
    let also = if abi >= ABI::V4 as i32 { " and TCP" } else { "" };
    format!("files{also}, ABI {abi}")
}
