//! Where each service listens. The defaults are those of the design; tests take free ports.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::failure::Failure;

/// One address for each listener that the launcher starts.
pub struct Addresses {
    pub control_http: SocketAddr,
    pub control_grpc: SocketAddr,
    pub control_ops: SocketAddr,
    pub scan_http: SocketAddr,
    pub scan_ops: SocketAddr,
    pub directory_grpc: SocketAddr,
    pub directory_ops: SocketAddr,
    pub ratelimit_grpc: SocketAddr,
    pub ratelimit_ops: SocketAddr,
    pub gateway_http: SocketAddr,
    pub gateway_grpc: SocketAddr,
    pub gateway_ops: SocketAddr,
    pub preflight_worker_ops: SocketAddr,
    pub vault_grpc: SocketAddr,
    pub vault_ops: SocketAddr,
    pub vault_sequencer_ops: SocketAddr,
    pub control_sequencer_ops: SocketAddr,
    pub console_http: SocketAddr,
    pub console_ops: SocketAddr,
}

impl Default for Addresses {
    fn default() -> Self {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        Self {
            control_http: at(8080),
            control_grpc: at(9080),
            control_ops: at(9180),
            scan_http: at(8081),
            scan_ops: at(9181),
            directory_grpc: at(9081),
            directory_ops: at(9186),
            ratelimit_grpc: at(9084),
            ratelimit_ops: at(9184),
            gateway_http: at(8082),
            gateway_grpc: at(9082),
            gateway_ops: at(9182),
            preflight_worker_ops: at(9187),
            vault_grpc: at(9083),
            vault_ops: at(9183),
            vault_sequencer_ops: at(9188),
            control_sequencer_ops: at(9189),
            console_http: at(8085),
            console_ops: at(9185),
        }
    }
}

impl Addresses {
    /// Free ports, all different, and nobody else's while the launcher runs.
    pub fn free() -> Self {
        let next = || SocketAddr::from((Ipv4Addr::LOCALHOST, mintmark_devstack::free_port()));
        Self {
            control_http: next(),
            control_grpc: next(),
            control_ops: next(),
            scan_http: next(),
            scan_ops: next(),
            directory_grpc: next(),
            directory_ops: next(),
            ratelimit_grpc: next(),
            ratelimit_ops: next(),
            gateway_http: next(),
            gateway_grpc: next(),
            gateway_ops: next(),
            preflight_worker_ops: next(),
            vault_grpc: next(),
            vault_ops: next(),
            vault_sequencer_ops: next(),
            control_sequencer_ops: next(),
            console_http: next(),
            console_ops: next(),
        }
    }

    /// A sentence for the first port that another program holds, before anything is started.
    pub fn refuse_ports_in_use(&self) -> Result<(), Failure> {
        for (what, address) in self.named() {
            if let Err(error) = TcpListener::bind(address) {
                return Err(Failure::new(format!(
                    "{what} needs {address}, which cannot be used ({error}): stop the program that holds it \
                     (`ss -ltnp 'sport = :{}'` names it), or start with `mintmark up --free-ports`",
                    address.port()
                )));
            }
        }
        Ok(())
    }

    fn named(&self) -> [(&'static str, SocketAddr); 19] {
        [
            ("the control plane's HTTP API", self.control_http),
            ("the control plane's gRPC", self.control_grpc),
            ("the control plane's operations port", self.control_ops),
            ("the public scan service", self.scan_http),
            ("the scan service's operations port", self.scan_ops),
            ("the directory's gRPC", self.directory_grpc),
            ("the directory's operations port", self.directory_ops),
            ("the rate limiter's gRPC", self.ratelimit_grpc),
            ("the rate limiter's operations port", self.ratelimit_ops),
            ("the preflight gateway's HTTP API", self.gateway_http),
            ("the preflight gateway's gRPC", self.gateway_grpc),
            ("the preflight gateway's operations port", self.gateway_ops),
            ("the preflight worker's operations port", self.preflight_worker_ops),
            ("the evidence vault's gRPC", self.vault_grpc),
            ("the evidence vault's operations port", self.vault_ops),
            ("the operations port of the evidence vault's sequencer", self.vault_sequencer_ops),
            ("the operations port of the control plane's sequencer", self.control_sequencer_ops),
            ("the console", self.console_http),
            ("the console's operations port", self.console_ops),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuse_ports_in_use_names_the_service_and_the_way_out() {
        let holder = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let mut addresses = Addresses::free();
        addresses.scan_http = holder.local_addr().unwrap();
        let sentence = addresses.refuse_ports_in_use().unwrap_err().to_string();
        assert!(sentence.contains("public scan service") && sentence.contains("--free-ports"), "{sentence}");
    }
}
