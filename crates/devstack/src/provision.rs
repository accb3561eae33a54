//! Databases and logins inside a private cluster.

use std::time::Duration;

use tokio_postgres::NoTls;

use crate::{DevstackError, PostgresServer};

/// One service's database.
pub struct Provision<'a> {
    /// The database's name.
    pub database: &'a str,
    /// The role that owns it and runs the migrations.
    pub owner: &'a str,
    /// The text of `migrations/<service>/roles.sql`, run by the superuser; it must be repeatable.
    pub roles_sql: &'a str,
    /// Each login with its password; set anew at each start. Only these may connect.
    pub logins: &'a [(&'a str, &'a str)],
}

impl PostgresServer {
    /// Makes roles, passwords and the database where they do not exist yet; repeatable.
    ///
    /// # Errors
    /// Postgres refuses something.
    pub async fn provision(&self, what: &Provision<'_>) -> Result<(), DevstackError> {
        let client = connect(&self.superuser_url("postgres")).await?;
        run(&client, "make the roles", what.roles_sql).await?;
        // A failing statement must not write a password to the log.
        run(
            &client,
            "quieten the log",
            "SET log_min_error_statement = panic; SET log_min_duration_statement = -1",
        )
        .await?;
        for (login, password) in what.logins {
            let sql = format!("ALTER ROLE {} PASSWORD {}", quoted_name(login), quoted_text(password));
            run(&client, "set a password", &sql).await?;
        }
        create_database(&client, what.database, what.owner).await?;
        let database = quoted_name(what.database);
        let mut grants = format!("REVOKE ALL ON DATABASE {database} FROM PUBLIC;");
        for (login, _) in what.logins {
            grants.push_str(&format!("GRANT CONNECT ON DATABASE {database} TO {};", quoted_name(login)));
        }
        run(&client, "grant access to the database", &grants).await
    }
}

/// A connection whose driver lives on the calling runtime.
pub(crate) async fn connect(url: &str) -> Result<tokio_postgres::Client, DevstackError> {
    let mut config: tokio_postgres::Config = url.parse().map_err(DevstackError::sql("read its URL"))?;
    config.connect_timeout(Duration::from_secs(10));
    let (client, connection) =
        config.connect(NoTls).await.map_err(DevstackError::sql("open a connection"))?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) async fn run(client: &tokio_postgres::Client, what: &str, sql: &str) -> Result<(), DevstackError> {
    client.batch_execute(sql).await.map_err(DevstackError::sql(what))
}

/// CREATE DATABASE has no IF NOT EXISTS.
async fn create_database(
    client: &tokio_postgres::Client,
    database: &str,
    owner: &str,
) -> Result<(), DevstackError> {
    let there = client
        .query_opt("SELECT 1 FROM pg_database WHERE datname = $1", &[&database])
        .await
        .map_err(DevstackError::sql("list its databases"))?;
    if there.is_some() {
        return Ok(());
    }
    let sql = format!("CREATE DATABASE {} OWNER {}", quoted_name(database), quoted_name(owner));
    run(client, "make a database", &sql).await
}

pub(crate) fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string literal that means the same whatever `standard_conforming_strings` says.
fn quoted_text(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
