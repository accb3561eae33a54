use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::Kind;

/// A failure with its public half (kind, code, sentence, members) and its private half (the cause).
///
/// One pointer wide, so that a `Result` stays cheap on the good path.
pub struct Fault(Box<Inner>);

struct Inner {
    kind: Kind,
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    members: BTreeMap<Cow<'static, str>, Value>,
    retry_after: Option<Duration>,
    cause: Option<Box<dyn Error + Send + Sync + 'static>>,
}

impl Fault {
    /// A fault of `kind` with a stable SCREAMING_SNAKE `code` (clients switch on it) and a sentence for people.
    ///
    /// Everything given here is public: never format a cause, a secret or a code of a unit into `message`.
    pub fn new(
        kind: Kind,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Fault(Box::new(Inner {
            kind,
            code: code.into(),
            message: message.into(),
            field: None,
            members: BTreeMap::new(),
            retry_after: None,
            cause: None,
        }))
    }

    /// 400: the value of `field` is not acceptable.
    pub fn invalid(
        code: impl Into<Cow<'static, str>>,
        field: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Fault::new(Kind::InvalidInput, code, message).field(field)
    }

    /// 401 `AUTHENTICATION_REQUIRED`: the one answer to every credential that is missing or not valid here.
    pub fn unauthenticated() -> Self {
        Fault::new(
            Kind::Unauthenticated,
            "AUTHENTICATION_REQUIRED",
            "this needs a valid bearer token of the kind that the documentation names for it",
        )
    }

    /// 403: the credential is valid and the right is missing.
    pub fn forbidden(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Fault::new(Kind::Forbidden, code, message)
    }

    /// 404 `NOT_FOUND`; `what` is the noun, in lower case: "batch".
    pub fn not_found(what: &'static str) -> Self {
        Fault::new(Kind::NotFound, "NOT_FOUND", format!("no such {what}"))
    }

    /// 409: the request collides with the present state.
    pub fn conflict(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Fault::new(Kind::Conflict, code, message)
    }

    /// 503: something that we need is away; add [`Fault::retry_after`] where a time is known.
    pub fn unavailable(code: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Fault::new(Kind::Unavailable, code, message)
    }

    /// 500 `INTERNAL`: our mistake. The client learns nothing of `cause`; the log gets all of it.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync + 'static>>) -> Self {
        let mut fault = Fault::new(
            Kind::Internal,
            "INTERNAL",
            "something went wrong on our side; try again, and report the request id if it keeps happening",
        );
        fault.0.cause = Some(cause.into());
        fault
    }

    /// Names the field of the request that the fault is about (camelCase, dotted where nested).
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// Adds a public member to the problem document, e.g. `requiredScope`.
    pub fn with(mut self, member: impl Into<Cow<'static, str>>, value: impl Into<Value>) -> Self {
        self.0.members.insert(member.into(), value.into());
        self
    }

    /// Keeps the cause for the log; it is never shown.
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync + 'static>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// Tells the client when a retry makes sense (sent in whole seconds, rounded up).
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry_after = Some(delay);
        self
    }

    /// The situation.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The stable SCREAMING_SNAKE code.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The public sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The field of the request, where the fault is about one.
    pub fn field_name(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// Further public members of the problem document, sorted by name.
    pub fn members(&self) -> &BTreeMap<Cow<'static, str>, Value> {
        &self.0.members
    }

    /// When a retry makes sense, where that is known.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

/// The code and the public sentence; the cause is for [`crate::Chain`].
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)
    }
}

/// For panics in tests and for logs: includes the cause.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("kind", &self.0.kind)
            .field("code", &self.0.code)
            .field("message", &self.0.message)
            .field("field", &self.0.field)
            .field("members", &self.0.members)
            .field("cause", &self.0.cause)
            .finish_non_exhaustive()
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}
