//! One Postgres may hold both databases, and even then neither plane's login reaches the other's.

use std::collections::BTreeSet;

use mintmark_devstack::testdb;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use crate::estate::connect;

const CONTROL: [&str; 3] = ["control_app", "control_sequencer", "control_owner"];
const RESOLVER: [&str; 3] = ["resolver_scan", "resolver_directory", "resolver_owner"];
const PREFLIGHT: [&str; 3] = ["preflight_gateway", "preflight_worker", "preflight_owner"];
const EVIDENCE: [&str; 3] = ["evidence_vault", "evidence_sequencer", "evidence_owner"];
const ALL: [(&str, &[&str]); 4] = [
    ("control-plane", &CONTROL),
    ("resolver", &RESOLVER),
    ("preflight-gateway", &PREFLIGHT),
    ("evidence-vault", &EVIDENCE),
];

#[tokio::test(flavor = "multi_thread")]
async fn no_login_of_one_plane_can_connect_to_the_database_of_the_other() {
    // Every login exists before the first is tried.
    let mut databases = Vec::new();
    for (service, own) in ALL {
        databases.push((testdb::database(service).await, own));
    }
    for (db, own) in &databases {
        let others = ALL.iter().flat_map(|(_, logins)| *logins).filter(|login| !own.contains(login));
        for login in *own {
            connect(&db.url(login)).await;
        }
        for login in others {
            let refused = tokio_postgres::connect(&db.url(login), NoTls).await.err().unwrap();
            assert_eq!(refused.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{login}: {refused}");
            assert!(refused.to_string().contains("CONNECT") || format!("{refused:?}").contains("CONNECT"));
        }
    }
}

/// Who may connect is said by the migrations, so that it does not depend on whoever made the database.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_logins_of_a_database_are_named_in_its_grants() {
    for (service, logins) in ALL {
        let db = testdb::database(service).await;
        let query = "SELECT coalesce(grantee::regrole::text, 'PUBLIC') || ' ' || privilege_type
            FROM pg_database, aclexplode(datacl) WHERE datname = current_database()";
        let rows = connect(&db.superuser_url()).await.query(query, &[]).await.unwrap();
        let found: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
        let mut expected: BTreeSet<String> = logins.iter().map(|login| format!("{login} CONNECT")).collect();
        let owner = logins.iter().find(|login| login.ends_with("_owner")).unwrap();
        expected.extend(["CREATE", "TEMPORARY"].map(|right| format!("{owner} {right}")));
        assert_eq!(found, expected, "{service}");
    }
}
