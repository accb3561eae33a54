use mintmark_ids::{ApiKeyId, BrandId, TenantId, UserId};

use crate::api_scope::{self, ApiScope};
use crate::{
    Actor, BrandRole, ControlAuthority, EvidenceRole, Impersonator, ServiceCaller, Tier, VerifiedKey,
    VerifiedSession,
};

/// Who is calling: the result of verifying exactly one credential.
#[derive(Clone, Debug)]
pub enum Principal {
    /// An operator with the control token.
    Control(ControlAuthority),
    /// A person.
    Session(Session),
    /// A program of a tenant, with an API key.
    ApiKey(ApiKeyCaller),
    /// A service.
    Service(ServiceCaller),
}

/// A verified API key together with what was looked up about it for this request.
#[derive(Clone, Debug)]
pub struct ApiKeyCaller {
    key: VerifiedKey,
    tenant: TenantId,
    creator: UserId,
    creator_standing: Standing,
    scopes: Vec<ApiScope>,
    tier: Tier,
}

/// An API key as the database has it now, and its creator's standing.
#[derive(Clone, Debug)]
pub struct KeyStanding {
    /// The tenant that owns the key.
    pub tenant: TenantId,
    /// Who made it.
    pub creator: UserId,
    /// What the creator may do now; nothing when disabled.
    pub creator_standing: Standing,
    /// What was granted.
    pub scopes: Vec<ApiScope>,
    /// The key's own tier.
    pub tier: Tier,
    /// The tenant's tier: no key has a higher one.
    pub tenant_tier: Tier,
}

/// A person's verified session together with the rights that were looked up for this request.
#[derive(Clone, Debug)]
pub struct Session {
    verified: VerifiedSession,
    standing: Standing,
    tier: Tier,
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
    /// Joins a session with the standing of its user and the tenant's tier, which the caller has just looked up.
    pub fn new(verified: VerifiedSession, standing: Standing, tier: Tier) -> Self {
        Session { verified, standing, tier }
    }

    /// The person.
    pub fn user(&self) -> UserId {
        self.verified.user()
    }

    /// The person's tenant.
    pub fn tenant(&self) -> &TenantId {
        self.verified.tenant()
    }

    /// Who acts as the person; none in a person's own session.
    pub fn impersonator(&self) -> Option<Impersonator> {
        self.verified.impersonator()
    }

    /// The person's rights.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// How much: the tenant's tier.
    pub fn tier(&self) -> Tier {
        self.tier
    }
}

impl ApiKeyCaller {
    /// Joins a key with its standing. The key has its scopes as far as its creator may still grant them.
    pub fn new(key: VerifiedKey, standing: KeyStanding) -> Self {
        let allowed = api_scope::grantable(&standing.creator_standing);
        ApiKeyCaller {
            key,
            tenant: standing.tenant,
            creator: standing.creator,
            scopes: api_scope::narrowed(&standing.scopes, allowed),
            creator_standing: standing.creator_standing,
            tier: standing.tier.min(standing.tenant_tier),
        }
    }

    /// Which key.
    pub fn id(&self) -> ApiKeyId {
        self.key.id()
    }

    /// The tenant that owns the key.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Who made it.
    pub fn creator(&self) -> UserId {
        self.creator
    }

    /// What its creator may do now: a key gives nothing that they have not.
    pub fn creator_standing(&self) -> &Standing {
        &self.creator_standing
    }

    /// What it may do now.
    pub fn scopes(&self) -> &[ApiScope] {
        &self.scopes
    }

    /// How much.
    pub fn tier(&self) -> Tier {
        self.tier
    }
}

impl Standing {
    /// Whether whoever has this standing has every right of `other` too.
    pub fn covers(&self, other: &Standing) -> bool {
        let brand = |(brand, role): &(BrandId, BrandRole)| self.role(*brand).is_some_and(|own| own >= *role);
        (self.tenant_admin || !other.tenant_admin)
            && other.brands.iter().all(brand)
            && other.evidence.iter().all(|role| self.evidence.contains(role))
    }

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
            Principal::ApiKey(caller) => Some(caller.tenant()),
            Principal::Service(caller) => Some(caller.tenant()),
        }
    }

    /// The name under which this principal's acts are recorded.
    pub fn actor(&self) -> Actor {
        match self {
            Principal::Control(_) => Actor::ControlToken,
            Principal::Session(session) => match session.impersonator() {
                None => Actor::User(session.user()),
                Some(by) => Actor::Impersonated { user: session.user(), by },
            },
            Principal::ApiKey(caller) => Actor::ApiKey(caller.id()),
            Principal::Service(caller) => match caller.person() {
                Some(person) => person.actor(),
                None => Actor::Service(caller.service()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn covers_wants_every_right_of_the_other() {
        let (brand, elsewhere) = (BrandId::new(), BrandId::new());
        let of = |tenant_admin, brands: &[(BrandId, BrandRole)], evidence: &[EvidenceRole]| Standing {
            tenant_admin,
            brands: brands.to_vec(),
            evidence: evidence.to_vec(),
        };
        let own = of(true, &[(brand, BrandRole::Admin)], &[EvidenceRole::Arbitrator]);
        for (other, covered) in [
            (of(false, &[], &[]), true),
            (own.clone(), true),
            (of(false, &[(brand, BrandRole::Member)], &[]), true),
            (of(false, &[(brand, BrandRole::Owner)], &[]), false),
            (of(false, &[(elsewhere, BrandRole::Member)], &[]), false),
            (of(false, &[], &[EvidenceRole::Governance]), false),
        ] {
            assert_eq!(own.covers(&other), covered, "{other:?}");
        }
        assert!(!of(false, &[(brand, BrandRole::Owner)], &[]).covers(&of(true, &[], &[])));
    }
}
