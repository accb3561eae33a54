//! The control token becomes no header of an outgoing request, and no metadata of a call.
use mintmark_auth::ControlToken;

fn header(token: &ControlToken) -> reqwest::header::HeaderValue {
    reqwest::header::HeaderValue::from_str(token).unwrap()
}

fn bearer(request: reqwest::RequestBuilder, token: &ControlToken) -> reqwest::RequestBuilder {
    request.bearer_auth(token)
}

fn metadata(request: &mut tonic::Request<()>, token: &ControlToken) {
    request.metadata_mut().insert("authorization", token);
}

fn main() {}
