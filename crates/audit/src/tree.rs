//! The Merkle tree of RFC 6962: it grows leaf by leaf, proves that it holds a leaf, and proves that it only grew.

use ring::digest::{Context, SHA256};

/// SHA-256.
pub type Hash = [u8; 32];

/// The root of an empty tree: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Nodes are stored on the levels 0 (leaves), 8, 16, …; each other one follows from at most 128 of them.
pub const STORED_LEVELS: u32 = 8;

/// Bytes of a hash.
const HASH_LEN: usize = 32;

/// RFC 6962: SHA-256 over a byte 0 and the leaf.
pub fn leaf_hash(bytes: &[u8]) -> Hash {
    sha256(&[&[0], bytes])
}

/// RFC 6962: SHA-256 over a byte 1 and both children.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// SHA-256 over parts, one after another.
pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; HASH_LEN];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// A perfect subtree: over the leaves `index << level` up to `(index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    /// 0 is a leaf.
    pub level: u32,
    /// From 0, on its level.
    pub index: u64,
}

impl Subtree {
    /// What is stored of it: level, first index, and how many in a row. One where its own level is stored.
    pub const fn stored(self) -> (u32, u64, u64) {
        let above = self.level % STORED_LEVELS;
        (self.level - above, self.index << above, 1 << above)
    }

    /// Its root, from the nodes that are stored.
    pub fn root(self, read: &impl Fn(Subtree) -> Option<Hash>) -> Result<Hash, ProofError> {
        if self.level.is_multiple_of(STORED_LEVELS) {
            return read(self).ok_or(ProofError::Missing(self));
        }
        let (level, index) = (self.level - 1, self.index * 2);
        let left = Subtree { level, index }.root(read)?;
        Ok(node_hash(&left, &Subtree { level, index: index + 1 }.root(read)?))
    }
}

/// Why a proof proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No such leaf.
    #[error("there is no leaf {index} in a tree of {size} leaves")]
    NoSuchLeaf {
        /// From 0.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// An empty tree is consistent with everything, and a tree does not shrink.
    #[error(
        "nothing is proven from {old} to {new} leaves: the older tree must have some, and not more than the newer"
    )]
    Sizes {
        /// Leaves of the older tree.
        old: u64,
        /// Leaves of the newer.
        new: u64,
    },
    /// The wrong number of hashes.
    #[error("the path has {given} hashes, and one of these sizes has {wanted}")]
    Length {
        /// In the proof.
        given: usize,
        /// By the sizes.
        wanted: usize,
    },
    /// It leads elsewhere.
    #[error("the path does not lead to the signed root")]
    Root,
    /// A node that should be stored is not.
    #[error("node {index} of level {level} is not stored", level = .0.level, index = .0.index)]
    Missing(Subtree),
}

/// The right edge of a tree: all that is needed to append to it and to know its root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect subtrees from left to right: one for each bit of the size.
    roots: Vec<Hash>,
}

impl Frontier {
    /// An empty tree.
    pub fn new() -> Self {
        Frontier::default()
    }

    /// A tree that was put away by [`Frontier::to_bytes`], if these are the bytes of one of that size.
    pub fn from_parts(size: u64, bytes: &[u8]) -> Option<Self> {
        let (roots, rest) = bytes.as_chunks::<HASH_LEN>();
        let whole = rest.is_empty() && roots.len() == size.count_ones() as usize;
        whole.then(|| Frontier { size, roots: roots.to_vec() })
    }

    /// The roots of its perfect subtrees from left to right: one for each bit of the size.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.roots.concat()
    }

    /// Leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf; `finished` is told of each perfect subtree above it that is full with it.
    pub fn push(&mut self, leaf: Hash, finished: &mut impl FnMut(Subtree, Hash)) {
        let (mut level, mut index, mut hash) = (0, self.size, leaf);
        while index & 1 == 1 {
            // A bit of the size that is one is a root here.
            let Some(left) = self.roots.pop() else { break };
            hash = node_hash(&left, &hash);
            (level, index) = (level + 1, index >> 1);
            finished(Subtree { level, index }, hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root.
    pub fn root(&self) -> Hash {
        fold(&self.roots).unwrap_or(EMPTY_ROOT)
    }
}

/// The root over perfect subtrees of decreasing size, from left to right; none of nothing.
pub fn fold(roots: &[Hash]) -> Option<Hash> {
    let (last, rest) = roots.split_last()?;
    Some(rest.iter().rfold(*last, |right, left| node_hash(left, &right)))
}

/// The perfect subtrees of a tree of `size` leaves, from left to right: their [`fold`] is its root.
pub fn decompose(size: u64) -> Vec<Subtree> {
    perfect(0, size)
}

/// Each hash of the proof that a tree of `size` leaves holds leaf `index`, as the perfect subtrees that it is the [`fold`]
/// of: so that a database is asked once. None where there is no such leaf.
pub fn inclusion_path(index: u64, size: u64) -> Option<Vec<Vec<Subtree>>> {
    if index >= size {
        return None;
    }
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(perfect(middle, to));
            to = middle;
        } else {
            path.push(perfect(from, middle));
            from = middle;
        }
    }
    path.reverse();
    Some(path)
}

/// The same for the proof that a tree of `new` leaves continues that of its first `old`. None where the older tree is empty
/// or the larger one: that proves nothing.
pub fn consistency_path(old: u64, new: u64) -> Option<Vec<Vec<Subtree>>> {
    if old == 0 || old > new {
        return None;
    }
    let (mut from, mut to) = (0, new);
    let mut path = Vec::new();
    while old != to {
        let middle = from + split(to - from);
        if old <= middle {
            path.push(perfect(middle, to));
            to = middle;
        } else {
            path.push(perfect(from, middle));
            from = middle;
        }
    }
    // The older root itself is known to whoever checks.
    if from > 0 {
        path.push(perfect(from, to));
    }
    path.reverse();
    Some(path)
}

/// The hashes of a path, from the nodes that are stored.
pub fn assemble(
    path: &[Vec<Subtree>],
    read: &impl Fn(Subtree) -> Option<Hash>,
) -> Result<Vec<Hash>, ProofError> {
    let one = |subtrees: &Vec<Subtree>| {
        let roots: Vec<Hash> = subtrees.iter().map(|subtree| subtree.root(read)).collect::<Result<_, _>>()?;
        Ok(fold(&roots).unwrap_or(EMPTY_ROOT))
    };
    path.iter().map(one).collect()
}

/// The greatest power of two below `count`, which is at least 2.
const fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The perfect subtrees of a range whose start RFC 6962 chose.
fn perfect(mut from: u64, to: u64) -> Vec<Subtree> {
    let mut subtrees = Vec::new();
    while from < to {
        let level = (to - from).ilog2();
        subtrees.push(Subtree { level, index: from >> level });
        from += 1 << level;
    }
    subtrees
}

/// Checks that the tree of `size` leaves with this root holds `leaf` at `index`. The root must come from a signed checkpoint:
/// whoever makes up a root makes up a tree.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let wanted = inclusion_path(index, size).ok_or(ProofError::NoSuchLeaf { index, size })?.len();
    if path.len() != wanted {
        return Err(ProofError::Length { given: path.len(), wanted });
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in path {
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// Checks that a tree continues another. Both roots must come from signed checkpoints.
pub fn verify_consistency(
    (old_size, old_root): (u64, &Hash),
    (new_size, new_root): (u64, &Hash),
    path: &[Hash],
) -> Result<(), ProofError> {
    let sizes = ProofError::Sizes { old: old_size, new: new_size };
    let wanted = consistency_path(old_size, new_size).ok_or(sizes)?.len();
    if path.len() != wanted {
        return Err(ProofError::Length { given: path.len(), wanted });
    }
    if old_size == new_size {
        return if old_root == new_root { Ok(()) } else { Err(ProofError::Root) };
    }
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        (at, last) = (at >> 1, last >> 1);
    }
    // A perfect older tree is where the path begins; its root is not repeated in it.
    let mut path = path.iter();
    let start = if old_size.is_power_of_two() { Some(old_root) } else { path.next() };
    let start = *start.ok_or(ProofError::Root)?;
    let (mut old, mut new) = (start, start);
    for sibling in path {
        if at & 1 == 1 || at == last {
            (old, new) = (node_hash(sibling, &old), node_hash(sibling, &new));
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            new = node_hash(&new, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    if old == *old_root && new == *new_root { Ok(()) } else { Err(ProofError::Root) }
}
