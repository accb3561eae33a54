//! The table that says what each method needs.

use std::collections::HashMap;

/// One method that an edge serves. What has no row does not exist, whatever services were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rpc {
    /// The request's path: `/mintmark.directory.v1.DirectoryService/Publish`.
    pub path: &'static str,
    /// The scope that the caller's service token must have; one of `mintmark_auth::scope`.
    pub scope: &'static str,
}

impl Rpc {
    /// Fully qualified service and method name.
    pub(crate) fn names(&self) -> (&'static str, &'static str) {
        split(self.path)
    }
}

/// Methods that answer without a token: what probes and tools need before they have one.
const OPEN: [&str; 4] = [
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Health or reflection.
    Open(&'static str),
    /// A method of ours.
    Row(Rpc),
    /// A method with a credential of its own.
    Own(&'static str),
    /// No row.
    Unknown,
}

impl Target {
    /// Names for spans and metrics: from the table only, so that a caller cannot invent labels.
    pub(crate) fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::Open(path) | Self::Own(path) => split(path),
            Self::Row(rpc) => rpc.names(),
            Self::Unknown => ("unknown", "unknown"),
        }
    }
}

/// The rows of one edge by path.
pub(crate) struct Table(HashMap<&'static str, Target>);

impl Table {
    pub(crate) fn new(rows: &[Rpc], own: impl Iterator<Item = &'static str>) -> Self {
        let open = OPEN.iter().map(|path| (*path, Target::Open(path)));
        let ours = rows.iter().map(|rpc| (rpc.path, Target::Row(*rpc)));
        let own = own.map(|path| (path, Target::Own(path)));
        // What comes later wins: a method of ours wants a token whatever else was said, and a health probe none.
        Self(own.chain(ours).chain(open).collect())
    }

    pub(crate) fn target(&self, path: &str) -> Target {
        self.0.get(path).copied().unwrap_or(Target::Unknown)
    }
}

pub(crate) fn split(path: &'static str) -> (&'static str, &'static str) {
    let path = path.strip_prefix('/').unwrap_or(path);
    path.split_once('/').unwrap_or((path, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: Rpc = Rpc { path: "/a.v1.AService/Do", scope: "a:do" };

    #[test]
    fn target_of_a_path_is_its_row_or_nothing() {
        let table = Table::new(&[ROW], ["/b.v1.BService/Do", ROW.path].into_iter());
        assert_eq!(table.target("/a.v1.AService/Do"), Target::Row(ROW));
        assert_eq!(table.target("/b.v1.BService/Do"), Target::Own("/b.v1.BService/Do"));
        assert_eq!(table.target("/a.v1.AService/Do/"), Target::Unknown);
        assert_eq!(table.target("/a.v1.AService/do"), Target::Unknown);
        assert_eq!(
            table.target("/grpc.health.v1.Health/Check"),
            Target::Open("/grpc.health.v1.Health/Check")
        );
    }

    #[test]
    fn names_come_from_the_table() {
        assert_eq!(Target::Row(ROW).names(), ("a.v1.AService", "Do"));
        assert_eq!(Target::Unknown.names(), ("unknown", "unknown"));
    }
}
