use std::fmt;
use std::str::FromStr;

use mintmark_ids::{ServiceName, UserId};
use serde::{Deserialize, Serialize};

/// Who did something, for events, audit entries and jobs: `control-token`, `user:usr_…` or `service:control-plane`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Actor {
    /// An operator with the control token.
    ControlToken,
    /// A person with a session.
    User(UserId),
    /// A service with a token of its own.
    Service(ServiceName),
}

/// A text is not an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an actor is control-token, user:usr_… or service:<name>")]
pub struct ActorError;

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::ControlToken => f.write_str("control-token"),
            Actor::User(user) => write!(f, "user:{user}"),
            Actor::Service(service) => write!(f, "service:{service}"),
        }
    }
}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        match text.split_once(':') {
            None if text == "control-token" => Ok(Actor::ControlToken),
            Some(("user", user)) => user.parse().map(Actor::User).map_err(|_| ActorError),
            Some(("service", name)) => name.parse().map(Actor::Service).map_err(|_| ActorError),
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
        for actor in [Actor::ControlToken, Actor::User(UserId::new()), Actor::Service(ServiceName::Resolver)]
        {
            assert_eq!(actor.to_string().parse(), Ok(actor));
            let json = serde_json::to_value(actor).unwrap();
            assert_eq!(serde_json::from_value::<Actor>(json).unwrap(), actor);
        }
        for text in ["", "control-token:", "user:", "user:brd_x", "service:nobody", "system"] {
            assert_eq!(text.parse::<Actor>(), Err(ActorError), "{text}");
        }
    }
}
