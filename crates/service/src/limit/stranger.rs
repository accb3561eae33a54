use std::fmt;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ring::digest::{SHA256, digest};

/// 128 bits: nobody finds two credentials of one name, and the name says nothing of the credential.
const HASH_BYTES: usize = 16;

/// The name of somebody who is no tenant, or of a credential that is no API key, in a Redis key.
///
/// It always has an underscore, which no tenant id has: nobody's credential can be charged to a tenant's bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Stranger(String);

impl Stranger {
    /// The truncated SHA-256 of a credential: `sha256_` and 32 hexadecimal digits.
    #[must_use]
    pub fn of_credential(raw: &str) -> Self {
        let mut name = String::from("sha256_");
        for byte in digest(&SHA256, raw.as_bytes()).as_ref().iter().take(HASH_BYTES) {
            // Writing to a String cannot fail.
            let _infallible = write!(name, "{byte:02x}");
        }
        Self(name)
    }

    /// The block that an address lies in: `net_203.0.113.0_24`, or `net_20010db80000_48` with the block's 48 bits.
    #[must_use]
    pub fn of_network(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let [a, b, c, _] = address.octets();
                Self(format!("net_{}_24", Ipv4Addr::new(a, b, c, 0)))
            }
            IpAddr::V6(address) => Self(format!("net_{:012x}_48", block(address))),
        }
    }

    /// The name as it stands in the Redis key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn block(address: Ipv6Addr) -> u128 {
    address.to_bits() >> 80
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_credential_is_the_truncated_sha256() {
        // SHA-256 of "abc" (FIPS 180-2, appendix B.1) begins so.
        assert_eq!(Stranger::of_credential("abc").as_str(), "sha256_ba7816bf8f01cfea414140de5dae2223");
    }

    #[test]
    fn of_network_is_one_name_a_block() {
        for (address, name) in [
            ("203.0.113.7", "net_203.0.113.0_24"),
            ("203.0.113.255", "net_203.0.113.0_24"),
            ("::ffff:203.0.113.9", "net_203.0.113.0_24"),
            ("2001:db8::1", "net_20010db80000_48"),
            ("2001:db8:0:ffff::1", "net_20010db80000_48"),
            ("2001:db8:1::1", "net_20010db80001_48"),
        ] {
            assert_eq!(Stranger::of_network(address.parse().unwrap()).as_str(), name, "{address}");
        }
    }
}
