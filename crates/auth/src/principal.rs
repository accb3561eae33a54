use mintmark_ids::{BrandId, TenantId, UserId};

use crate::{Actor, BrandRole, ControlAuthority, EvidenceRole, ServiceCaller, VerifiedSession};

/// Who is calling: the result of verifying exactly one credential.
#[derive(Clone, Debug)]
pub enum Principal {
    /// An operator with the control token.
    Control(ControlAuthority),
    /// A person.
    Session(Session),
    /// A service.
    Service(ServiceCaller),
}

/// A person's verified session together with the rights that were looked up for this request.
#[derive(Clone, Debug)]
pub struct Session {
    verified: VerifiedSession,
    standing: Standing,
}

/// A person's rights as the database has them now: a removed role is gone at the next request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// May create brands in the tenant, and administer it.
    pub tenant_admin: bool,
    /// The role for each brand that the person is a member of.
    pub brands: Vec<(BrandId, BrandRole)>,
    /// Roles for evidence; any number.
    pub evidence: Vec<EvidenceRole>,
}

impl Session {
    /// Joins a session with the standing of its user, which the caller has just looked up.
    pub fn new(verified: VerifiedSession, standing: Standing) -> Self {
        Session { verified, standing }
    }

    /// The person.
    pub fn user(&self) -> UserId {
        self.verified.user()
    }

    /// The person's tenant.
    pub fn tenant(&self) -> &TenantId {
        self.verified.tenant()
    }

    /// The person's rights.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }
}

impl Standing {
    /// The role for a brand; the highest, should there be several.
    pub fn role(&self, brand: BrandId) -> Option<BrandRole> {
        self.brands.iter().filter(|(id, _)| *id == brand).map(|(_, role)| *role).max()
    }
}

impl Principal {
    /// The tenant that the credential is bound to; the control token is bound to none.
    pub fn tenant(&self) -> Option<&TenantId> {
        match self {
            Principal::Control(_) => None,
            Principal::Session(session) => Some(session.tenant()),
            Principal::Service(caller) => Some(caller.tenant()),
        }
    }

    /// The name under which this principal's acts are recorded.
    pub fn actor(&self) -> Actor {
        match self {
            Principal::Control(_) => Actor::ControlToken,
            Principal::Session(session) => Actor::User(session.user()),
            Principal::Service(caller) => Actor::Service(caller.service()),
        }
    }
}
