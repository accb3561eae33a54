//! C2SP signed notes with Ed25519: a text, an empty line, and lines that say who signed it.
//!
//! The text is everything up to and with the line break before the empty line. A signature line is `— NAME BASE64`, where
//! the base64 holds four bytes that name the key and 64 of signature. A verifier key is `NAME+HEX+BASE64`.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::tree::sha256;

/// The algorithm byte of Ed25519 in key ids and verifier keys.
const ED25519_ID: u8 = 1;
/// A note of ours has less than 400 bytes; with cosignatures of witnesses it stays far below this.
const MAX_BYTES: usize = 16 * 1024;
/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";

/// Why a note or a key is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not the form of a note.
    #[error("this is not a signed note: {0}")]
    Form(&'static str),
    /// Nobody signed it whom we know.
    #[error("no signature of a known key is on the note: give the log's verifier key")]
    UnknownSigner,
    /// A known key's signature is wrong.
    #[error("the signature of {0} does not fit the note")]
    BadSignature(String),
    /// Not a verifier key.
    #[error("line {line} of the verifier keys is not one (NAME+HEX+BASE64): {why}")]
    VerifierKey {
        /// From 1.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// One key twice, under whatever names.
    #[error("line {0} of the verifier keys repeats a key: each may stand there once")]
    DuplicateKey(usize),
    /// Not a private key.
    #[error("not an Ed25519 private key in PEM (PKCS#8); make one with `openssl genpkey -algorithm ed25519`")]
    PrivateKey,
    /// Not the name of a key.
    #[error("a key's name is 1 to 200 characters without white space and +")]
    Name,
}

/// Who signs notes. It neither prints nor clones its key.
pub struct Signer {
    verifier: Verifier,
    pair: Ed25519KeyPair,
}

impl Signer {
    /// Reads an Ed25519 key (PKCS#8, version 1 or 2) in PEM, to sign under `name`.
    pub fn from_pem(name: &str, pem: &str) -> Result<Self, NoteError> {
        let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----").ok_or(NoteError::PrivateKey)?;
        let (body, after) = rest.split_once("-----END PRIVATE KEY-----").ok_or(NoteError::PrivateKey)?;
        if after.contains("-----BEGIN") {
            return Err(NoteError::PrivateKey);
        }
        let mut body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(&body);
        wipe(&mut body);
        let mut der = der.map_err(|_| NoteError::PrivateKey)?;
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
        der.fill(0);
        let pair = pair.map_err(|_| NoteError::PrivateKey)?;
        let key = pair.public_key().as_ref().try_into().map_err(|_| NoteError::PrivateKey)?;
        Ok(Signer { verifier: Verifier::new(name, key)?, pair })
    }

    /// The public half.
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The note of a text, which ends in a line break.
    pub fn sign(&self, text: &str) -> String {
        let mut blob = Vec::with_capacity(68);
        blob.extend_from_slice(&self.verifier.id);
        blob.extend_from_slice(self.pair.sign(text.as_bytes()).as_ref());
        format!("{text}\n{DASH}{} {}\n", self.verifier.name, STANDARD.encode(blob))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.verifier)
    }
}

fn wipe(text: &mut String) {
    let mut bytes = std::mem::take(text).into_bytes();
    bytes.fill(0);
}

/// The public half of a key that signs notes. It displays as a verifier key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    name: Arc<str>,
    id: [u8; 4],
    key: [u8; 32],
}

impl Verifier {
    /// The key of `name`.
    pub fn new(name: &str, key: [u8; 32]) -> Result<Self, NoteError> {
        let fit = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
        if name.is_empty() || name.len() > 200 || !name.chars().all(fit) {
            return Err(NoteError::Name);
        }
        let hash = sha256(&[name.as_bytes(), b"\n", &[ED25519_ID], &key]);
        Ok(Verifier { name: name.into(), id: [hash[0], hash[1], hash[2], hash[3]], key })
    }

    /// Reads `NAME+HEX+BASE64`; the hex must be the id that name and key have.
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (name, rest) = text.split_once('+').ok_or("it has no +")?;
        let (id, key) = rest.split_once('+').ok_or("it has one + instead of two")?;
        let key = STANDARD.decode(key).map_err(|_| "its key is not base64")?;
        let [ED25519_ID, key @ ..] = key.as_slice() else { return Err("its key is not of Ed25519") };
        let key = key.try_into().map_err(|_| "its key has not 32 bytes")?;
        let verifier = Verifier::new(name, key).map_err(|_| "its name is not one")?;
        let written = verifier.to_string();
        if written.as_bytes().get(name.len() + 1..name.len() + 1 + id.len()) != Some(id.as_bytes())
            || written.len() != text.len()
        {
            return Err("its id does not fit name and key");
        }
        Ok(verifier)
    }

    /// The name that stands on signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key).verify(text.as_bytes(), signature).is_ok()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519_ID];
        key.extend_from_slice(&self.key);
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), STANDARD.encode(key))
    }
}

/// The keys that a verifier trusts.
#[derive(Clone, Debug, Default)]
pub struct Verifiers {
    keys: Vec<Verifier>,
}

impl Verifiers {
    /// Reads verifier keys, one a line; empty lines and lines that start with `#` are left out.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let mut all = Verifiers::default();
        for (at, line) in text.lines().enumerate() {
            let (at, line) = (at + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = Verifier::parse(line).map_err(|why| NoteError::VerifierKey { line: at, why })?;
            if all
                .keys
                .iter()
                .any(|known| known.key == key.key || (known.name == key.name && known.id == key.id))
            {
                return Err(NoteError::DuplicateKey(at));
            }
            all.keys.push(key);
        }
        Ok(all)
    }

    /// All of them, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = &Verifier> {
        self.keys.iter()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl From<Verifier> for Verifiers {
    fn from(key: Verifier) -> Self {
        Verifiers { keys: vec![key] }
    }
}

/// A note whose signatures hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note<'n> {
    /// What was signed.
    pub text: &'n str,
    /// The known names that signed it, in their order on the note.
    pub signers: Vec<Arc<str>>,
}

impl<'n> Note<'n> {
    /// Reads a note and checks every signature of a known key; there must be one. Signatures of others are left aside, as
    /// C2SP says; one key's twice are refused.
    pub fn open(note: &'n str, keys: &Verifiers) -> Result<Self, NoteError> {
        if note.len() > MAX_BYTES {
            return Err(NoteError::Form("it is larger than 16 KiB"));
        }
        if note.chars().any(|c| c != '\n' && c.is_control()) {
            return Err(NoteError::Form("it holds control characters"));
        }
        let at = note.rfind("\n\n").ok_or(NoteError::Form("it has no empty line before its signatures"))?;
        let (text, lines) = (&note[..=at], &note[at + 2..]);
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Form("it does not end in a line break"))?;
        let mut signers: Vec<&Verifier> = Vec::new();
        for line in lines.split('\n') {
            let (name, id, signature) = signature(line)?;
            let Some(key) = keys.keys.iter().find(|key| *key.name == *name && key.id == id) else { continue };
            if signers.contains(&key) {
                return Err(NoteError::Form("one key signed it twice"));
            }
            if !key.verifies(text, &signature) {
                return Err(NoteError::BadSignature(name.to_owned()));
            }
            signers.push(key);
        }
        if signers.is_empty() {
            return Err(NoteError::UnknownSigner);
        }
        Ok(Note { text, signers: signers.into_iter().map(|key| key.name.clone()).collect() })
    }
}

fn signature(line: &str) -> Result<(&str, [u8; 4], Vec<u8>), NoteError> {
    let form = NoteError::Form("a line below the empty one is not a signature");
    let (name, blob) = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or(form.clone())?;
    let blob = STANDARD.decode(blob).map_err(|_| form.clone())?;
    match blob.split_first_chunk::<4>() {
        Some((id, signature)) if !signature.is_empty() && !name.is_empty() => {
            Ok((name, *id, signature.to_vec()))
        }
        _ => Err(form),
    }
}
