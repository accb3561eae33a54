//! Compiles `proto/` with a protobuf compiler in Rust, so that building needs nothing installed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

/// The module's root, from this crate's folder.
const ROOT: &str = "../../proto";
/// Where the files of others are found.
const THIRD_PARTY: &str = "../../proto/third-party";

/// Every file with a service of ours or one that we serve; files they import are found from the roots.
const FILES: &[&str] = &[
    "mintmark/control/v1/control.proto",
    "mintmark/directory/v1/directory.proto",
    "mintmark/evidence/v1/evidence.proto",
    "mintmark/preflight/v1/preflight.proto",
    "mintmark/ratelimit/v1/ratelimit.proto",
    "envoy/service/ratelimit/v3/rls.proto",
];

/// Up to 3.2 MB a message: decoded as a slice of the received buffer instead of a copy.
const DIGESTS: &str = ".mintmark.directory.v1.PublishRequest.digests";
/// Up to 320 kB, which the client keeps for a second attempt.
const REVOKED_DIGESTS: &str = ".mintmark.directory.v1.RevokeCodesRequest.digests";

/// Pieces of evidence, in and out: decoded as slices of the received buffer.
const EVIDENCE: &[&str] =
    &[".mintmark.evidence.v1.UploadRequest.data", ".mintmark.evidence.v1.ReadContentResponse.data"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    // Third-party first: a file found from `ROOT` too would have another name.
    let descriptors = protox::compile(FILES, [here.join(THIRD_PARTY), here.join(ROOT)])?;

    // The same descriptors are what reflection serves.
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;

    let generator = tonic_prost_build::configure().bytes(DIGESTS).bytes(REVOKED_DIGESTS);
    let generator = EVIDENCE.iter().fold(generator, |generator, field| generator.bytes(*field));
    generator.compile_fds(descriptors)?;
    Ok(())
}
