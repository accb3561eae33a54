//! The platform that `mintmark up` runs here: a context that nobody has to set up.

use super::{Context, Reference};
use crate::home::Home;

/// What it is called.
pub const NAME: &str = "local";

/// The context that `dev.env` describes; nothing where no platform was started in this folder.
pub fn context(home: &Home) -> Option<Context> {
    let mut variables = home.dev_env();
    let mut take = |name: &str| variables.remove(name);
    let control = take("MINTMARK_CONTROL_URL")?;
    let login = home.path(SESSION_FILE);
    // A login of one's own stands before the session of the seed, until a logout.
    let session = if login.exists() {
        Some(Reference::File(login))
    } else {
        take("MINTMARK_SESSION").map(Reference::Value)
    };
    Some(Context {
        control,
        gateway: take("MINTMARK_GATEWAY_URL"),
        ca_file: None,
        tenant: take("MINTMARK_TENANT"),
        brand: take("MINTMARK_BRAND"),
        session,
        control_token: take("PPOS_CONTROL_TOKEN").map(Reference::Value),
        api_key: None,
    })
}

/// Where `mintmark login` keeps a session for the local platform, in the launcher's folder.
pub const SESSION_FILE: &str = "keys/session";
