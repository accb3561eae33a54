//! `envoy.service.ratelimit.v3.RateLimitService`.

use mintmark_auth::EnvoyCaller;
use mintmark_fault::Fault;
use mintmark_rpc::status;
use mintmark_service::limit::{RateLimitFields, over_limit};
use mintmark_wire::envoy::config::core::v3::HeaderValue;
use mintmark_wire::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use mintmark_wire::envoy::service::ratelimit::v3::rate_limit_response::rate_limit::Unit as WireUnit;
use mintmark_wire::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus, RateLimit};
use mintmark_wire::envoy::service::ratelimit::v3::rate_limit_service_server::{
    RateLimitService, RateLimitServiceServer,
};
use mintmark_wire::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use serde_json::{Map, Value, json};
use tonic::{Request, Response, Status};

use crate::app::envoy::{self, Descriptor, EnvoyAnswer, EnvoyLimiter, Unit};

/// Descriptors of a request, and entries of a descriptor: far more than anybody configures.
const MOST_DESCRIPTORS: usize = 64;
const MOST_ENTRIES: usize = 16;
/// What a descriptor may charge at once.
const MOST_HITS: u64 = 1_000_000_000;

/// The service that Envoy asks.
pub struct EnvoyRpc {
    limiter: EnvoyLimiter,
}

impl EnvoyRpc {
    /// Its one method, which takes no service token.
    pub const PATH: &'static str = "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

    /// The generated server around it.
    #[must_use]
    pub fn server(limiter: EnvoyLimiter) -> RateLimitServiceServer<Self> {
        RateLimitServiceServer::new(Self { limiter })
    }
}

#[tonic::async_trait]
impl RateLimitService for EnvoyRpc {
    async fn should_rate_limit(
        &self,
        request: Request<RateLimitRequest>,
    ) -> Result<Response<RateLimitResponse>, Status> {
        let caller = request.extensions().get::<EnvoyCaller>().cloned();
        let caller = caller.ok_or_else(|| status(Fault::unauthenticated()))?;
        let message = request.into_inner();
        let domain = caller.domain(&message.domain).ok_or_else(|| {
            status(Fault::forbidden("FORBIDDEN", "this credential is not bound to the domain of the request"))
        })?;
        let descriptors = descriptors(message).map_err(status)?;
        let answer = self.limiter.decide(&domain, &descriptors).await.map_err(status)?;
        Ok(Response::new(response(&answer)))
    }
}

fn descriptors(message: RateLimitRequest) -> Result<Vec<Descriptor>, Fault> {
    let of_request = u64::from(message.hits_addend.max(1));
    let many = message.descriptors.len() > MOST_DESCRIPTORS
        || message.descriptors.iter().any(|descriptor| descriptor.entries.len() > MOST_ENTRIES);
    if many {
        let sentence = "a request has at most 64 descriptors, and a descriptor at most 16 entries";
        return Err(Fault::invalid("TOO_MANY_DESCRIPTORS", "descriptors", sentence));
    }
    message.descriptors.into_iter().map(|wire| descriptor(wire, of_request)).collect()
}

fn descriptor(wire: RateLimitDescriptor, of_request: u64) -> Result<Descriptor, Fault> {
    if wire.is_negative_hits {
        let sentence = "hits cannot be given back here: take is_negative_hits out of Envoy's configuration";
        return Err(Fault::invalid("NEGATIVE_HITS", "descriptors.is_negative_hits", sentence));
    }
    let cost = wire.hits_addend.unwrap_or(of_request);
    if cost > MOST_HITS {
        let sentence = "hits are a number from 0 to 1000000000";
        return Err(Fault::invalid("COST_OUT_OF_RANGE", "descriptors.hits_addend", sentence));
    }
    Ok(Descriptor { entries: wire.entries.into_iter().map(|entry| (entry.key, entry.value)).collect(), cost })
}

fn response(answer: &EnvoyAnswer) -> RateLimitResponse {
    let mut headers = Vec::new();
    if !answer.quotas.is_empty() {
        let fields = RateLimitFields::of(&answer.quotas);
        headers.push(header(RateLimitFields::POLICY, fields.policy));
        headers.push(header(RateLimitFields::LIMIT, fields.limit));
    }
    let mut raw_body = Vec::new();
    if let Some(reason) = answer.refused {
        let fault = over_limit(reason, &answer.quotas);
        let delay = fault.retry_delay().unwrap_or_default();
        // Rounded up: a client that comes back too early is sent away again.
        headers.push(header("retry-after", delay.as_millis().div_ceil(1000).to_string()));
        headers.push(header("content-type", "application/problem+json".to_owned()));
        raw_body = problem(&fault).into_bytes();
    }
    RateLimitResponse {
        overall_code: code(answer.refused.is_some()).into(),
        statuses: answer.statuses.iter().map(descriptor_status).collect(),
        response_headers_to_add: headers,
        request_headers_to_add: Vec::new(),
        raw_body,
    }
}

fn descriptor_status(said: &envoy::Status) -> DescriptorStatus {
    let limit = said.limit.as_ref().map(|limit| RateLimit {
        name: limit.name.to_string(),
        requests_per_unit: at_most_u32(limit.requests),
        unit: limit.unit.map_or(WireUnit::Unknown, unit).into(),
    });
    DescriptorStatus {
        code: code(said.over).into(),
        duration_until_reset: limit.as_ref().and_then(|_| said.reset_after.try_into().ok()),
        current_limit: limit,
        limit_remaining: at_most_u32(said.remaining),
    }
}

fn code(over: bool) -> Code {
    if over { Code::OverLimit } else { Code::Ok }
}

fn unit(unit: Unit) -> WireUnit {
    match unit {
        Unit::Second => WireUnit::Second,
        Unit::Minute => WireUnit::Minute,
        Unit::Hour => WireUnit::Hour,
        Unit::Day => WireUnit::Day,
    }
}

fn at_most_u32(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn header(key: &str, value: String) -> HeaderValue {
    HeaderValue { key: key.to_owned(), value, raw_value: Vec::new() }
}

/// The problem document that our own edges answer (RFC 9457), for Envoy to hand on.
fn problem(fault: &Fault) -> String {
    let mut document = Map::new();
    for (name, value) in fault.members() {
        document.insert(name.to_string(), value.clone());
    }
    let kind = fault.kind();
    for (name, value) in [
        ("type", json!("about:blank")),
        ("title", json!(kind.title())),
        ("status", json!(kind.http_status())),
        ("code", json!(fault.code())),
        ("detail", json!(fault.message())),
    ] {
        document.insert(name.to_owned(), value);
    }
    Value::Object(document).to_string()
}
