//! People with sessions and contexts of their own.

use serde_json::Value;

use crate::desk::Desk;

/// The same words in somebody's context.
pub fn in_context<'a>(name: &'a str, words: &[&'a str]) -> Vec<&'a str> {
    [words, &["--context", name]].concat()
}

/// Adds a person to a tenant, with a context and a login of their own; the person's id.
pub fn join(desk: &Desk, tenant: &str, name: &str) -> Value {
    let variables = desk.home.dev_env().unwrap();
    let email = format!("{name}@cli.example");
    let made = desk.json(&["user", "create", &email, "--name", name, "--tenant", tenant]);
    let token = format!("file:{}", desk.write("operator", 0o600, &variables["PPOS_CONTROL_TOKEN"]).display());
    let (control, gateway) = (&variables["MINTMARK_CONTROL_URL"], &variables["MINTMARK_GATEWAY_URL"]);
    let place = ["context", "add", name, "--control", control, "--gateway", gateway, "--tenant", tenant];
    desk.shows(&[&place[..], &["--control-token", &token]].concat());
    desk.shows(&in_context(name, &["login", "--email", &email]));
    made["id"].clone()
}
