//! The token that a process was given by the test that started it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mintmark_evidence_vault::provider::{Pkcs11Token, TokenAddress};
use mintmark_service::config::Secret;

use crate::contract::Provider;
use crate::token::{LABEL, PIN, module};

pub fn address(pin: &str) -> TokenAddress {
    TokenAddress {
        module: module(),
        token: LABEL.to_owned(),
        pin: Secret::new(pin.to_owned()),
        proof_key: "mintmark-proof".to_owned(),
        limit: Duration::from_secs(5),
    }
}

pub async fn open() -> Provider {
    Arc::new(Pkcs11Token::open(address(PIN)).await.unwrap())
}

/// The folder of the token that this process was given.
pub fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os("TEST_TOKEN_FOLDER").unwrap())
}

/// The files of the objects in a token's folder.
pub fn objects(folder: &Path) -> usize {
    let token = fs::read_dir(folder.join("tokens")).unwrap().next().unwrap().unwrap().path();
    let names = fs::read_dir(token).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().ends_with(".object") && name != "token.object").count()
}
