//! Who is calling? Each kind of route knows one kind of credential and refuses all others.

use std::sync::Arc;

use mintmark_auth::{
    ApiKeyCaller, ControlToken, KeyEnvironment, PresentedKey, Principal, Session, SessionVerifier,
    looks_like_api_key,
};
use mintmark_db::Pool;
use mintmark_fault::{Fault, Result};
use mintmark_web::{Access, Authenticate, BoxFuture, Credentials};
use tokio::runtime::Handle;

use crate::store::presented_keys::KeyFinder;
use crate::store::{api_keys, standing};

/// Checks control tokens, sessions and API keys.
pub struct Gate {
    pool: Pool,
    keys: Arc<KeyFinder>,
    control: ControlToken,
    sessions: SessionVerifier,
    environment: KeyEnvironment,
}

impl Gate {
    /// A gate that knows one control token, the keys that sessions are signed with, and which API keys are meant for here.
    /// What it asks for many requests at once runs on `home`.
    pub fn new(
        pool: Pool,
        home: &Handle,
        control: ControlToken,
        sessions: SessionVerifier,
        environment: KeyEnvironment,
    ) -> Self {
        let keys = KeyFinder::new(pool.clone(), home.clone());
        Gate { pool, keys, control, sessions, environment }
    }

    async fn principal(&self, access: Access, credentials: Credentials) -> Result<Principal> {
        let is_key = credentials.api_key.is_some();
        let bearer = credentials.bearer.or(credentials.api_key).ok_or_else(Fault::unauthenticated)?;
        match access {
            Access::ControlToken => {
                let authority = self.control.verify(bearer.expose()).ok_or_else(Fault::unauthenticated)?;
                Ok(Principal::Control(authority))
            }
            Access::Session => self.person(bearer.expose()).await,
            Access::SessionOrKey if looks_like_api_key(bearer.expose()) => {
                self.program(bearer.expose()).await
            }
            Access::SessionOrKey if is_key => Err(Fault::unauthenticated()),
            Access::SessionOrKey => self.person(bearer.expose()).await,
            // Such routes ask nobody, or are another service's; being asked for one is a mistake, and the answer must not be a way in.
            Access::Public | Access::Signed | Access::Preflight => Err(Fault::unauthenticated()),
        }
    }

    /// What is revoked is gone on every replica when the revocation has answered (`crate::store::key_leases`).
    async fn program(&self, text: &str) -> Result<Principal> {
        let presented =
            PresentedKey::parse(text).map_err(|error| Fault::unauthenticated().caused_by(error))?;
        let found = self.keys.find(&presented, self.environment).await?;
        let stored = found.as_ref().map(|found| &found.digest);
        let verified = presented.verify(stored).ok_or_else(Fault::unauthenticated)?;
        let found = found.ok_or_else(Fault::unauthenticated)?;
        if found.use_is_to_be_noted {
            api_keys::note_use(&mut *self.pool.get().await?, &verified).await?;
        }
        Ok(Principal::ApiKey(ApiKeyCaller::new(verified, found.standing.clone())))
    }

    /// The standing is read for each request, so a role or a person that is gone is gone at once.
    async fn person(&self, bearer: &str) -> Result<Principal> {
        let verified =
            self.sessions.verify(bearer).map_err(|error| Fault::unauthenticated().caused_by(error))?;
        let mut conn = self.pool.get().await?;
        let found = standing::of(&mut conn, &verified).await?;
        let (standing, tier) = found.ok_or_else(Fault::unauthenticated)?;
        if let Some(by) = verified.impersonator() {
            // Rights change while a session lives: whoever acts as a person needs at each request what the person has.
            let held = standing::of_impersonator(&mut conn, &verified, by).await?;
            held.filter(|held| held.covers(&standing)).ok_or_else(Fault::unauthenticated)?;
        }
        Ok(Principal::Session(Session::new(verified, standing, tier)))
    }
}

impl Authenticate for Gate {
    fn authenticate(&self, access: Access, credentials: Credentials) -> BoxFuture<'_, Result<Principal>> {
        Box::pin(self.principal(access, credentials))
    }
}
