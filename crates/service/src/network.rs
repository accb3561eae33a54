//! Address blocks: which proxies are trusted, whose address a request came from, and how little of it is kept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use crate::config::Reader;

/// A block of addresses in CIDR notation; the bits behind the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// The block that telemetry may keep of an address: /24 of IPv4, /48 of IPv6.
    ///
    /// An IPv4 address in IPv6 clothes counts as the IPv4 address that it is: its /48 would say nothing.
    pub fn coarse(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Network::new(IpAddr::V4(v4), 24),
            IpAddr::V6(v6) => Network::new(IpAddr::V6(v6), 48),
        }
    }

    /// Whether the address lies in this block.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.address.is_ipv4()
            && Network::new(address, self.prefix).address == self.address
    }

    /// The first address of the block.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The length of the prefix in bits.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Reads the blocks of proxies whose `X-Forwarded-For` is believed, separated by commas; unset: none.
    pub fn read_proxies(reader: &mut Reader, name: &'static str) -> Option<Vec<Self>> {
        let about =
            "blocks of proxies whose X-Forwarded-For is believed, like 10.0.0.0/8,fd00::/8; unset: none";
        let text = reader.optional(name, about)?;
        text.iter()
            .flat_map(|blocks| blocks.split(','))
            .map(|block| block.trim().parse())
            .collect::<Result<_, String>>()
            .map_err(|sentence| reader.problem(name, sentence))
            .ok()
    }

    fn new(address: IpAddr, prefix: u8) -> Self {
        let address = match address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
            }
        };
        Network { address, prefix }
    }
}

impl FromStr for Network {
    type Err = String;

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or a single address.
    fn from_str(text: &str) -> Result<Self, String> {
        let refusal =
            || format!("{text:?} is not an address block; write it like 10.0.0.0/8 or 2001:db8::/32");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| refusal())?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) => digits.parse().map_err(|_| refusal())?,
            None => longest,
        };
        if prefix > longest {
            return Err(refusal());
        }
        Ok(Network::new(address, prefix))
    }
}

/// The visitor's address: the peer, or what a chain of trusted proxies says about it.
///
/// `forwarded` are the lines of `X-Forwarded-For`, in their order: a proxy may add a line below the visitor's, and all of
/// them are one list. It is believed from the right, hop by hop, and only as far as the hop
/// that wrote it is trusted; so a visitor who sends the header changes nothing.
pub fn visitor_address(peer: IpAddr, forwarded: &[&str], trusted_proxies: &[Network]) -> IpAddr {
    let trusted = |address: IpAddr| trusted_proxies.iter().any(|block| block.contains(address));
    let mut visitor = peer;
    for hop in forwarded.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !trusted(visitor) {
            break;
        }
        let Some(address) = address_of(hop.trim()) else {
            break;
        };
        visitor = address;
    }
    visitor
}

/// The address of a hop. Some proxies write where its connection came from, port and all: `203.0.113.7:51324`,
/// `[2001:db8::1]:443`; some write IPv6 in brackets without one. What is none of these says nothing.
fn address_of(hop: &str) -> Option<IpAddr> {
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    let with_port = || hop.parse().ok().map(|hop: SocketAddr| hop.ip());
    hop.parse().ok().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn coarse_keeps_24_and_48_bits() {
        assert_eq!(Network::coarse(ip("203.0.113.77")), "203.0.113.0/24".parse().unwrap());
        assert_eq!(Network::coarse(ip("::ffff:203.0.113.77")), "203.0.113.0/24".parse().unwrap());
        assert_eq!(Network::coarse(ip("2001:db8:1:2:3:4:5:6")), "2001:db8:1::/48".parse().unwrap());
    }

    #[test]
    fn contains_respects_the_prefix_and_the_family() {
        let block: Network = "10.0.0.0/8".parse().unwrap();
        assert!(block.contains(ip("10.255.1.2")));
        assert!(!block.contains(ip("11.0.0.1")));
        assert!(!block.contains(ip("::1")));
        assert!("0.0.0.0/0".parse::<Network>().unwrap().contains(ip("8.8.8.8")));
        assert!("::/0".parse::<Network>().unwrap().contains(ip("2001:db8::1")));
    }

    #[test]
    fn parse_refuses_what_is_no_block() {
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/x"] {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn visitor_address_believes_trusted_hops_only() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let peer = ip("10.0.0.1");
        assert_eq!(visitor_address(peer, &[], &proxies), peer);
        assert_eq!(
            visitor_address(peer, &["1.1.1.1, 203.0.113.9"], &proxies),
            ip("203.0.113.9"),
            "the left part is the visitor's own invention"
        );
        assert_eq!(visitor_address(peer, &["203.0.113.9, 10.0.0.2"], &proxies), ip("203.0.113.9"));
        assert_eq!(visitor_address(ip("198.51.100.7"), &["203.0.113.9"], &proxies), ip("198.51.100.7"));
        assert_eq!(visitor_address(peer, &["203.0.113.9"], &[]), peer);
        assert_eq!(
            visitor_address(peer, &["1.1.1.1", "203.0.113.9"], &proxies),
            ip("203.0.113.9"),
            "a proxy's own line comes below the visitor's"
        );
    }

    #[test]
    fn visitor_address_reads_hops_with_ports_and_brackets() {
        let proxies = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let visitor = |line| visitor_address(ip("10.0.0.1"), &[line], &proxies);
        for hop in ["203.0.113.7", "203.0.113.7:51324", " 203.0.113.7:1 "] {
            assert_eq!(visitor(hop), ip("203.0.113.7"), "{hop}");
        }
        for hop in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443", "[2001:db8:0::1]:51324"] {
            assert_eq!(visitor(hop), ip("2001:db8::1"), "{hop}");
        }
        assert_eq!(
            visitor("203.0.113.7:80, 10.0.0.2:443, [fd00::5]:8080"),
            ip("203.0.113.7"),
            "the walk goes on"
        );
        // Without brackets a colon belongs to the address.
        assert_eq!(visitor("2001:db8::1:443"), ip("2001:db8::1:443"));
    }

    #[test]
    fn visitor_address_ends_the_walk_at_what_is_no_address() {
        let proxies = ["10.0.0.0/8".parse().unwrap()];
        let rubbish = [
            "",
            "unknown",
            "_hidden",
            "203.0.113.7:",
            "203.0.113.7:99999",
            "203.0.113.7:x",
            ":443",
            "203.0.113",
            "[203.0.113.7]",
            "[2001:db8::1",
            "2001:db8::1]",
            "[2001:db8::1]443",
            "[2001:db8::1]:",
            "[]",
            "[]:443",
            "[[2001:db8::1]]",
            "203.0.113.7:80:80",
            "\"203.0.113.7\"",
            "203.0.113.7/24",
            "example.com:443",
        ];
        for hop in rubbish {
            let line = format!("198.51.100.1, {hop}, 10.0.0.2");
            assert_eq!(visitor_address(ip("10.0.0.1"), &[&line], &proxies), ip("10.0.0.2"), "{hop}");
        }
    }
}
