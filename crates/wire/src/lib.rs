#![doc = include_str!("../README.md")]

/// The compiled form of everything in `proto/` (a serialised `google.protobuf.FileDescriptorSet` with imports), for
/// gRPC reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// `mintmark.control`: what services ask of the control plane.
pub mod control {
    /// Version 1 of the control plane's interface; `proto/mintmark/control/v1/control.proto` is its documentation.
    #[allow(
        clippy::all,
        clippy::pedantic,
        clippy::restriction,
        missing_docs,
        unused_qualifications,
        reason = "generated: which lints fire changes with the generator"
    )]
    pub mod v1 {
        tonic::include_proto!("mintmark.control.v1");
    }
}

/// `mintmark.directory`: what the control plane publishes and scans recognise.
pub mod directory {
    /// Version 1 of the directory's interface; `proto/mintmark/directory/v1/directory.proto` is its documentation.
    #[allow(
        clippy::all,
        clippy::pedantic,
        clippy::restriction,
        missing_docs,
        unused_qualifications,
        reason = "generated: which lints fire changes with the generator"
    )]
    pub mod v1 {
        tonic::include_proto!("mintmark.directory.v1");
    }
}

/// `mintmark.evidence`: encrypted evidence, its erasure, and the audit of both.
pub mod evidence {
    /// Version 1 of the vault's interface; `proto/mintmark/evidence/v1/evidence.proto` is its documentation.
    #[allow(
        clippy::all,
        clippy::pedantic,
        clippy::restriction,
        missing_docs,
        unused_qualifications,
        reason = "generated: which lints fire changes with the generator"
    )]
    pub mod v1 {
        tonic::include_proto!("mintmark.evidence.v1");
    }
}

/// `mintmark.preflight`: whether artwork can go to press.
pub mod preflight {
    /// Version 1 of the gateway's interface; `proto/mintmark/preflight/v1/preflight.proto` is its documentation.
    #[allow(
        clippy::all,
        clippy::pedantic,
        clippy::restriction,
        missing_docs,
        unused_qualifications,
        reason = "generated: which lints fire changes with the generator"
    )]
    pub mod v1 {
        tonic::include_proto!("mintmark.preflight.v1");
    }
}

/// `mintmark.ratelimit`: whether a request may pass.
pub mod ratelimit {
    /// Version 1 of the limiter's interface; `proto/mintmark/ratelimit/v1/ratelimit.proto` is its documentation.
    #[allow(
        clippy::all,
        clippy::pedantic,
        clippy::restriction,
        missing_docs,
        unused_qualifications,
        reason = "generated: which lints fire changes with the generator"
    )]
    pub mod v1 {
        tonic::include_proto!("mintmark.ratelimit.v1");
    }
}

/// Envoy's rate limit service, of which `proto/third-party/README.md` says where it comes from. The modules are nested as
/// the packages are: generated code refers to its neighbours by relative paths.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    missing_docs,
    unused_qualifications,
    reason = "generated: which lints fire changes with the generator"
)]
pub mod envoy {
    pub mod config {
        pub mod core {
            pub mod v3 {
                tonic::include_proto!("envoy.config.core.v3");
            }
        }
    }
    pub mod extensions {
        pub mod common {
            pub mod ratelimit {
                pub mod v3 {
                    tonic::include_proto!("envoy.extensions.common.ratelimit.v3");
                }
            }
        }
    }
    pub mod service {
        pub mod ratelimit {
            pub mod v3 {
                tonic::include_proto!("envoy.service.ratelimit.v3");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn descriptor_set_names_every_service_and_its_imports() {
        let set = prost_types::FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap();
        let files: Vec<&str> = set.file.iter().map(prost_types::FileDescriptorProto::name).collect();
        assert!(files.contains(&"mintmark/control/v1/control.proto"), "{files:?}");
        assert!(files.contains(&"mintmark/directory/v1/directory.proto"), "{files:?}");
        assert!(files.contains(&"mintmark/ratelimit/v1/ratelimit.proto"), "{files:?}");
        assert!(files.contains(&"mintmark/preflight/v1/preflight.proto"), "{files:?}");
        assert!(files.contains(&"google/protobuf/timestamp.proto"), "{files:?}");
    }

    #[test]
    fn digests_decode_without_a_copy() {
        let sent = directory::v1::PublishRequest { digests: vec![7; 64].into(), ..Default::default() };
        let buffer = bytes::Bytes::from(sent.encode_to_vec());
        let received = directory::v1::PublishRequest::decode(buffer.clone()).unwrap();
        let (start, end) = (buffer.as_ptr() as usize, buffer.as_ptr() as usize + buffer.len());
        assert!((start..end).contains(&(received.digests.as_ptr() as usize)));
    }
}
