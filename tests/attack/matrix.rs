//! Every attack on every door: refused, exactly so, without a trace of the credential, and with nothing done.

mod http;
mod rpc;

use std::rc::Rc;
use std::time::{Duration, Instant};

use mintmark_auth::{audience, envoy, scope};
use mintmark_ids::TenantId;
use secrecy::ExposeSecret as _;
use serde_json::json;

use crate::forge::{
    Attack, Loot, Rightful, Signer, against_token, beside_another, carried, control_token_astray,
    near_the_api_key, near_the_control_token,
};
use crate::stage::{Shop, Stage};

/// A table of three units is written within a second; slow machines take their time.
const EXPORTED_WITHIN: Duration = Duration::from_secs(60);
/// Shown of the failures of one test; a broken guard fails thousands of times.
const SHOWN: usize = 25;

/// Everything that an attacker may have in hand: every key of the platform and a rightful credential of each kind.
struct Attackers<'a> {
    stage: &'a Stage,
    shop: Shop,
    identity: Rc<Signer>,
    sessions: Rc<Signer>,
    console: Rc<Signer>,
    preflight: String,
}

impl<'a> Attackers<'a> {
    /// With a tenant of their own to attack.
    async fn gather(stage: &'a Stage) -> Self {
        let shop = stage.shop().await;
        let bearer = format!("Bearer {}", shop.owner.session);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let asked = json!({ "scopes": ["preflight:read", "jobs:read"] }).to_string();
        let reply = stage
            .send("POST", &stage.control, "/v1/preflight-tokens", &headers, Some(asked.as_bytes()))
            .await;
        let preflight = reply.body["token"].as_str().unwrap().to_owned();
        // Nothing may be under way that changes rows by itself.
        let (begun, export) = (Instant::now(), format!("/v1/exports/{}", shop.export));
        while stage.send("GET", &stage.control, &export, &headers, None).await.body["state"] != "ready" {
            assert!(begun.elapsed() < EXPORTED_WITHIN, "the export did not come");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Attackers {
            stage,
            shop,
            identity: Rc::new(Signer::from_pem(&stage.identity_pem)),
            sessions: Rc::new(Signer::from_pem(&stage.session_pem)),
            console: Rc::new(Signer::from_pem(&stage.console_pem)),
            preflight,
        }
    }

    /// A session of the tenant's owner.
    fn session(&self) -> Rightful {
        Rightful::of(&self.shop.owner.session, &self.sessions)
    }

    /// A service token for the service that has the scope: of the control plane, and of the console for the control plane.
    fn service(&self, scope: &'static str) -> Rightful {
        let tenant = TenantId::parse(&self.shop.tenant).unwrap();
        if scope == scope::TOKENS_EXCHANGE {
            let token = self.stage.console_tokens().for_tenant(audience::REGISTRY, &tenant, &[scope]);
            return Rightful::of(token.expose(), &self.console);
        }
        if scope::EVIDENCE.contains(&scope) {
            let dispute = self.shop.dispute.parse().unwrap();
            let token = self.stage.person_call(&tenant, dispute, scope);
            return Rightful::of(token.expose(), &self.identity);
        }
        let audience = match scope {
            scope::RATELIMIT_CHECK => audience::RATELIMIT,
            scope if scope::PREFLIGHT.contains(&scope) => audience::PREFLIGHT,
            _ => audience::RESOLVER,
        };
        let token = self.stage.tokens.for_tenant(audience, &tenant, &[scope]);
        Rightful::of(token.expose(), &self.identity)
    }

    /// A PREFLIGHT_JWT with all scopes.
    fn preflight_jwt(&self) -> Rightful {
        let tenant = TenantId::parse(&self.shop.tenant).unwrap();
        let token = self.stage.tokens.for_tenant(audience::PREFLIGHT, &tenant, &scope::PREFLIGHT);
        Rightful::of(token.expose(), &self.identity)
    }

    /// What else there is for whoever attacks with a token like this one.
    fn loot(&self, rightful: &Rightful) -> Loot {
        let mut other_kinds = vec![
            ("the control token", self.stage.control_token.clone()),
            ("a PREFLIGHT_JWT", self.preflight.clone()),
        ];
        if rightful.claims["aud"] == audience::PREFLIGHT {
            other_kinds.pop();
            other_kinds.push(("a service token", self.service(scope::DIRECTORY_READ).token()));
        }
        let other = if rightful.is_session() {
            other_kinds.extend(
                ["directory:publish", "directory:read"]
                    .map(|scope| ("a service token", self.service(scope).token())),
            );
            self.stage.identity_pem.as_str()
        } else {
            other_kinds.push(("a session", self.session().token()));
            other_kinds.push(("an API key", self.shop.api_key.clone()));
            other_kinds.push(("an Envoy's credential", self.stage.envoy_credential.clone()));
            // The bundle lets the second service say less, and nothing in the control plane's name.
            let reader =
                Rightful { signer: Rc::new(Signer::from_pem(&self.stage.reader_pem)), ..rightful.clone() };
            let by_reader = Rightful {
                header: json!({"alg": "EdDSA", "typ": "JWT", "kid": reader.signer.kid}),
                ..reader
            };
            other_kinds.push(("by another service, as the control plane", by_reader.token()));
            let own = by_reader.with_claims(&[
                ("sub", json!("service:preflight-gateway")),
                ("scp", json!(["directory:publish", "directory:revoke", "directory:read"])),
            ]);
            other_kinds.push(("by another service, scopes that it may not say", own));
            self.stage.reader_pem.as_str()
        };
        Loot {
            stranger: Signer::generate(),
            other: Signer::from_pem(other),
            other_tenant: self.stage.theirs.tenant.clone(),
            other_user: self.stage.theirs.owner.id.clone(),
            other_kinds,
        }
    }

    /// Every attack on a door that wants such a token.
    fn on_token(&self, rightful: &Rightful) -> Vec<Attack> {
        let mut attacks = against_token(rightful, &self.loot(rightful));
        attacks.extend(carried(&rightful.token()));
        attacks.extend(control_token_astray(&self.stage.control_token));
        attacks
    }

    /// What could open a door that asks nobody, were the edge to look at it.
    fn on_open(&self) -> Vec<Attack> {
        let mut attacks = carried(&self.session().token());
        attacks.extend(control_token_astray(&self.stage.control_token));
        attacks.extend(self.api_key_as_such());
        attacks.extend(
            self.loot(&self.session()).other_kinds.iter().map(|(kind, token)| Attack::bearer(*kind, token)),
        );
        attacks
    }

    /// Every attack on a door that wants a session and no key.
    fn on_session(&self) -> Vec<Attack> {
        let mut attacks = self.on_token(&self.session());
        attacks.extend(self.api_key_as_such());
        attacks.extend(beside_another(&self.session().token(), &self.shop.api_key));
        attacks
    }

    /// Every attack on a door that takes a session or an API key.
    fn on_session_or_key(&self) -> Vec<Attack> {
        let mut attacks = self.on_token(&self.session());
        attacks.extend(beside_another(&self.session().token(), &self.shop.api_key));
        attacks.extend(near_the_api_key(&self.shop.api_key, &self.stage.theirs.spare_key));
        attacks
    }

    /// Every attack on a door that wants a PREFLIGHT_JWT.
    fn on_preflight(&self) -> Vec<Attack> {
        let mut attacks = self.on_token(&self.preflight_jwt());
        attacks.extend(self.api_key_as_such());
        attacks.extend(beside_another(&self.preflight_jwt().token(), &self.shop.api_key));
        attacks
    }

    /// A rightful API key where none is taken.
    fn api_key_as_such(&self) -> [Attack; 2] {
        let key = self.shop.api_key.as_str();
        [Attack::bearer("an API key", key), Attack::new("an API key in its header").header("x-api-key", key)]
    }

    /// Every attack on the door that wants an Envoy's credential: rightful service tokens are strangers there.
    fn on_envoy(&self) -> Vec<Attack> {
        let right = self.stage.envoy_credential.as_str();
        let mut attacks = self.on_token(&self.service(scope::RATELIMIT_CHECK));
        attacks.retain(|attack| attack.name != "another kind: an Envoy's credential");
        for scope in [scope::RATELIMIT_CHECK, scope::DIRECTORY_READ] {
            attacks.push(Attack::bearer("a rightful service token", &self.service(scope).token()));
        }
        let another = envoy::generate();
        for (name, value) in [
            ("without its prefix", right["mmenv_".len()..].to_owned()),
            ("its prefix alone", "mmenv_".to_owned()),
            ("in upper case", right.to_uppercase()),
            ("without its last character", right[..right.len() - 1].to_owned()),
            ("with one character more", format!("{right}A")),
            ("twice", format!("{right}{right}")),
            ("padded", format!("{right}=")),
            ("of another platform", another.credential.expose_secret().to_owned()),
            ("a digest", another.sha256.clone()),
        ] {
            attacks.push(Attack::bearer(format!("an Envoy's credential, {name}"), &value));
        }
        attacks.extend(carried(right));
        attacks
    }

    /// Every attack on a door that wants the control token.
    fn on_control(&self) -> Vec<Attack> {
        let session = self.session();
        let mut attacks = against_token(&session, &self.loot(&session));
        attacks.retain(|attack| attack.name != "another kind: the control token");
        for rightful in [session.token(), self.service("directory:publish").token(), self.preflight.clone()] {
            attacks.push(Attack::bearer("another kind of credential", &rightful));
        }
        attacks.extend(self.api_key_as_such());
        attacks.extend(carried(&self.stage.control_token));
        attacks.extend(near_the_control_token(&self.stage.control_token));
        attacks
    }
}

/// Fails with the first of many.
fn none_of(failures: &[String]) {
    let shown = failures.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join("\n  ");
    assert!(failures.is_empty(), "{} attacks did not end as they must:\n  {shown}", failures.len());
}
