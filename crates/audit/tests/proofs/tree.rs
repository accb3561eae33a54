//! The tree against the published vectors, the naive definition, and the proofs of an independent implementation.

use std::collections::HashMap;

use mintmark_audit::tree::{
    EMPTY_ROOT, Frontier, Hash, ProofError, Subtree, assemble, consistency_path, decompose, fold,
    inclusion_path, leaf_hash, node_hash, verify_consistency, verify_inclusion,
};
use proptest::prelude::*;
use tlog_tiles::{HashReader, check_record, check_tree, prove_record, prove_tree, tree_hash};

/// Leaves and roots that implementations of RFC 6962 have shared since its reference implementation.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 6962, section 2.1, word for word.
fn naive(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let mut half = 1;
            while half * 2 < leaves.len() {
                half *= 2;
            }
            node_hash(&naive(&leaves[..half]), &naive(&leaves[half..]))
        }
    }
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|at| leaf_hash(&at.to_be_bytes())).collect()
}

/// A tree with what a database stores of it: leaves, and nodes of the levels 8, 16, ….
struct Stored {
    nodes: HashMap<Subtree, Hash>,
    frontiers: Vec<Frontier>,
}

impl Stored {
    fn of(leaves: &[Hash]) -> Self {
        let (mut nodes, mut tree, mut frontiers) = (HashMap::new(), Frontier::new(), vec![Frontier::new()]);
        for (index, leaf) in leaves.iter().enumerate() {
            nodes.insert(Subtree { level: 0, index: index as u64 }, *leaf);
            tree.push(*leaf, &mut |subtree, hash| {
                if subtree.level.is_multiple_of(8) {
                    nodes.insert(subtree, hash);
                }
            });
            frontiers.push(tree.clone());
        }
        Stored { nodes, frontiers }
    }

    fn root(&self, size: u64) -> Hash {
        self.frontiers[size as usize].root()
    }

    /// The hashes of a path, reading only what [`Subtree::stored`] says will be read.
    fn hashes(&self, path: &[Vec<Subtree>]) -> Vec<Hash> {
        let announced: Vec<_> = path.iter().flatten().map(|subtree| subtree.stored()).collect();
        let read = |node: Subtree| {
            let known = |(level, first, count): &(u32, u64, u64)| {
                *level == node.level && (*first..first + count).contains(&node.index)
            };
            assert!(announced.iter().any(known), "{node:?} was not announced");
            self.nodes.get(&node).copied()
        };
        assemble(path, &read).unwrap()
    }
}

/// The independent implementation keeps every node, in an order of its own.
struct Independent(Vec<tlog_tiles::Hash>);

impl Independent {
    fn of(leaves: &[Hash]) -> Self {
        let mut all = Independent(Vec::new());
        for (at, leaf) in leaves.iter().enumerate() {
            let more =
                tlog_tiles::stored_hashes_for_record_hash(at as u64, tlog_tiles::Hash(*leaf), &all).unwrap();
            all.0.extend(more);
        }
        all
    }
}

impl HashReader for Independent {
    fn read_hashes(&self, indices: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        Ok(indices.iter().map(|index| self.0[*index as usize]).collect())
    }
}

#[test]
fn root_is_that_of_the_published_vectors() {
    let mut tree = Frontier::new();
    assert_eq!(tree.root(), EMPTY_ROOT);
    assert_eq!(hex(&EMPTY_ROOT), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (leaf, root) in LEAVES.iter().zip(ROOTS) {
        tree.push(leaf_hash(leaf), &mut |_, _| {});
        assert_eq!(hex(&tree.root()), root, "{} leaves", tree.size());
    }
}

#[test]
fn frontier_continues_after_it_was_put_away() {
    let leaves = leaves(300);
    let mut tree = Frontier::new();
    for (at, leaf) in leaves.iter().enumerate() {
        tree = Frontier::from_parts(tree.size(), &tree.to_bytes()).unwrap();
        tree.push(*leaf, &mut |_, _| {});
        assert_eq!(tree.root(), naive(&leaves[..=at]));
    }
    let bytes = tree.to_bytes();
    assert!(Frontier::from_parts(299, &bytes).is_none(), "another number of subtrees");
    assert!(Frontier::from_parts(300, &bytes[1..]).is_none(), "no whole hashes");
}

#[test]
fn every_proof_is_that_of_an_independent_implementation() {
    let all = leaves(70);
    let (stored, independent) = (Stored::of(&all), Independent::of(&all));
    let foreign = |hashes: &[Hash]| hashes.iter().copied().map(tlog_tiles::Hash).collect::<Vec<_>>();
    for size in 1..=all.len() as u64 {
        let root = stored.root(size);
        assert_eq!(tree_hash(size, &independent).unwrap().0, root);
        let parts: Vec<_> = decompose(size).into_iter().map(|subtree| vec![subtree]).collect();
        assert_eq!(fold(&stored.hashes(&parts)), Some(root));
        for index in 0..size {
            let path = stored.hashes(&inclusion_path(index, size).unwrap());
            let leaf = &all[index as usize];
            assert_eq!(prove_record(size, index, &independent).unwrap(), foreign(&path), "{index} of {size}");
            check_record(&foreign(&path), size, tlog_tiles::Hash(root), index, tlog_tiles::Hash(*leaf))
                .unwrap();
            verify_inclusion(index, size, leaf, &path, &root).unwrap();
        }
        for old in 1..=size {
            let path = stored.hashes(&consistency_path(old, size).unwrap());
            let before = stored.root(old);
            assert_eq!(prove_tree(size, old, &independent).unwrap(), foreign(&path), "{old} to {size}");
            let (new_root, old_root) = (tlog_tiles::Hash(root), tlog_tiles::Hash(before));
            check_tree(&foreign(&path), size, new_root, old, old_root).unwrap();
            verify_consistency((old, &before), (size, &root), &path).unwrap();
        }
    }
}

#[test]
fn degenerate_proofs_are_refused() {
    let all = leaves(5);
    let stored = Stored::of(&all);
    let (one, five) = (stored.root(1), stored.root(5));
    // A tree of one leaf is its leaf: nothing else, and no path.
    assert_eq!(verify_inclusion(0, 1, &all[0], &[], &one), Ok(()));
    assert_eq!(verify_inclusion(0, 1, &all[1], &[], &one), Err(ProofError::Root));
    assert!(matches!(verify_inclusion(0, 1, &all[0], &[five], &one), Err(ProofError::Length { .. })));
    // A larger one is not proven by an empty path, nor by a root that is passed off as a leaf.
    assert!(matches!(verify_inclusion(0, 5, &five, &[], &five), Err(ProofError::Length { .. })));
    assert!(matches!(verify_inclusion(0, 0, &one, &[], &one), Err(ProofError::NoSuchLeaf { .. })));
    assert!(matches!(verify_inclusion(5, 5, &one, &[], &five), Err(ProofError::NoSuchLeaf { .. })));
    // Anything continues an empty tree, and no tree shrinks.
    let sizes = |result| matches!(result, Err(ProofError::Sizes { .. }));
    assert!(sizes(verify_consistency((0, &EMPTY_ROOT), (5, &five), &[])));
    assert!(sizes(verify_consistency((5, &five), (1, &one), &[])));
    assert_eq!(verify_consistency((5, &five), (5, &five), &[]), Ok(()));
    assert_eq!(verify_consistency((5, &one), (5, &five), &[]), Err(ProofError::Root));
    assert!(matches!(verify_consistency((1, &one), (5, &five), &[]), Err(ProofError::Length { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn proofs_of_larger_trees_hold_and_no_others(
        size in 1_u64..1_400, at in any::<prop::sample::Index>(), old in any::<prop::sample::Index>(), bit in 0_usize..256,
    ) {
        let all = leaves(size);
        let stored = Stored::of(&all);
        let root = naive(&all);
        prop_assert_eq!(stored.root(size), root);
        let index = at.index(size as usize) as u64;
        let path = stored.hashes(&inclusion_path(index, size).unwrap());
        let leaf = all[index as usize];
        prop_assert_eq!(verify_inclusion(index, size, &leaf, &path, &root), Ok(()));
        prop_assert!(verify_inclusion(index, size, &leaf_hash(b"other"), &path, &root).is_err());
        if size > 1 {
            let other = (index + 1) % size;
            prop_assert!(verify_inclusion(other, size, &leaf, &path, &root).is_err());
            let mut bent = path.clone();
            let hash = bent.len() - 1;
            bent[hash][bit / 8] ^= 1 << (bit % 8);
            prop_assert!(verify_inclusion(index, size, &leaf, &bent, &root).is_err());
        }
        let old = old.index(size as usize) as u64 + 1;
        let before = naive(&all[..old as usize]);
        let path = stored.hashes(&consistency_path(old, size).unwrap());
        prop_assert_eq!(verify_consistency((old, &before), (size, &root), &path), Ok(()));
        // A history in which one leaf was rewritten.
        let mut rewritten = all.clone();
        rewritten[index as usize] = leaf_hash(b"rewritten");
        if index < old {
            let other = naive(&rewritten[..old as usize]);
            prop_assert!(verify_consistency((old, &other), (size, &root), &path).is_err());
        }
    }
}
