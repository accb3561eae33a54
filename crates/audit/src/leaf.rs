//! A leaf of the log: where an entry stands, what came before it, and the entry's commitment. Nothing personal.

use crate::tree::{Hash, leaf_hash};

/// Keeps leaves apart from whatever else is hashed, and says which canonical form they have.
const DOMAIN: &[u8] = b"mintmark:audit-leaf:v1\0";

/// What stands where there is no previous leaf.
pub const NO_LEAF: Hash = [0; 32];

/// One leaf. It names its predecessor in the log and its predecessor of the same tenant, so the tree commits to both
/// chains: there are no two structures that could tell different stories.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf<'a> {
    /// Its place in the log, from 0.
    pub index: u64,
    /// Hash of the leaf before it; [`NO_LEAF`] for the first.
    pub prev: Hash,
    /// Whose entry it is; none for the platform's own, which are numbered like a tenant's.
    pub tenant: Option<&'a str>,
    /// The tenant's own number in this log, from 1, without gaps.
    pub tenant_number: u64,
    /// Hash of the tenant's leaf before it; [`NO_LEAF`] for its first.
    pub tenant_prev: Hash,
    /// The entry's commitment.
    pub commitment: Hash,
}

impl Leaf<'_> {
    /// The canonical bytes: domain, index (eight bytes, most significant first), previous hash, tenant (a byte 0 where there
    /// is none, else a byte 1, the length as one byte, and the id), the tenant's number (eight bytes), the tenant's previous
    /// hash, commitment.
    pub fn bytes(&self) -> Vec<u8> {
        let tenant = self.tenant.unwrap_or_default();
        let mut bytes = Vec::with_capacity(DOMAIN.len() + 8 + 32 + 2 + tenant.len() + 8 + 32 + 32);
        bytes.extend_from_slice(DOMAIN);
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.extend_from_slice(&self.prev);
        match self.tenant {
            None => bytes.push(0),
            Some(tenant) => {
                // Ids of tenants have at most 63 characters; a longer one would only be cut in its length byte.
                bytes.extend_from_slice(&[1, tenant.len() as u8]);
                bytes.extend_from_slice(tenant.as_bytes());
            }
        }
        bytes.extend_from_slice(&self.tenant_number.to_be_bytes());
        bytes.extend_from_slice(&self.tenant_prev);
        bytes.extend_from_slice(&self.commitment);
        bytes
    }

    /// The RFC 6962 leaf hash of its canonical bytes.
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_depends_on_every_field() {
        let base = Leaf {
            index: 7,
            prev: [1; 32],
            tenant: Some("acme"),
            tenant_number: 3,
            tenant_prev: [2; 32],
            commitment: [3; 32],
        };
        let variants = [
            base.clone(),
            Leaf { index: 8, ..base.clone() },
            Leaf { prev: [9; 32], ..base.clone() },
            Leaf { tenant: None, ..base.clone() },
            Leaf { tenant: Some(""), ..base.clone() },
            Leaf { tenant: Some("acm"), ..base.clone() },
            Leaf { tenant_number: 4, ..base.clone() },
            Leaf { tenant_prev: [9; 32], ..base.clone() },
            Leaf { commitment: [9; 32], ..base.clone() },
        ];
        let mut all: Vec<Hash> = variants.iter().map(Leaf::hash).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), variants.len());
    }

    #[test]
    fn bytes_are_what_the_documentation_says() {
        let leaf = Leaf {
            index: 1,
            prev: [0xaa; 32],
            tenant: Some("ab"),
            tenant_number: 2,
            tenant_prev: NO_LEAF,
            commitment: [0xcc; 32],
        };
        let mut expected = b"mintmark:audit-leaf:v1\0\0\0\0\0\0\0\0\x01".to_vec();
        expected.extend([0xaa; 32]);
        expected.extend(b"\x01\x02ab\0\0\0\0\0\0\0\x02");
        expected.extend([0; 32]);
        expected.extend([0xcc; 32]);
        assert_eq!(leaf.bytes(), expected);
        assert_eq!(leaf.hash(), leaf_hash(&expected));
    }
}
