//! What a token says that was minted for one call in a person's name.

use mintmark_fault::Fault;
use mintmark_ids::{DisputeId, ServiceName, TenantId};
use serde_json::{Map, Value, json};

use crate::claims::Standard;
use crate::named::named;
use crate::policy::Within;
use crate::{Action, Actor, EvidenceRole, Permit, TokenError};

/// How long such a token lives, from `iat` to `exp`: longer than any call waits to begin, too short to be kept.
pub(crate) const LIFETIME_SECS: i64 = 30;

/// The claims that only such a token has; `act` stands in other tokens too, where it is not read.
const OWN_CLAIMS: [&str; 3] = ["role", "disputeId", "disputeState"];

named! {
    /// By what right somebody asks for evidence: the highest of their evidence roles that the action takes, or the API
    /// scope that opened it.
    CallRole, "call role" {
        /// Sees the metadata of what they uploaded.
        User = "USER",
        /// Reads content while the dispute is open.
        Arbitrator = "ARBITRATOR",
        /// Reads content, sets holds.
        Governance = "GOVERNANCE",
        /// The API scope of that name: erasure proofs and audit entries.
        AdminRead = "admin:read",
    }
}

named! {
    /// Whether a dispute is still argued about.
    DisputeState, "dispute state" {
        /// Evidence is taken and read.
        Open = "open",
        /// Decided, for good.
        Closed = "closed",
    }
}

/// The dispute that a call is about, as the caller's database has it at that moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisputeClaim {
    /// Which.
    pub id: DisputeId,
    /// How it stands.
    pub state: DisputeState,
}

/// One call to another service in the name of whoever a permit was given to: what [`crate::TokenSource`] mints a token for.
#[derive(Debug)]
pub struct PersonCall {
    tenant: TenantId,
    actor: Actor,
    role: Option<CallRole>,
    scope: &'static str,
    dispute: Option<DisputeClaim>,
}

/// What a verified token says of the person that the call is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonClaims {
    actor: Actor,
    role: Option<CallRole>,
    dispute: Option<DisputeClaim>,
}

impl PersonCall {
    /// A call with `scope` for whoever `permit` names: tenant, actor and role are the permit's.
    ///
    /// # Errors
    /// 403 `IMPERSONATION_REFUSED` where somebody acts as the person: such a call would pass for the person's own.
    pub fn new<A: Action>(permit: &Permit<A>, scope: &'static str) -> mintmark_fault::Result<Self>
    where
        A::On: Within,
    {
        if !is_direct(permit.actor()) {
            let sentence = "this wants the person's own session: it cannot be done while acting as somebody";
            return Err(Fault::forbidden("IMPERSONATION_REFUSED", sentence));
        }
        let (tenant, actor) = (permit.tenant().clone(), *permit.actor());
        Ok(PersonCall { tenant, actor, role: permit.role(), scope, dispute: None })
    }

    /// The same call, about a dispute.
    #[must_use]
    pub fn about(mut self, dispute: DisputeClaim) -> Self {
        self.dispute = Some(dispute);
        self
    }

    pub(crate) fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    pub(crate) fn actor(&self) -> &Actor {
        &self.actor
    }

    pub(crate) fn scope(&self) -> &'static str {
        self.scope
    }

    /// The claims beside the standard ones.
    pub(crate) fn claims(&self, service: ServiceName) -> Vec<(&'static str, Value)> {
        let mut claims = vec![("act", acting(service))];
        claims.extend(self.role.map(|role| ("role", role.as_str().into())));
        if let Some(dispute) = self.dispute {
            claims.push(("disputeId", dispute.id.to_string().into()));
            claims.push(("disputeState", dispute.state.as_str().into()));
        }
        claims
    }
}

impl PersonClaims {
    /// Takes the claims of a call in a person's name; `None` where a service speaks for itself, which may have none of them.
    ///
    /// The control plane alone speaks for people, and says so (`act`); a key has no role of a person, an operator none at all.
    pub(crate) fn take(
        claims: &mut Map<String, Value>,
        standard: &Standard,
        signer: ServiceName,
    ) -> Result<Option<Self>, TokenError> {
        let act = claims.remove("act");
        if standard.sub.starts_with("service:") {
            refuse(claims)?;
            return if act.is_none() { Ok(None) } else { Err(TokenError::Claims) };
        }
        let actor: Actor = standard.sub.parse().map_err(|_| TokenError::Claims)?;
        let spoken_for = signer == ServiceName::ControlPlane && act == Some(acting(signer));
        // The database's spelling and no other: audit entries are searched by it.
        if !spoken_for || !is_direct(&actor) || actor.to_string() != standard.sub {
            return Err(TokenError::Claims);
        }
        if standard.lifetime_secs > LIFETIME_SECS {
            return Err(TokenError::Lifetime);
        }
        let role = word(claims, "role", &CallRole::ALL, CallRole::as_str)?;
        match (&actor, role) {
            (Actor::User(_), Some(_))
            | (Actor::ApiKey(_), Some(CallRole::AdminRead))
            | (Actor::ControlToken, None) => {}
            _ => return Err(TokenError::Claims),
        }
        Ok(Some(PersonClaims { actor, role, dispute: dispute(claims)? }))
    }

    /// In whose name: `user:usr_…`, `api-key:key_…` or `control-token`.
    pub fn actor(&self) -> Actor {
        self.actor
    }

    /// By what right; an operator has none of these.
    pub fn role(&self) -> Option<CallRole> {
        self.role
    }

    /// The dispute that the call is about.
    pub fn dispute(&self) -> Option<DisputeClaim> {
        self.dispute
    }
}

impl From<EvidenceRole> for CallRole {
    fn from(role: EvidenceRole) -> Self {
        match role {
            EvidenceRole::User => CallRole::User,
            EvidenceRole::Arbitrator => CallRole::Arbitrator,
            EvidenceRole::Governance => CallRole::Governance,
        }
    }
}

/// Refuses the claims of a person's call in a token that is none.
pub(crate) fn refuse(claims: &Map<String, Value>) -> Result<(), TokenError> {
    if OWN_CLAIMS.iter().any(|name| claims.contains_key(*name)) { Err(TokenError::Claims) } else { Ok(()) }
}

fn is_direct(actor: &Actor) -> bool {
    matches!(actor, Actor::User(_) | Actor::ApiKey(_) | Actor::ControlToken)
}

fn acting(service: ServiceName) -> Value {
    json!({ "sub": format!("service:{service}") })
}

/// Both claims or neither: a dispute whose state is not said could be either.
fn dispute(claims: &mut Map<String, Value>) -> Result<Option<DisputeClaim>, TokenError> {
    let state = word(claims, "disputeState", &DisputeState::ALL, DisputeState::as_str)?;
    match (claims.remove("disputeId"), state) {
        (None, None) => Ok(None),
        (Some(Value::String(id)), Some(state)) => {
            Ok(Some(DisputeClaim { id: id.parse().map_err(|_| TokenError::Claims)?, state }))
        }
        _ => Err(TokenError::Claims),
    }
}

/// One of a closed set, spelt exactly; absent is `None`.
fn word<T: Copy>(
    claims: &mut Map<String, Value>,
    name: &str,
    all: &[T],
    spelt: fn(T) -> &'static str,
) -> Result<Option<T>, TokenError> {
    match claims.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => {
            all.iter().copied().find(|value| spelt(*value) == text).map(Some).ok_or(TokenError::Claims)
        }
        Some(_) => Err(TokenError::Claims),
    }
}
