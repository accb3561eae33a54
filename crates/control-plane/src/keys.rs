//! The two signing keys, and taking changes of their files in without a restart.

use mintmark_auth::{Jwks, KeyStore};
use mintmark_service::Context;
use mintmark_service::reload::keep_fresh;

/// The keys that this process signs with; each is a file of one or more keys of which the first signs.
#[derive(Clone)]
pub struct Keys {
    /// This service's identity: signs tokens for other services, and PREFLIGHT_JWTs.
    pub identity: KeyStore,
    /// Signs people's sessions.
    pub session: KeyStore,
}

impl Keys {
    /// Every public key in force: what `/.well-known/jwks.json` answers. The keys that sign come first.
    pub fn published(&self) -> Jwks {
        let (session, identity) = (self.session.current(), self.identity.current());
        Jwks { keys: session.accepted().iter().chain(identity.accepted()).cloned().collect() }
    }

    /// Looks at both files each second. Neither takes a key that the other has.
    pub fn keep_fresh(&self, context: &Context) {
        let Keys { identity, session } = self.clone();
        keep_fresh(context, "control-signing-key", move || identity.reload(&session));
        let Keys { identity, session } = self.clone();
        keep_fresh(context, "session-signing-key", move || session.reload(&identity));
    }
}
