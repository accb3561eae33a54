//! The control token: one secret of the operator that opens `/api/admin/*` of the control plane and nothing else.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use secrecy::SecretString;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// What every control token begins with, so that a service which knows none can say what it was sent.
pub const CONTROL_PREFIX: &str = "mmct_";
/// How a header begins whose rest is base64.
const BASIC: &[u8] = b"basic ";

/// The control token that this process accepts. It keeps the SHA-256 only: the token itself cannot leave.
///
/// It cannot be cloned, printed, compared with `==` or serialised:
///
/// ```
/// let token = mintmark_auth::control::generate();
/// # use secrecy::ExposeSecret as _;
/// let accepted = mintmark_auth::ControlToken::parse(token.expose_secret()).unwrap();
/// assert!(accepted.verify(token.expose_secret()).is_some());
/// ```
/// ```compile_fail
/// fn copy(token: &mintmark_auth::ControlToken) -> mintmark_auth::ControlToken { token.clone() }
/// ```
/// ```compile_fail
/// fn print(token: &mintmark_auth::ControlToken) -> String { format!("{token:?}") }
/// ```
/// ```compile_fail
/// fn show(token: &mintmark_auth::ControlToken) -> String { format!("{token}") }
/// ```
/// ```compile_fail
/// fn send(token: &mintmark_auth::ControlToken) -> String { serde_json::to_string(token).unwrap() }
/// ```
/// ```compile_fail
/// fn same(a: &mintmark_auth::ControlToken, b: &mintmark_auth::ControlToken) -> bool { a == b }
/// ```
pub struct ControlToken {
    digest: [u8; 32],
}

/// The proof that a request carried the control token; only [`ControlToken::verify`] makes one.
///
/// ```compile_fail
/// let forged = mintmark_auth::ControlAuthority(());
/// ```
#[derive(Clone, Debug)]
pub struct ControlAuthority(());

/// The configured value is not a control token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a control token: it is `mmct_` and 43 characters of base64url; make one with `mintmark token control`"
)]
pub struct ControlTokenError;

impl ControlToken {
    /// Takes the configured token (`PPOS_CONTROL_TOKEN`); refuses anything that [`generate`] cannot have made.
    pub fn parse(text: &str) -> Result<Self, ControlTokenError> {
        let body = text.strip_prefix(CONTROL_PREFIX).ok_or(ControlTokenError)?;
        let secret = Zeroizing::new(URL_SAFE_NO_PAD.decode(body).map_err(|_| ControlTokenError)?);
        if secret.len() != 32 {
            return Err(ControlTokenError);
        }
        Ok(ControlToken { digest: sha256(text) })
    }

    /// Compares in constant time; `None` says nothing about how near the presented value was.
    pub fn verify(&self, presented: &str) -> Option<ControlAuthority> {
        let equal: bool = self.digest.ct_eq(&sha256(presented)).into();
        equal.then_some(ControlAuthority(()))
    }
}

/// Makes a control token of 256 random bits, for an operator to keep.
#[expect(clippy::expect_used, reason = "the kernel's random source does not fail on a running system")]
pub fn generate() -> SecretString {
    let mut secret = Zeroizing::new([0; 32]);
    SystemRandom::new().fill(secret.as_mut()).expect("randomness");
    let body = Zeroizing::new(URL_SAFE_NO_PAD.encode(secret.as_ref()));
    SecretString::from(format!("{CONTROL_PREFIX}{}", body.as_str()))
}

/// Whether a bearer has the control token's prefix: any service can tell without knowing the token.
pub fn looks_like_control_token(bearer: &str) -> bool {
    bearer.starts_with(CONTROL_PREFIX)
}

/// Whether the value of a header or of gRPC metadata carries something with the control token's prefix: anywhere in it, or
/// in base64, as `Basic` and `-bin` metadata have it.
///
/// For edges, which look at every header: none of them is a place for it but the `Authorization` of `/api/admin/*`.
pub fn is_carried_by(name: &str, value: &[u8]) -> bool {
    // Made once: every header of every request is searched.
    static PREFIX: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(CONTROL_PREFIX));
    // Bytes that are no text cannot hide the prefix, which is ASCII.
    if PREFIX.find(value).is_some() {
        return true;
    }
    let encoded = match value.split_at_checked(BASIC.len()) {
        Some((scheme, word)) if scheme.eq_ignore_ascii_case(BASIC) => word,
        _ if name.ends_with("-bin") => value,
        _ => return false,
    };
    let Ok(encoded) = std::str::from_utf8(encoded) else { return false };
    encoded.split(',').any(|word| decodes_to_one(word.trim()))
}

fn decodes_to_one(word: &str) -> bool {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let standard = word.replace('-', "+").replace('_', "/");
    let decoded = LENIENT.decode(standard).map(Zeroizing::new);
    decoded.is_ok_and(|bytes| {
        bytes.windows(CONTROL_PREFIX.len()).any(|window| window == CONTROL_PREFIX.as_bytes())
    })
}

fn sha256(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    bytes
}
