//! What an API key may do: nine scopes, and two legacy values that stand for sets of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{BrandRole, NameError, Standing};

/// A scope of an API key (platform-security, "API key scopes"). The spelling is exact: scopes are compared by machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiScope {
    /// Trust scores and bond read endpoints.
    TrustRead,
    /// Attestation list and count endpoints.
    AttestationsRead,
    /// Create and revoke attestations.
    AttestationsWrite,
    /// Payout and settlement creation.
    PayoutsWrite,
    /// Report job creation and status polling.
    ReportsGenerate,
    /// Report artefact downloads and audit-log exports.
    ExportsRead,
    /// Webhook secret rotation and revocation.
    WebhooksAdmin,
    /// Admin read operations: users, audit logs, failed events.
    AdminRead,
    /// Admin write operations: role assignment, key revocation, impersonation, event replay.
    AdminWrite,
    /// Legacy: what anybody may read ([`PUBLIC`]).
    Public,
    /// Legacy: everything ([`ENTERPRISE`]).
    Enterprise,
}

/// What the legacy value `public` stands for: the two scopes that read what is meant to be looked up by anybody. It
/// writes nothing, pays nothing, and sees nothing of the administration or of exports.
pub const PUBLIC: &[ApiScope] = &[ApiScope::TrustRead, ApiScope::AttestationsRead];

/// What the legacy value `enterprise` stands for: every scope.
pub const ENTERPRISE: &[ApiScope] = &[
    ApiScope::TrustRead,
    ApiScope::AttestationsRead,
    ApiScope::AttestationsWrite,
    ApiScope::PayoutsWrite,
    ApiScope::ReportsGenerate,
    ApiScope::ExportsRead,
    ApiScope::WebhooksAdmin,
    ApiScope::AdminRead,
    ApiScope::AdminWrite,
];

/// Legacy tier names and the scopes that they expand to.
pub const SCOPE_SETS: [(ApiScope, &[ApiScope]); 2] =
    [(ApiScope::Public, PUBLIC), (ApiScope::Enterprise, ENTERPRISE)];

/// The scopes that an Owner or Admin of a brand may grant; a tenant administrator may grant all nine, others none.
const GRANTABLE_BY_BRAND: &[ApiScope] = &[
    ApiScope::TrustRead,
    ApiScope::AttestationsRead,
    ApiScope::AttestationsWrite,
    ApiScope::ReportsGenerate,
    ApiScope::ExportsRead,
];

impl ApiScope {
    /// Every valid value: the nine scopes, then the two legacy ones.
    pub const ALL: [ApiScope; 11] = [
        ApiScope::TrustRead,
        ApiScope::AttestationsRead,
        ApiScope::AttestationsWrite,
        ApiScope::PayoutsWrite,
        ApiScope::ReportsGenerate,
        ApiScope::ExportsRead,
        ApiScope::WebhooksAdmin,
        ApiScope::AdminRead,
        ApiScope::AdminWrite,
        ApiScope::Public,
        ApiScope::Enterprise,
    ];

    /// The spelling in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            ApiScope::TrustRead => "trust:read",
            ApiScope::AttestationsRead => "attestations:read",
            ApiScope::AttestationsWrite => "attestations:write",
            ApiScope::PayoutsWrite => "payouts:write",
            ApiScope::ReportsGenerate => "reports:generate",
            ApiScope::ExportsRead => "exports:read",
            ApiScope::WebhooksAdmin => "webhooks:admin",
            ApiScope::AdminRead => "admin:read",
            ApiScope::AdminWrite => "admin:write",
            ApiScope::Public => "public",
            ApiScope::Enterprise => "enterprise",
        }
    }

    /// The scopes that this value stands for: itself, or a legacy value's set.
    pub const fn expanded(&self) -> &[ApiScope] {
        match self {
            ApiScope::Public => PUBLIC,
            ApiScope::Enterprise => ENTERPRISE,
            _ => std::slice::from_ref(self),
        }
    }
}

/// Whether `granted` covers `required`, legacy values expanded on both sides: a required legacy value wants its whole set.
pub fn scope_satisfies(granted: &[ApiScope], required: ApiScope) -> bool {
    let has = |wanted: &ApiScope| granted.iter().any(|held| held.expanded().contains(wanted));
    required.expanded().iter().all(has)
}

/// The scopes that a person with this standing may grant to a key, and has for itself where a route takes either.
pub fn grantable(standing: &Standing) -> &'static [ApiScope] {
    if standing.tenant_admin {
        ENTERPRISE
    } else if standing.brands.iter().any(|(_, role)| *role >= BrandRole::Admin) {
        GRANTABLE_BY_BRAND
    } else {
        &[]
    }
}

/// What is left of `scopes` where only `allowed` may be had: a value that is covered whole stays as it is written, of a
/// legacy value the covered part.
pub fn narrowed(scopes: &[ApiScope], allowed: &[ApiScope]) -> Vec<ApiScope> {
    let mut left = Vec::new();
    let mut keep = |scope: ApiScope| {
        if !left.contains(&scope) {
            left.push(scope);
        }
    };
    for scope in scopes {
        if scope_satisfies(allowed, *scope) {
            keep(*scope);
        } else {
            scope
                .expanded()
                .iter()
                .filter(|part| scope_satisfies(allowed, **part))
                .copied()
                .for_each(&mut keep);
        }
    }
    left
}

impl fmt::Display for ApiScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ApiScope {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        const EXPECTED: &str = "trust:read attestations:read attestations:write payouts:write reports:generate \
             exports:read webhooks:admin admin:read admin:write public enterprise";
        ApiScope::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or(NameError { what: "scope", expected: EXPECTED })
    }
}

impl Serialize for ApiScope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ApiScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(NameError::refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every subset of the eleven values.
    fn subsets() -> impl Iterator<Item = Vec<ApiScope>> {
        (0_u32..1 << ApiScope::ALL.len()).map(|bits| {
            let chosen = |at: &usize| bits & (1 << at) != 0;
            (0..ApiScope::ALL.len()).filter(chosen).map(|at| ApiScope::ALL[at]).collect()
        })
    }

    #[test]
    fn scope_satisfies_is_the_specification_for_every_set_and_scope() {
        for granted in subsets() {
            let everything = granted.contains(&ApiScope::Enterprise);
            let public = granted.contains(&ApiScope::Public);
            for required in ApiScope::ALL {
                let reads = matches!(required, ApiScope::TrustRead | ApiScope::AttestationsRead);
                let expected = match required {
                    ApiScope::Enterprise => {
                        let held = ApiScope::ALL[..9].iter().filter(|scope| {
                            let read = matches!(scope, ApiScope::TrustRead | ApiScope::AttestationsRead);
                            granted.contains(scope) || (public && read)
                        });
                        everything || held.count() == 9
                    }
                    ApiScope::Public => {
                        let both = granted.contains(&ApiScope::TrustRead)
                            && granted.contains(&ApiScope::AttestationsRead);
                        everything || public || both
                    }
                    _ => everything || granted.contains(&required) || (public && reads),
                };
                assert_eq!(scope_satisfies(&granted, required), expected, "{granted:?} {required}");
            }
        }
    }

    #[test]
    fn scope_strings_are_the_documented_ones() {
        let spelled: Vec<&str> = ApiScope::ALL.iter().map(|scope| scope.as_str()).collect();
        assert_eq!(
            spelled,
            [
                "trust:read",
                "attestations:read",
                "attestations:write",
                "payouts:write",
                "reports:generate",
                "exports:read",
                "webhooks:admin",
                "admin:read",
                "admin:write",
                "public",
                "enterprise",
            ]
        );
        for scope in ApiScope::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
            assert_eq!(serde_json::from_value::<ApiScope>(scope.as_str().into()).unwrap(), scope);
            let shouted = scope.as_str().to_uppercase();
            assert!(shouted.parse::<ApiScope>().is_err(), "{shouted} is no scope");
        }
        for text in ["", "trust", "trust:*", "*", "admin", "trust:read ", "trust:read,admin:read"] {
            let message = text.parse::<ApiScope>().unwrap_err().to_string();
            assert!(message.starts_with("a scope is one of trust:read attestations:read"), "{message}");
        }
    }

    #[test]
    fn narrowed_never_widens() {
        for granted in subsets() {
            for allowed in [&[][..], GRANTABLE_BY_BRAND, ENTERPRISE, PUBLIC] {
                let left = narrowed(&granted, allowed);
                for scope in ApiScope::ALL {
                    let expected = scope_satisfies(&granted, scope) && scope_satisfies(allowed, scope);
                    // A set can be covered by two halves; single scopes cannot.
                    if scope.expanded().len() == 1 {
                        assert_eq!(
                            scope_satisfies(&left, scope),
                            expected,
                            "{granted:?} {allowed:?} {scope}"
                        );
                    }
                }
            }
        }
        assert_eq!(narrowed(&[ApiScope::Enterprise], ENTERPRISE), [ApiScope::Enterprise]);
        assert_eq!(narrowed(&[ApiScope::Enterprise], GRANTABLE_BY_BRAND), GRANTABLE_BY_BRAND);
        assert_eq!(narrowed(&[ApiScope::AdminWrite, ApiScope::Public], &[]), []);
    }

    #[test]
    fn grantable_follows_the_roles() {
        let brand = mintmark_ids::BrandId::new();
        let with = |tenant_admin, role: Option<BrandRole>| Standing {
            tenant_admin,
            brands: role.map(|role| (brand, role)).into_iter().collect(),
            ..Standing::default()
        };
        assert_eq!(grantable(&with(true, None)), ENTERPRISE);
        assert_eq!(grantable(&with(false, Some(BrandRole::Owner))), GRANTABLE_BY_BRAND);
        for (scope, may) in
            [(ApiScope::ExportsRead, true), (ApiScope::AdminRead, false), (ApiScope::Public, true)]
        {
            assert_eq!(scope_satisfies(GRANTABLE_BY_BRAND, scope), may, "{scope}");
        }
        assert_eq!(grantable(&with(false, Some(BrandRole::Admin))), GRANTABLE_BY_BRAND);
        assert_eq!(grantable(&with(false, Some(BrandRole::Member))), []);
        assert_eq!(grantable(&with(false, None)), []);
    }
}
