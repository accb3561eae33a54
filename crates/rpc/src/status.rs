//! Faults as gRPC statuses and back.

use std::collections::HashMap;
use std::error::Error;

use http::HeaderMap;
use mintmark_fault::{Chain, Fault, Kind};
use mintmark_service::limit::{self, LimitAnswer, RejectReason};
use mintmark_service::telemetry;
use serde_json::Value;
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::{ErrorDetails, StatusExt};

/// The `domain` of every `google.rpc.ErrorInfo` that we send.
pub const DOMAIN: &str = "mintmark";

/// The reason of a message that does not parse.
const MALFORMED: &str = "MALFORMED_MESSAGE";
const MALFORMED_SENTENCE: &str = "the message is not valid protobuf for this method";

/// Metadata key with the fault's kind: several kinds share a gRPC code.
const KIND: &str = "kind";
/// Metadata key with the field of the request that the fault is about.
const FIELD: &str = "field";

/// A fault as a status: `ErrorInfo` (reason = code, metadata = kind, field and members), `RetryInfo` where a time is
/// known. The cause is logged here, once, and never sent.
pub fn status(fault: Fault) -> Status {
    match fault.kind() {
        Kind::Internal => tracing::error!(code = fault.code(), error = %Chain(&fault), "call failed"),
        Kind::Unavailable => refused_for_now(&fault),
        _ => {}
    }
    let mut metadata: HashMap<String, String> =
        fault.members().iter().map(|(name, value)| (name.to_string(), encode(value))).collect();
    if let Some(field) = fault.field_name() {
        metadata.insert(FIELD.to_owned(), field.to_owned());
    }
    metadata.insert(KIND.to_owned(), fault.kind().name().to_owned());

    let mut details = ErrorDetails::with_error_info(fault.code(), DOMAIN, metadata);
    if let Some(delay) = fault.retry_delay() {
        details.set_retry_info(Some(delay));
    }
    let code = Code::from(fault.kind().grpc_code());
    Status::with_error_details(code, fault.message().to_owned(), details)
}

/// An outage refuses every call: one line says so, and then one a minute. The metrics count them all.
fn refused_for_now(fault: &Fault) {
    let code = fault.code();
    match telemetry::unavailable_line(code) {
        Some(held_back) => tracing::warn!(code, held_back, error = %Chain(fault), "call refused for now"),
        None => tracing::debug!(code, error = %Chain(fault), "call refused for now"),
    }
}

/// A call over its limit: RESOURCE_EXHAUSTED with `RetryInfo`, and the reason and buckets in `ErrorInfo`.
pub fn over_limit(answer: &LimitAnswer) -> Status {
    // Whoever refuses says why; the bucket of the caller's own is the likelier one to be full.
    let reason = answer.reason.unwrap_or(RejectReason::KeyLimit);
    status(limit::over_limit(reason, &answer.quotas()))
}

/// The fault that a status of a peer stands for.
///
/// A status of ours gives back kind, code, sentence, field, members and retry time. Of any other only the gRPC code is
/// believed: the sentence is our own and the status is kept as the cause. A call that broke on the way is
/// [`Kind::Unavailable`], whatever code the library chose for it.
pub fn fault_of(status: &Status) -> Fault {
    let details = status.get_error_details();
    let Some(info) = details.error_info().filter(|info| info.domain == DOMAIN) else {
        return foreign(status);
    };
    let mut metadata = info.metadata.clone();
    let kind = metadata
        .remove(KIND)
        .and_then(|name| Kind::from_name(&name))
        .unwrap_or_else(|| Kind::from_grpc(status.code().into()));
    let mut fault = Fault::new(kind, info.reason.clone(), status.message().to_owned());
    if let Some(field) = metadata.remove(FIELD) {
        fault = fault.field(field);
    }
    for (name, text) in metadata {
        fault = fault.with(name, decode(text));
    }
    match details.retry_info().and_then(|retry| retry.retry_delay) {
        Some(delay) => fault.retry_after(delay),
        None => fault,
    }
}

/// Whether the status carries a fault of ours.
pub(crate) fn is_ours(status: &Status) -> bool {
    status.get_details_error_info().is_some_and(|info| info.domain == DOMAIN)
}

/// Whether the call broke on the way (no connection, a reset, a time-out of our own): such a status was made here,
/// from an error of the transport, and was never sent by the peer.
pub(crate) fn is_broken(status: &Status) -> bool {
    status.source().is_some()
}

/// Whether our own clock ended the call.
pub(crate) fn is_timed_out(status: &Status) -> bool {
    let mut next = status.source();
    while let Some(error) = next {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// What a server says of a message on a stream that it could not read: the sender's mistake where the bytes are no message,
/// and [`fault_of`] the status otherwise. A client has no use for it: there the sender is the server.
pub fn unreadable(status: &Status) -> Fault {
    if status.code() == Code::Internal && is_malformed(status) {
        return Fault::new(Kind::InvalidInput, MALFORMED, MALFORMED_SENTENCE).caused_by(status.clone());
    }
    fault_of(status)
}

/// The generated code calls a message that does not parse INTERNAL.
fn is_malformed(status: &Status) -> bool {
    status.message().starts_with("failed to decode Protobuf message")
}

fn foreign(status: &Status) -> Fault {
    let kind = if is_broken(status) { Kind::Unavailable } else { Kind::from_grpc(status.code().into()) };
    let sentence = match kind {
        Kind::Internal => return Fault::internal(status.clone()),
        Kind::Unavailable => {
            "a service that this needs cannot be reached now; the same request may work later"
        }
        _ => kind.title(),
    };
    Fault::new(kind, kind.name().to_uppercase(), sentence).caused_by(status.clone())
}

/// Gives a status that no fault made (tonic's own: an unknown method, a message that is too large or malformed) its
/// `ErrorInfo`, and takes internal text away. Returns the gRPC code, if these headers hold one.
pub(crate) fn dress(headers: &mut HeaderMap) -> Option<Code> {
    let bare = Status::from_header_map(headers)?;
    if bare.code() == Code::Ok || !bare.details().is_empty() {
        return Some(bare.code());
    }
    let dressed = dressed(&bare);
    // Only a message that is not a header value could fail; then the bare code must do.
    if dressed.add_header(headers).is_err() {
        tracing::error!("a status could not be written");
    }
    Some(dressed.code())
}

fn dressed(bare: &Status) -> Status {
    let (code, reason, message) = match bare.code() {
        // It is the sender's mistake.
        Code::Internal if is_malformed(bare) => (Code::InvalidArgument, MALFORMED, MALFORMED_SENTENCE),
        Code::OutOfRange => (Code::OutOfRange, "MESSAGE_TOO_LARGE", "the message is larger than 4 MiB"),
        Code::Unimplemented => {
            (Code::Unimplemented, "UNIMPLEMENTED", "this method or encoding is not served here")
        }
        Code::Cancelled => (Code::Cancelled, "CANCELLED", "the call was cancelled"),
        code => {
            tracing::error!(error = %bare.message(), code = ?code, "a call failed outside our own error type");
            (code, "INTERNAL", code.description())
        }
    };
    let kind = Kind::from_grpc(code.into()).name().to_owned();
    let details = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::from([(KIND.to_owned(), kind)]));
    Status::with_error_details(code, message, details)
}

// Metadata values are strings. A string goes as it is unless it would read as JSON; everything else goes as JSON.
fn encode(value: &Value) -> String {
    match value {
        Value::String(text) if serde_json::from_str::<Value>(text).is_err() => text.clone(),
        other => other.to_string(),
    }
}

fn decode(text: String) -> Value {
    serde_json::from_str(&text).unwrap_or(Value::String(text))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fault_through_a_status_comes_back_whole() {
        for kind in Kind::ALL {
            let sent = Fault::new(*kind, "SOME_CODE", "a sentence: with ünicode, and % signs")
                .field("product.gtin")
                .with("requiredScope", "directory:publish")
                .with("grantedScopes", serde_json::json!(["a", "b"]))
                .with("number", 5)
                .with("numeral", "5")
                .retry_after(Duration::from_millis(1500))
                .caused_by(std::io::Error::other("internal text"));
            // Through real headers, as on the wire.
            let mut headers = HeaderMap::new();
            status(sent).add_header(&mut headers).unwrap();
            assert!(!format!("{headers:?}").contains("internal text"));
            let fault = fault_of(&Status::from_header_map(&headers).unwrap());

            assert_eq!(fault.kind(), *kind);
            assert_eq!(fault.code(), "SOME_CODE");
            assert_eq!(fault.message(), "a sentence: with ünicode, and % signs");
            assert_eq!(fault.field_name(), Some("product.gtin"));
            assert_eq!(fault.members()["requiredScope"], "directory:publish");
            assert_eq!(fault.members()["grantedScopes"], serde_json::json!(["a", "b"]));
            assert_eq!(fault.members()["number"], 5);
            assert_eq!(fault.members()["numeral"], "5");
            assert_eq!(fault.members().len(), 4, "kind and field are not members");
            assert_eq!(fault.retry_delay(), Some(Duration::from_millis(1500)));
        }
    }

    #[test]
    fn over_limit_is_resource_exhausted_with_retry_info() {
        let answer = LimitAnswer {
            allowed: false,
            limit: 100,
            tenant_remaining: 900,
            key_remaining: 0,
            window: Duration::from_secs(60),
            reset_at: 1_800_000_000,
            reset_after: Duration::from_secs(12),
            refused: vec![limit::Bucket::Key],
            reason: Some(RejectReason::KeyLimit),
        };
        let status = over_limit(&answer);
        assert_eq!(status.code(), Code::ResourceExhausted);
        let details = status.get_error_details();
        let delay = details.retry_info().unwrap().retry_delay.unwrap();
        assert!((12.0..=18.0).contains(&delay.as_secs_f64()), "{delay:?}");
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.metadata["reason"].as_str()), ("RATE_LIMITED", "key_limit"));
        assert_eq!(info.metadata["violated-policies"], r#"["key"]"#);
    }

    #[test]
    fn fault_of_a_foreign_status_believes_only_its_code() {
        let details = ErrorDetails::with_error_info("SPOOFED", "elsewhere", HashMap::new());
        let foreign = Status::with_error_details(Code::Unavailable, "connect to 10.0.0.1 refused", details);
        let fault = fault_of(&foreign);
        assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "UNAVAILABLE"));
        assert!(!fault.message().contains("10.0.0.1"));
        assert!(Chain(&fault).to_string().contains("10.0.0.1"), "the log still has it");
        assert_eq!(fault_of(&Status::data_loss("x")).code(), "INTERNAL");
    }

    #[test]
    fn dress_replaces_text_that_no_fault_wrote() {
        let mut headers = HeaderMap::new();
        Status::unknown("SELECT secret FROM table").add_header(&mut headers).unwrap();
        assert_eq!(dress(&mut headers), Some(Code::Unknown));
        let shown = Status::from_header_map(&headers).unwrap();
        assert!(!shown.message().contains("SELECT"));
        assert_eq!(shown.get_details_error_info().unwrap().reason, "INTERNAL");
    }

    #[test]
    fn dress_leaves_a_status_of_ours_alone() {
        let mut headers = HeaderMap::new();
        status(Fault::not_found("batch")).add_header(&mut headers).unwrap();
        let before = headers.clone();
        assert_eq!(dress(&mut headers), Some(Code::NotFound));
        assert_eq!(headers, before);
        assert_eq!(dress(&mut HeaderMap::new()), None);
    }
}
