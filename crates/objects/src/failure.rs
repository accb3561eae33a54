//! What went wrong in a store, as a fault.

use std::error::Error;
use std::io;
use std::time::Duration;

use mintmark_fault::Fault;

/// The fault behind an error that an [`crate::ObjectWriter`] gave as a `std::io::Write`, also after it passed through
/// code that knows only `io::Error`.
pub fn fault_of_io(error: io::Error) -> Fault {
    match error.downcast::<Fault>() {
        Ok(fault) => fault,
        Err(error) if is_full(&error) => full().caused_by(error),
        Err(error) => away().caused_by(error),
    }
}

/// The other direction: what `Write` can say.
pub(crate) fn io_of_fault(fault: Fault) -> io::Error {
    let kind = if fault.code() == "STORE_FULL" { io::ErrorKind::StorageFull } else { io::ErrorKind::Other };
    io::Error::new(kind, fault)
}

pub(crate) fn fault(error: object_store::Error) -> Fault {
    if matches!(error, object_store::Error::NotFound { .. }) {
        return Fault::not_found("object").caused_by(error);
    }
    let refused = matches!(
        error,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
    );
    if refused {
        let sentence = "the object store refuses this service: its access key, its region or its rights on the bucket are wrong";
        return Fault::unavailable("STORE_REFUSED", sentence)
            .retry_after(Duration::from_secs(60))
            .caused_by(error);
    }
    if is_full(&error) {
        return full().caused_by(error);
    }
    away().caused_by(error)
}

/// The same for writing, where what is not there is the bucket.
pub(crate) fn fault_of_write(error: object_store::Error) -> Fault {
    if matches!(error, object_store::Error::NotFound { .. }) {
        let sentence = "the bucket for objects does not exist: create it, or correct the URL of the store";
        return Fault::unavailable("STORE_MISSING", sentence)
            .retry_after(Duration::from_secs(60))
            .caused_by(error);
    }
    fault(error)
}

fn full() -> Fault {
    let sentence = "the object store is full: free some space or make it larger, then try again";
    Fault::unavailable("STORE_FULL", sentence).retry_after(Duration::from_secs(60))
}

pub(crate) fn away() -> Fault {
    let sentence = "the object store cannot be used now; the same request may work later";
    Fault::unavailable("STORE_UNAVAILABLE", sentence).retry_after(Duration::from_secs(5))
}

/// Whether a full disk or an exhausted quota is anywhere in the chain.
fn is_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<io::Error>()
            && matches!(io.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use mintmark_fault::Kind;

    use super::*;

    /// ENOSPC and EDQUOT on Linux.
    const FULL: [i32; 2] = [28, 122];

    #[test]
    fn fault_of_a_full_disk_says_so() {
        for code in FULL {
            let source = Box::new(io::Error::from_raw_os_error(code));
            let fault = fault(object_store::Error::Generic { store: "LocalFileSystem", source });
            assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "STORE_FULL"));
        }
    }

    #[test]
    fn fault_survives_the_way_through_io_errors() {
        let error = io_of_fault(full());
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(fault_of_io(error).code(), "STORE_FULL");
        assert_eq!(fault_of_io(io::Error::from_raw_os_error(FULL[0])).code(), "STORE_FULL");
        assert_eq!(fault_of_io(io::Error::other("x")).code(), "STORE_UNAVAILABLE");
    }
}
