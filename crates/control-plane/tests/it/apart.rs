//! The service as a process of its own, on the database of a plane.

use std::path::Path;
use std::time::Duration;

use mintmark_devstack::{Process, free_port};

use crate::harness::{Plane, surroundings};

/// A served process; it ends when dropped, and with the process of the test.
pub struct Apart {
    /// Where it answers.
    pub base: String,
    _process: Process,
}

impl Apart {
    /// Starts one with the plane's database, keys and folders.
    pub async fn beside(plane: &Plane) -> Self {
        let [http, grpc, ops] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port()));
        let mut variables = surroundings(&plane.db, &plane.folder, &plane.control);
        let own = [("CONTROL_HTTP_ADDR", &http), ("CONTROL_GRPC_ADDR", &grpc), ("OPS_ADDR", &ops)];
        variables.retain(|(name, _)| !own.iter().any(|(own, _)| own == name));
        variables.extend(own.map(|(name, value)| (name.to_owned(), value.clone())));
        let binary = Path::new(env!("CARGO_BIN_EXE_control-plane"));
        let log = plane.folder.path().join(format!("{}.log", http.replace(':', "-")));
        let mut process = Process::spawn(binary, &[], &variables, &log).unwrap();
        process.wait_ready(&format!("http://{ops}/readyz"), Duration::from_secs(60)).await.unwrap();
        Self { base: format!("http://{http}"), _process: process }
    }
}
