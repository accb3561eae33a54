//! Codes of this interface that no kind of fault has.

use mintmark_fault::{Fault, Kind};
use tonic::{Code, Status};

/// The status of a fault. A few codes have a gRPC code of their own here; what `ErrorInfo` says of them is the fault.
pub(super) fn status(fault: Fault) -> Status {
    let code = match (fault.code(), fault.kind()) {
        ("EVIDENCE_DAMAGED", _) => Some(Code::DataLoss),
        ("EVIDENCE_EXISTS", _) => Some(Code::AlreadyExists),
        ("EVIDENCE_SHREDDED" | "EVIDENCE_HELD" | "EVIDENCE_NOT_ERASED", _)
        | ("DISPUTE_CLOSED", Kind::Conflict) => Some(Code::FailedPrecondition),
        _ => None,
    };
    let status = mintmark_rpc::status(fault);
    match code {
        Some(code) => {
            let (message, details) = (status.message().to_owned(), status.details().to_vec());
            Status::with_details(code, message, details.into())
        }
        None => status,
    }
}
