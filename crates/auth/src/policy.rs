//! One function decides, one table says how: [`authorize`] and [`crate::action`].

use std::marker::PhantomData;

use mintmark_fault::{Fault, Result};
use mintmark_ids::{BrandId, TenantId};
use serde_json::{Value, json};

use crate::api_scope::{self, ApiScope};
use crate::{Actor, BrandRole, CallRole, EvidenceRole, Principal, ServiceCaller, Session, scope_satisfies};

pub use crate::action::matrix;

/// One action of the table: what it is called, what it needs, what it is done to.
pub trait Action: 'static {
    /// Its name in the policy file, in snake_case.
    const NAME: &'static str;
    /// What the caller must have.
    const RULE: Rule;
    /// Whether it may be done in a session in which somebody acts as the person.
    const IMPERSONABLE: bool;
    /// The noun of "no such …" when the target belongs to another tenant.
    const NOUN: &'static str;
    /// What it is done to.
    type On: Target;
}

/// What an action asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The control token, and nothing else.
    ControlToken,
    /// A person of the tenant.
    TenantMember,
    /// A person whom the control token made administrator of the tenant.
    TenantAdmin,
    /// A person with at least this role for the brand.
    Brand(BrandRole),
    /// An API key with this scope, or a person who may grant it.
    Api(ApiScope),
    /// A person with one of these evidence roles, least first.
    Evidence(&'static [EvidenceRole]),
    /// Whoever [`Rule::Api`] lets in, or [`Rule::Evidence`].
    ApiOrEvidence(ApiScope, &'static [EvidenceRole]),
    /// A service whose token carries this scope for the tenant.
    Scope(&'static str),
    /// A service whose token carries one of these; a refusal names the first.
    OneOf(&'static [&'static str]),
}

mod sealed {
    pub trait Sealed {}
}

/// What an action is done to.
pub trait Target: sealed::Sealed + Clone + Send + Sync + 'static {
    /// The word for the policy file.
    const NAME: &'static str;
    /// The tenant that it belongs to, where it belongs to one.
    fn tenant(&self) -> Option<&TenantId>;
    /// The brand, where it is one.
    fn brand(&self) -> Option<BrandId>;
    /// This kind of target at a tenant and brand, for walking the matrix.
    fn at(tenant: &TenantId, brand: BrandId) -> Self;
}

/// A target that lies within a tenant: its permits have [`Permit::tenant`].
pub trait Within: Target {
    /// The tenant that it belongs to.
    fn within(&self) -> &TenantId;
}

/// The platform as a whole.
#[derive(Clone, Debug)]
pub struct OnPlatform;

/// A tenant.
#[derive(Clone, Debug)]
pub struct OnTenant(pub TenantId);

/// A brand of a tenant. Look the brand up by both ids first: one that the tenant does not have is 404, not 403.
#[derive(Clone, Debug)]
pub struct OnBrand {
    /// The tenant that owns the brand.
    pub tenant: TenantId,
    /// The brand.
    pub brand: BrandId,
}

/// The proof that the policy allowed `A`: what a store function that changes something takes.
///
/// Nothing but [`authorize`] makes one:
///
/// ```compile_fail
/// use mintmark_auth::{Permit, action::SubmitMint};
/// fn forge() -> Permit<SubmitMint> { Permit::new() }
/// ```
/// ```compile_fail
/// use mintmark_auth::{Actor, OnPlatform, Permit, action::ManageTenants};
/// fn forge() -> Permit<ManageTenants> {
///     Permit { actor: Actor::ControlToken, on: OnPlatform, action: std::marker::PhantomData }
/// }
/// ```
/// A permit for one action is not a permit for another, and a permit for the platform has no tenant:
///
/// ```compile_fail
/// use mintmark_auth::{Permit, action::{SubmitMint, ViewBatch}};
/// fn widen(view: Permit<ViewBatch>) -> Permit<SubmitMint> { view }
/// ```
/// ```compile_fail
/// use mintmark_auth::{Permit, action::ManageTenants};
/// fn tenant(permit: &Permit<ManageTenants>) -> String { permit.tenant().to_string() }
/// ```
pub struct Permit<A: Action> {
    actor: Actor,
    role: Option<CallRole>,
    on: A::On,
    action: PhantomData<fn() -> A>,
}

impl<A: Action> Permit<A> {
    /// Who was permitted.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// By what right, where the rule is about evidence: what a call made with the permit says in the person's name.
    pub fn role(&self) -> Option<CallRole> {
        self.role
    }
}

impl<A: Action> Permit<A>
where
    A::On: Within,
{
    /// The tenant that the permit is for: the only one that a store function may touch with it.
    pub fn tenant(&self) -> &TenantId {
        self.on.within()
    }
}

impl<A: Action<On = OnBrand>> Permit<A> {
    /// The brand that the permit is for.
    pub fn brand(&self) -> BrandId {
        self.on.brand
    }
}

impl<A: Action> Clone for Permit<A> {
    fn clone(&self) -> Self {
        Permit { actor: self.actor, role: self.role, on: self.on.clone(), action: PhantomData }
    }
}

/// Decides whether `who` may do `A` to `on`.
///
/// - 401 `AUTHENTICATION_REQUIRED`: this kind of credential opens nothing here.
/// - 404 `NOT_FOUND`: the target belongs to another tenant; whether it exists is not said.
/// - 403 `FORBIDDEN`: one's own tenant, without the right; members `requiredRole` and `grantedRoles`, or
///   `requiredScope` and `grantedScopes`.
/// - 403 `IMPERSONATION_REFUSED`: somebody acts as the person, and this wants the person.
pub fn authorize<A: Action>(who: &Principal, on: A::On) -> Result<Permit<A>> {
    let role = match (A::RULE, who) {
        (Rule::ControlToken, Principal::Control(_)) => Ok(None),
        (
            Rule::TenantMember
            | Rule::TenantAdmin
            | Rule::Brand(_)
            | Rule::Api(_)
            | Rule::Evidence(_)
            | Rule::ApiOrEvidence(..),
            Principal::Session(session),
        ) => same_tenant::<A>(session.tenant(), &on)
            .and_then(|()| judge_person(A::RULE, session, on.brand()))
            .and_then(|role| judge_impersonation::<A>(session).map(|()| role)),
        (Rule::Api(scope) | Rule::ApiOrEvidence(scope, _), Principal::ApiKey(caller)) => {
            same_tenant::<A>(caller.tenant(), &on)
                .and_then(|()| judge_api_scope(scope, caller.scopes()))
                .map(|()| call_role(scope))
        }
        (Rule::Scope(scope), Principal::Service(caller)) => {
            same_tenant::<A>(caller.tenant(), &on).and_then(|()| judge_scope(&[scope], caller)).map(|()| None)
        }
        (Rule::OneOf(scopes), Principal::Service(caller)) => {
            same_tenant::<A>(caller.tenant(), &on).and_then(|()| judge_scope(scopes, caller)).map(|()| None)
        }
        _ => Err(Fault::unauthenticated()),
    }?;
    Ok(Permit { actor: who.actor(), role, on, action: PhantomData })
}

fn same_tenant<A: Action>(own: &TenantId, on: &A::On) -> Result<()> {
    if on.tenant() == Some(own) { Ok(()) } else { Err(Fault::not_found(A::NOUN)) }
}

fn judge_person(rule: Rule, session: &Session, brand: Option<BrandId>) -> Result<Option<CallRole>> {
    let standing = session.standing();
    match rule {
        Rule::TenantMember => Ok(None),
        Rule::TenantAdmin if standing.tenant_admin => Ok(None),
        Rule::TenantAdmin => Err(lacks_role("tenantAdmin", json!([]))),
        Rule::Brand(required) => match brand.and_then(|brand| standing.role(brand)) {
            Some(role) if role >= required => Ok(None),
            Some(role) => Err(lacks_role(required.as_str(), json!([role]))),
            None => Err(lacks_role(required.as_str(), json!([]))),
        },
        Rule::Api(scope) => judge_api_scope(scope, api_scope::grantable(standing)).map(|()| call_role(scope)),
        Rule::Evidence(roles) => judge_evidence(roles, session).map(Some),
        Rule::ApiOrEvidence(scope, roles) => judge_evidence(roles, session).map(Some).or_else(|fault| {
            judge_api_scope(scope, api_scope::grantable(standing))
                .map(|()| call_role(scope))
                .map_err(|_| fault)
        }),
        Rule::ControlToken | Rule::Scope(_) | Rule::OneOf(_) => Err(Fault::unauthenticated()),
    }
}

/// The highest of the person's roles that are taken here.
fn judge_evidence(roles: &'static [EvidenceRole], session: &Session) -> Result<CallRole> {
    let held = &session.standing().evidence;
    let highest = roles.iter().filter(|role| held.contains(role)).max();
    highest.map(|role| CallRole::from(*role)).ok_or_else(|| {
        let required = roles.first().map_or("", |role| role.as_str());
        Fault::forbidden("FORBIDDEN", "your roles for evidence do not carry this")
            .with("requiredRole", required)
            .with("grantedRoles", json!(held))
    })
}

/// The scope that is a right of its own where evidence is concerned.
fn call_role(scope: ApiScope) -> Option<CallRole> {
    (scope == ApiScope::AdminRead).then_some(CallRole::AdminRead)
}

fn judge_impersonation<A: Action>(session: &Session) -> Result<()> {
    if session.impersonator().is_none() || A::IMPERSONABLE {
        return Ok(());
    }
    let sentence = "this wants the person's own session: it cannot be done while acting as somebody";
    Err(Fault::forbidden("IMPERSONATION_REFUSED", sentence))
}

fn lacks_role(required: &'static str, granted: Value) -> Fault {
    let message = match required {
        "tenantAdmin" => "this needs an administrator of the tenant",
        "owner" => "this needs the role owner for the brand",
        "admin" => "this needs the role admin or owner for the brand",
        _ => "this needs a membership of the brand",
    };
    Fault::forbidden("FORBIDDEN", message).with("requiredRole", required).with("grantedRoles", granted)
}

fn judge_api_scope(required: ApiScope, granted: &[ApiScope]) -> Result<()> {
    if scope_satisfies(granted, required) {
        return Ok(());
    }
    Err(Fault::forbidden("FORBIDDEN", "the scope that this needs has not been granted")
        .with("requiredScope", required.as_str())
        .with("grantedScopes", json!(granted)))
}

fn judge_scope(scopes: &[&'static str], caller: &ServiceCaller) -> Result<()> {
    if scopes.iter().any(|scope| caller.has_scope(scope)) {
        return Ok(());
    }
    Err(Fault::forbidden("FORBIDDEN", "the token lacks the scope that this needs")
        .with("requiredScope", scopes.first().copied().unwrap_or_default())
        .with("grantedScopes", json!(caller.scopes())))
}

/// One row of the policy: for the policy file, and for tests that walk every action.
pub struct MatrixRow {
    /// [`Action::NAME`].
    pub action: &'static str,
    /// [`Action::RULE`].
    pub rule: Rule,
    /// [`Target::NAME`].
    pub target: &'static str,
    /// [`Action::IMPERSONABLE`].
    pub impersonable: bool,
    pub(crate) decide: fn(&Principal, &TenantId, BrandId) -> Result<()>,
}

impl MatrixRow {
    pub(crate) fn of<A: Action>() -> Self {
        MatrixRow {
            action: A::NAME,
            rule: A::RULE,
            target: A::On::NAME,
            impersonable: A::IMPERSONABLE,
            decide: |who, tenant, brand| authorize::<A>(who, A::On::at(tenant, brand)).map(drop),
        }
    }

    /// What [`authorize`] says to this action at a tenant and brand; the permit itself is not given out.
    pub fn decide(&self, who: &Principal, tenant: &TenantId, brand: BrandId) -> Result<()> {
        (self.decide)(who, tenant, brand)
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Rule::ControlToken => f.pad("control token"),
            Rule::TenantMember => f.pad("tenant member"),
            Rule::TenantAdmin => f.pad("tenant admin"),
            Rule::Brand(role) => f.pad(&format!("brand {role}")),
            Rule::Api(scope) => f.pad(&format!("api {scope}")),
            Rule::Evidence(roles) => f.pad(&format!("evidence {}", spelt(roles))),
            Rule::ApiOrEvidence(scope, roles) => f.pad(&format!("api {scope} or {}", spelt(roles))),
            Rule::Scope(scope) => f.pad(&format!("scope {scope}")),
            Rule::OneOf(scopes) => f.pad(&format!("scope {}", scopes.join("|"))),
        }
    }
}

fn spelt(roles: &[EvidenceRole]) -> String {
    roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join("|")
}

impl sealed::Sealed for OnPlatform {}
impl Target for OnPlatform {
    const NAME: &'static str = "platform";
    fn tenant(&self) -> Option<&TenantId> {
        None
    }
    fn brand(&self) -> Option<BrandId> {
        None
    }
    fn at(_: &TenantId, _: BrandId) -> Self {
        OnPlatform
    }
}

impl sealed::Sealed for OnTenant {}
impl Target for OnTenant {
    const NAME: &'static str = "tenant";
    fn tenant(&self) -> Option<&TenantId> {
        Some(&self.0)
    }
    fn brand(&self) -> Option<BrandId> {
        None
    }
    fn at(tenant: &TenantId, _: BrandId) -> Self {
        OnTenant(tenant.clone())
    }
}
impl Within for OnTenant {
    fn within(&self) -> &TenantId {
        &self.0
    }
}

impl sealed::Sealed for OnBrand {}
impl Target for OnBrand {
    const NAME: &'static str = "brand";
    fn tenant(&self) -> Option<&TenantId> {
        Some(&self.tenant)
    }
    fn brand(&self) -> Option<BrandId> {
        Some(self.brand)
    }
    fn at(tenant: &TenantId, brand: BrandId) -> Self {
        OnBrand { tenant: tenant.clone(), brand }
    }
}
impl Within for OnBrand {
    fn within(&self) -> &TenantId {
        &self.tenant
    }
}
