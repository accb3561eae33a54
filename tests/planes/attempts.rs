//! What a login may do, found out by trying each thing and rolling it back.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::estate::connect;

/// A column, and whether it is one.
type Column = (String, Vec<String>);

/// A table, partition or sequence, under the name that stands for all of its kind: days of telemetry are one row.
pub struct Relation {
    pub name: String,
    pub kind: char,
    pub columns: Vec<String>,
}

/// Everything in the database that is not Postgres's own.
pub struct Inventory {
    pub relations: Vec<(String, Relation)>,
    /// Name with arguments, a call with nulls, and what is peculiar.
    pub functions: Vec<(String, String, &'static str)>,
    pub roles: Vec<String>,
}

const OURS: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname !~ '^pg_temp'";

impl Inventory {
    pub async fn of(superuser: &Client) -> Self {
        let columns: Vec<Column> = superuser
            .query(
                &format!(
                    "SELECT c.oid::regclass::text, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c
                     JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
                     WHERE {OURS} AND a.attnum > 0 AND NOT a.attisdropped GROUP BY c.oid"
                ),
                &[],
            )
            .await
            .unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1)))
            .collect();
        let mut columns: BTreeMap<String, Vec<String>> = columns.into_iter().collect();
        let query = format!(
            "SELECT c.oid::regclass::text, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE {OURS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1"
        );
        let relations = superuser.query(&query, &[]).await.unwrap();
        let relations = relations.iter().map(|row| {
            let (actual, kind): (String, String) = (row.get(0), row.get(1));
            let columns = columns.remove(&actual).unwrap_or_default();
            let name = kind_of(&actual);
            (actual, Relation { name, kind: kind.chars().next().unwrap(), columns })
        });
        let relations = relations.collect();
        let roles = superuser.query("SELECT rolname::text FROM pg_roles ORDER BY 1", &[]).await.unwrap();
        let roles = roles.iter().map(|row| row.get(0)).collect();
        Inventory { relations, functions: functions(superuser).await, roles }
    }
}

/// One name for tables that differ by a number only.
fn kind_of(table: &str) -> String {
    match table.strip_prefix("scan_event_") {
        Some(day) if day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()) => {
            "scan_event_YYYYMMDD".to_owned()
        }
        _ => table.to_owned(),
    }
}

/// Our functions. Those of an extension may be called by anybody, so none of them may act for another.
async fn functions(superuser: &Client) -> Vec<(String, String, &'static str)> {
    let query = format!(
        "SELECT p.oid::regprocedure::text, p.oid::regproc::text,
                (SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY at)
                 FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS arguments (t, at)),
                p.prosecdef, EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s ~ '^search_path=pg_catalog'),
                EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
         FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {OURS} ORDER BY 1"
    );
    let mut ours = Vec::new();
    for row in superuser.query(&query, &[]).await.unwrap() {
        let (signature, name): (String, String) = (row.get(0), row.get(1));
        let arguments = row.get::<_, Option<String>>(2).unwrap_or_default();
        let (definer, guarded, extension): (bool, bool, bool) = (row.get(3), row.get(4), row.get(5));
        assert!(!definer || guarded, "{signature} acts as its owner on whatever search_path its caller has");
        assert!(!(definer && extension), "{signature} of an extension acts as its owner");
        if !extension {
            let peculiar = if definer { "as its owner" } else { "" };
            ours.push((signature, format!("SELECT {name}({arguments})"), peculiar));
        }
    }
    ours
}

/// One login, trying.
pub struct Attempts {
    client: Client,
    url: String,
    pub login: &'static str,
}

impl Attempts {
    pub async fn of(login: &'static str, url: &str) -> Self {
        Attempts { client: connect(url).await, url: url.to_owned(), login }
    }

    /// Whether Postgres lets a statement pass the question of rights, whatever becomes of it afterwards. Nothing stays.
    pub async fn may(&self, statement: &str) -> bool {
        self.client.batch_execute("BEGIN").await.unwrap();
        let outcome = self.client.batch_execute(statement).await;
        self.client.batch_execute("ROLLBACK").await.unwrap();
        self.judged(statement, outcome)
    }

    /// The same for what cannot run inside a transaction.
    pub async fn may_alone(&self, statement: &str) -> bool {
        let outcome = self.client.batch_execute(statement).await;
        self.judged(statement, outcome)
    }

    fn judged<T>(&self, statement: &str, outcome: Result<T, tokio_postgres::Error>) -> bool {
        let Err(error) = outcome else { return true };
        let code = error.code().unwrap_or_else(|| panic!("{}: {statement}: {error}", self.login));
        // A statement that was never understood proves nothing.
        assert_ne!(*code, SqlState::SYNTAX_ERROR, "{}: {statement}: {error}", self.login);
        *code != SqlState::INSUFFICIENT_PRIVILEGE
    }

    /// On a connection of its own: what a refused COPY leaves behind would be taken for the answer to the next statement.
    async fn may_copy(&self, out: bool, table: &str) -> bool {
        let client = connect(&self.url).await;
        let outcome = if out {
            client.copy_out(&format!("COPY {table} TO STDOUT")).await.map(drop)
        } else {
            client.copy_in::<_, Bytes>(&format!("COPY {table} FROM STDIN")).await.map(drop)
        };
        self.judged(table, outcome)
    }

    /// What the login may do with a table, as words.
    pub async fn on_table(&self, table: &str, columns: &[String]) -> Vec<String> {
        let mut words = Vec::new();
        for (word, make) in
            [("select", select as fn(&str, &str) -> String), ("insert", insert), ("update", update)]
        {
            let mut allowed = Vec::new();
            for column in columns {
                if self.may(&make(table, column)).await {
                    allowed.push(column.as_str());
                }
            }
            if allowed.len() == columns.len() {
                words.push(word.to_owned());
            } else if !allowed.is_empty() {
                words.push(format!("{word} ({})", allowed.join(", ")));
            }
        }
        for (word, out) in [("copy out", true), ("copy in", false)] {
            if self.may_copy(out, table).await {
                words.push(word.to_owned());
            }
        }
        for (word, statement) in [
            ("delete", format!("DELETE FROM {table} WHERE false")),
            ("truncate", format!("TRUNCATE {table}")),
            ("lock", format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT")),
            ("alter", format!("ALTER TABLE {table} ADD COLUMN own int")),
            ("own", format!("ALTER TABLE {table} OWNER TO {}", self.login)),
            ("drop", format!("DROP TABLE {table} CASCADE")),
            ("index", format!("CREATE INDEX own ON {table} ((1))")),
            ("trigger", trigger(table)),
            ("rule", format!("CREATE RULE own AS ON INSERT TO {table} DO ALSO NOTHING")),
            ("policy", format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")),
            ("comment", format!("COMMENT ON TABLE {table} IS 'own'")),
        ] {
            if self.may(&statement).await {
                words.push(word.to_owned());
            }
        }
        words.extend(self.may_pass_on(table).await);
        words
    }

    /// GRANT without the right to only warns, so the catalogue is asked; REFERENCES cannot be tried without a table.
    async fn may_pass_on(&self, table: &str) -> Option<String> {
        let query = "SELECT has_table_privilege($1::text::regclass, 'SELECT WITH GRANT OPTION, INSERT WITH GRANT OPTION,
            UPDATE WITH GRANT OPTION, DELETE WITH GRANT OPTION, REFERENCES, TRIGGER')
            OR has_any_column_privilege($1::text::regclass, 'SELECT WITH GRANT OPTION, INSERT WITH GRANT OPTION,
            UPDATE WITH GRANT OPTION, REFERENCES')";
        let may: bool = self.client.query_one(query, &[&table]).await.unwrap().get(0);
        may.then(|| "pass on".to_owned())
    }

    pub async fn on_sequence(&self, sequence: &str) -> Vec<String> {
        let mut words = Vec::new();
        for (word, statement) in [
            ("read", format!("SELECT * FROM {sequence}")),
            ("take", format!("SELECT nextval('{sequence}')")),
            ("set", format!("SELECT setval('{sequence}', 1)")),
            ("alter", format!("ALTER SEQUENCE {sequence} RESTART")),
        ] {
            if self.may(&statement).await {
                words.push(word.to_owned());
            }
        }
        words
    }
}

fn select(table: &str, column: &str) -> String {
    format!("SELECT {column} FROM {table} LIMIT 0")
}

fn insert(table: &str, column: &str) -> String {
    format!("INSERT INTO {table} ({column}) VALUES (DEFAULT)")
}

fn update(table: &str, column: &str) -> String {
    format!("UPDATE {table} SET {column} = DEFAULT WHERE false")
}

fn trigger(table: &str) -> String {
    format!(
        "CREATE TRIGGER own BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    )
}
