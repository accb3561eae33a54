//! Dependencies between our own crates, as `ARCHITECTURE.md` draws them. Any other edge fails.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Every crate of the workspace and what of ours it may depend on when it ships.
const ALLOWED: &[(&str, &[&str])] = &[
    ("ids", &[]),
    ("codes", &[]),
    ("look", &[]),
    ("wire", &[]),
    ("fault", &["ids"]),
    ("minting", &["codes", "ids"]),
    ("auth", &["ids", "fault"]),
    ("service", &["fault"]),
    ("db", &["fault", "service"]),
    ("objects", &["fault", "service"]),
    ("jobs", &["ids", "fault", "auth", "service", "db"]),
    // Whom a request is counted for is a tenant's id or a key's.
    ("web", &["ids", "auth", "fault", "service"]),
    // The typed clients take a tenant's id, so `rpc` knows `ids`.
    ("rpc", &["ids", "auth", "fault", "service", "wire"]),
    ("devstack", &[]),
    // Checkpoints are kept in an object store, outside the database.
    ("audit", &["ids", "fault", "auth", "service", "db", "objects"]),
    ("control-plane", SERVICE),
    ("evidence-vault", VAULT),
    ("resolver", RESOLVER),
    ("ratelimit", &["ids", "auth", "fault", "service", "rpc", "wire"]),
    ("preflight-engine", &[]),
    // It judges what scanners say of us, so nothing of ours is in it.
    ("security-gate", &[]),
    ("preflight-gateway", GATEWAY),
    // It shows reports, whose type the engine's library has.
    ("console", &["ids", "auth", "fault", "service", "web", "rpc", "wire", "preflight-engine"]),
    (
        "mintmark",
        &["ids", "auth", "audit", "codes", "wire", "rpc", "service", "devstack", "preflight-engine"],
    ),
    // Nothing here ships: the proofs may look into every crate.
    ("tests", EVERYTHING),
];

/// What the whole-platform tests and benchmarks may use.
const EVERYTHING: &[&str] = &[
    "ids",
    "codes",
    "look",
    "minting",
    "fault",
    "auth",
    "service",
    "db",
    "objects",
    "jobs",
    "audit",
    "web",
    "rpc",
    "wire",
    "devstack",
    "control-plane",
    "resolver",
    "ratelimit",
    "preflight-gateway",
    "preflight-engine",
    "evidence-vault",
    "console",
    "mintmark",
];

/// What a service may use.
const SERVICE: &[&str] = &[
    "ids", "codes", "look", "minting", "fault", "auth", "service", "db", "objects", "jobs", "audit", "web",
    "rpc", "wire",
];

/// The vault knows nothing of codes, and answers over gRPC alone.
const VAULT: &[&str] = &["ids", "fault", "auth", "service", "db", "objects", "jobs", "audit", "rpc", "wire"];

/// The preflight gateway has no codes, makes none, and never reads a PDF itself: the engine's library gives it types and
/// policies, its program the facts.
const GATEWAY: &[&str] =
    &["ids", "fault", "auth", "service", "db", "objects", "jobs", "web", "rpc", "wire", "preflight-engine"];

/// The resolver recognises codes and can never make one: it is not linked with `minting`.
const RESOLVER: &[&str] =
    &["ids", "codes", "look", "fault", "auth", "service", "db", "objects", "jobs", "web", "rpc", "wire"];

#[test]
fn every_dependency_between_our_crates_is_allowed() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(name, uses)| (*name, uses.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (name, dependency, kind) in our_edges(&metadata()) {
        let Some(uses) = allowed.get(name.as_str()) else {
            wrong.push(format!("crate {name} is not in the table of tests/layout/edges.rs"));
            continue;
        };
        let is_test_only = kind == DependencyKind::Development && dependency == "devstack";
        if !is_test_only && !uses.contains(dependency.as_str()) {
            wrong.push(format!("{name} must not depend on {dependency} ({kind:?})"));
        }
    }
    assert!(wrong.is_empty(), "edges that the layout does not allow:\n  {}", wrong.join("\n  "));
}

#[test]
fn the_resolver_is_never_linked_with_minting() {
    let edges = our_edges(&metadata());
    let mut reached = BTreeSet::from(["resolver".to_owned()]);
    while let Some((_, next, _)) =
        edges.iter().find(|(from, to, _)| reached.contains(from) && !reached.contains(to))
    {
        reached.insert(next.clone());
    }
    assert!(reached.contains("codes"), "the walk itself is broken: the resolver uses codes");
    assert!(!reached.contains("minting"), "the resolver reaches minting through {reached:?}");
}

#[test]
fn every_crate_of_the_table_exists() {
    let metadata = metadata();
    let present: BTreeSet<String> =
        metadata.workspace_packages().iter().filter_map(|package| folder(package.name.as_str())).collect();
    let listed: BTreeSet<String> = ALLOWED.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(present, listed, "the table of tests/layout/edges.rs and the workspace differ");
}

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().exec().expect("cargo metadata runs")
}

/// `(crate, dependency, kind)` for every dependency on a crate of ours, by folder name.
fn our_edges(metadata: &Metadata) -> Vec<(String, String, DependencyKind)> {
    metadata
        .workspace_packages()
        .iter()
        .flat_map(|package| {
            let from = folder(package.name.as_str()).expect("a package of ours");
            package.dependencies.iter().filter_map(move |dependency| {
                Some((from.clone(), folder(&dependency.name)?, dependency.kind))
            })
        })
        .collect()
}

/// The folder of a package of ours: `mintmark-codes` lives in `crates/codes`.
fn folder(package: &str) -> Option<String> {
    if package == "mintmark" {
        return Some(package.to_owned());
    }
    package.strip_prefix("mintmark-").map(ToOwned::to_owned)
}
