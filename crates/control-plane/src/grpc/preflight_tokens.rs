//! `mintmark.control.v1.PreflightTokenService`: translates, and calls the use case.

use mintmark_auth::scope;
use mintmark_rpc::{Rpc, caller, status};
use mintmark_wire::control::v1::preflight_token_service_server::{
    PreflightTokenService, PreflightTokenServiceServer,
};
use mintmark_wire::control::v1::{ExchangePreflightTokenRequest, ExchangePreflightTokenResponse};
use prost_types::Timestamp;
use tonic::{Request, Response, Status};

use crate::app::preflight_tokens::PreflightTokens;

/// The service, and the table of what its methods need.
pub struct PreflightTokenRpc {
    tokens: PreflightTokens,
}

impl PreflightTokenRpc {
    /// What each method needs.
    pub const METHODS: [Rpc; 1] = [Rpc {
        path: "/mintmark.control.v1.PreflightTokenService/ExchangePreflightToken",
        scope: scope::TOKENS_EXCHANGE,
    }];

    /// The tonic service.
    pub fn server(tokens: PreflightTokens) -> PreflightTokenServiceServer<Self> {
        PreflightTokenServiceServer::new(PreflightTokenRpc { tokens })
    }
}

#[tonic::async_trait]
impl PreflightTokenService for PreflightTokenRpc {
    async fn exchange_preflight_token(
        &self,
        request: Request<ExchangePreflightTokenRequest>,
    ) -> Result<Response<ExchangePreflightTokenResponse>, Status> {
        let who = caller(&request)?;
        let ExchangePreflightTokenRequest { presented_token, scopes } = request.into_inner();
        let exchanged =
            self.tokens.exchange_presented(&who, &presented_token, &scopes).await.map_err(status)?;
        Ok(Response::new(ExchangePreflightTokenResponse {
            token: exchanged.minted.expose().to_owned(),
            expires_at: Some(Timestamp { seconds: exchanged.minted.expires_at().timestamp(), nanos: 0 }),
            scopes: exchanged.scopes.into_iter().map(str::to_owned).collect(),
        }))
    }
}
