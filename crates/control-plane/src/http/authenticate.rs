//! Who is calling? Each kind of route knows one kind of credential and refuses all others.

use mintmark_auth::{ControlToken, Principal, Session, SessionVerifier};
use mintmark_db::Pool;
use mintmark_fault::{Fault, Result};
use mintmark_web::{Access, Authenticate, BoxFuture, Credentials};

use crate::store::standing;

/// Checks control tokens and sessions.
pub struct Gate {
    pool: Pool,
    control: ControlToken,
    sessions: SessionVerifier,
}

impl Gate {
    /// A gate that knows one control token, and the keys that sessions are signed with.
    pub fn new(pool: Pool, control: ControlToken, sessions: SessionVerifier) -> Self {
        Gate { pool, control, sessions }
    }

    async fn principal(&self, access: Access, credentials: Credentials) -> Result<Principal> {
        let bearer = credentials.bearer.ok_or_else(Fault::unauthenticated)?;
        match access {
            Access::ControlToken => {
                let authority = self.control.verify(bearer.expose()).ok_or_else(Fault::unauthenticated)?;
                Ok(Principal::Control(authority))
            }
            Access::Session => self.person(bearer.expose()).await,
            // Such routes ask nobody; being asked for one is a mistake, and the answer must not be a way in.
            Access::Public | Access::Signed => Err(Fault::unauthenticated()),
        }
    }

    /// The standing is read for each request, so a role or a person that is gone is gone at once.
    async fn person(&self, bearer: &str) -> Result<Principal> {
        let verified =
            self.sessions.verify(bearer).map_err(|error| Fault::unauthenticated().caused_by(error))?;
        let mut conn = self.pool.get().await?;
        let standing = standing::of(&mut conn, &verified).await?.ok_or_else(Fault::unauthenticated)?;
        Ok(Principal::Session(Session::new(verified, standing)))
    }
}

impl Authenticate for Gate {
    fn authenticate(&self, access: Access, credentials: Credentials) -> BoxFuture<'_, Result<Principal>> {
        Box::pin(self.principal(access, credentials))
    }
}
