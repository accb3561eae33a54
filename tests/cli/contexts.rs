//! Contexts: chosen, kept, and never showing what they lead to.

use crate::desk::Desk;

/// The platform that runs here needs no set-up; others stand beside it.
pub fn checks(desk: &Desk) {
    let variables = desk.home.dev_env().unwrap();
    let secrets = [&variables["PPOS_CONTROL_TOKEN"], &variables["MINTMARK_SESSION"]];
    for words in [
        &["context", "show", "local"][..],
        &["context", "list"],
        &["context", "show", "local", "--json"],
        &["session", "--context", "local"],
        &["session", "--context", "local", "--json"],
    ] {
        let said = desk.shows(words);
        assert!(secrets.iter().all(|secret| !said.contains(secret.as_str())), "{words:?} shows a secret");
    }
    let listed = desk.json(&["context", "list"]);
    let named: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["name"].as_str().unwrap(), it["current"] == true))
        .collect();
    assert_eq!(named, [("local", false), ("stranger", true)]);

    assert_eq!(desk.fails(2, &["context", "use", "nowhere"])["code"], "UNKNOWN_CONTEXT");
    desk.shows(&["context", "use", "local"]);
    assert_eq!(desk.json(&["context", "show"])["tenant"], variables["MINTMARK_TENANT"].as_str());
    assert_eq!(
        desk.fails(2, &["context", "add", "stranger", "--control", "https://a.example"])["code"],
        "CONTEXT_EXISTS"
    );
    desk.shows(&["context", "remove", "stranger", "--yes"]);
    assert_eq!(desk.fails(2, &["brand", "list", "--context", "stranger"])["code"], "UNKNOWN_CONTEXT");

    // Somebody else's session for the platform here, and back to the one of the seed.
    let seed = desk.json(&["session"])["userId"].clone();
    desk.shows(&["login", "--user", seed.as_str().unwrap(), "--ttl", "60"]);
    assert!(desk.json(&["session"])["expiresAt"].is_string());
    desk.shows(&["brand", "list"]);
    desk.shows(&["logout"]);
    assert_eq!(desk.json(&["session"])["userId"], seed);
}
