use std::fmt;
use std::str::FromStr;

use mintmark_ids::{ApiKeyId, ServiceName, UserId};
use serde::{Deserialize, Serialize};

/// Who did something, for events, audit entries and jobs: `control-token`, `user:usr_…`, `api-key:key_…`,
/// `service:control-plane`, or under both names `user:usr_… by api-key:key_…`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// An operator with the control token.
    ControlToken,
    /// A person with a session.
    User(UserId),
    /// An API key.
    ApiKey(ApiKeyId),
    /// Somebody who acts as a person.
    Impersonated {
        /// In whose name.
        user: UserId,
        /// Who truly acts.
        by: Impersonator,
    },
    /// A service with a token of its own.
    Service(ServiceName),
}

/// Who acts in another person's name: the `act` claim of an impersonating session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Impersonator {
    /// An administrator in person.
    User(UserId),
    /// An API key with `admin:write`.
    ApiKey(ApiKeyId),
}

/// A text is not an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an actor is control-token, user:usr_…, api-key:key_…, service:<name>, or user:usr_… by one of the others"
)]
pub struct ActorError;

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::ControlToken => f.write_str("control-token"),
            Actor::User(user) => write!(f, "user:{user}"),
            Actor::ApiKey(key) => write!(f, "api-key:{key}"),
            Actor::Impersonated { user, by } => write!(f, "user:{user} by {by}"),
            Actor::Service(service) => write!(f, "service:{service}"),
        }
    }
}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        if let Some((user, by)) = text.split_once(" by ") {
            let user = user.strip_prefix("user:").and_then(|user| user.parse().ok()).ok_or(ActorError)?;
            return Ok(Actor::Impersonated { user, by: by.parse()? });
        }
        match text.split_once(':') {
            None if text == "control-token" => Ok(Actor::ControlToken),
            Some(("user", user)) => user.parse().map(Actor::User).map_err(|_| ActorError),
            Some(("api-key", key)) => key.parse().map(Actor::ApiKey).map_err(|_| ActorError),
            Some(("service", name)) => name.parse().map(Actor::Service).map_err(|_| ActorError),
            _ => Err(ActorError),
        }
    }
}

impl fmt::Display for Impersonator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Impersonator::User(user) => write!(f, "user:{user}"),
            Impersonator::ApiKey(key) => write!(f, "api-key:{key}"),
        }
    }
}

impl FromStr for Impersonator {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        match text.split_once(':') {
            Some(("user", user)) => user.parse().map(Impersonator::User).map_err(|_| ActorError),
            Some(("api-key", key)) => key.parse().map(Impersonator::ApiKey).map_err(|_| ActorError),
            _ => Err(ActorError),
        }
    }
}

impl TryFrom<String> for Actor {
    type Error = ActorError;

    fn try_from(text: String) -> Result<Self, ActorError> {
        text.parse()
    }
}

impl From<Actor> for String {
    fn from(actor: Actor) -> String {
        actor.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actor_reads_back() {
        let user = UserId::new();
        for actor in [
            Actor::ControlToken,
            Actor::User(user),
            Actor::ApiKey(ApiKeyId::new()),
            Actor::Impersonated { user, by: Impersonator::ApiKey(ApiKeyId::new()) },
            Actor::Impersonated { user, by: Impersonator::User(UserId::new()) },
            Actor::Service(ServiceName::Resolver),
        ] {
            assert_eq!(actor.to_string().parse(), Ok(actor));
            let json = serde_json::to_value(actor).unwrap();
            assert_eq!(serde_json::from_value::<Actor>(json).unwrap(), actor);
        }
        for text in [
            "",
            "control-token:",
            "user:",
            "user:brd_x",
            "service:nobody",
            "system",
            "user:x by control-token",
            "control-token by user:",
        ] {
            assert_eq!(text.parse::<Actor>(), Err(ActorError), "{text}");
        }
    }
}
