//! `mintmark user`: the people of a tenant and their roles. An administrator of the tenant does it with a session or an API
//! key; the platform's operator with the control token, for any tenant (`--tenant`).

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Client, path, query};
use crate::desk::Desk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::reach::{Consent, Paging};
use crate::show::{Column, moment, text, time};

/// What is done with people.
#[derive(Subcommand)]
pub enum UserCommand {
    /// List the people of the tenant, newest first.
    List {
        #[command(flatten)]
        paging: Paging,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Show a person; with --tenant also the roles that they hold.
    Show {
        /// The person's id (usr_…) or email address.
        user: String,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Add a person to a tenant (the operator).
    Create {
        /// The email address: at most 254 characters, unique within the tenant.
        email: String,
        /// What the person is called.
        #[arg(long)]
        name: String,
        /// May create brands and administer the tenant.
        #[arg(long)]
        admin: bool,
        /// To which; without it the context's tenant.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Change a person (the operator): shut out (sessions are refused from the next request on), let in again, made an
    /// administrator of the tenant.
    Update(UserChange),
    /// Give a person a role: owner, admin or member of a brand, at most your own there, or USER. ARBITRATOR and GOVERNANCE
    /// are the operator's to give (--tenant).
    Grant {
        /// The person's id (usr_…) or email address.
        user: String,
        /// owner, admin or member (with --brand), USER, ARBITRATOR or GOVERNANCE.
        role: String,
        /// The brand of a brand's role: brd_…
        #[arg(long)]
        brand: Option<String>,
        #[command(flatten)]
        of: OfTenant,
    },
    /// Take a role away; it is gone with the person's next request.
    RevokeRole {
        /// The role's id (mem_…), as `user grant` and `user show --tenant` print it.
        membership: String,
        #[command(flatten)]
        of: OfTenant,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Options of `mintmark user update`; what is left out stays.
#[derive(Args)]
pub struct UserChange {
    /// The person's id (usr_…) or email address.
    pub user: String,
    /// Shut the person out.
    #[arg(long, required_unless_present_any = ["enable", "admin", "no_admin", "name"])]
    pub disable: bool,
    /// Let the person in again.
    #[arg(long, conflicts_with = "disable")]
    pub enable: bool,
    /// Let the person create brands and administer the tenant.
    #[arg(long)]
    pub admin: bool,
    /// Not any more.
    #[arg(long, conflicts_with = "admin")]
    pub no_admin: bool,
    /// What the person is called.
    #[arg(long)]
    pub name: Option<String>,
    /// Of which tenant; without it the context's.
    #[arg(long)]
    pub tenant: Option<String>,
    #[command(flatten)]
    pub consent: Consent,
}

/// Whose people, and so with which credential.
#[derive(Args)]
pub struct OfTenant {
    /// As the platform's operator, with the control token: the people of this tenant.
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
}

const COLUMNS: [Column; 6] = [
    Column::whole("ID"),
    Column::words("EMAIL"),
    Column::words("NAME"),
    Column::whole("ADMIN"),
    Column::whole("STATE"),
    Column::whole("CREATED (UTC)"),
];

const ROLES: [Column; 4] =
    [Column::whole("ROLE ID"), Column::whole("ROLE"), Column::whole("BRAND"), Column::whole("SINCE (UTC)")];

/// Whoever asks, and where people are listed for them.
struct Asking {
    client: Client,
    tenant: Option<String>,
}

impl Asking {
    fn new(desk: &Desk, of: OfTenant) -> Result<Self, Failure> {
        let client = if of.tenant.is_some() { desk.operator()? } else { desk.person_or_program()? };
        Ok(Self { client, tenant: of.tenant })
    }

    fn people(&self) -> String {
        match &self.tenant {
            Some(tenant) => query("/api/admin/users", &[("tenantId", Some(tenant))]),
            None => "/v1/admin/users".to_owned(),
        }
    }

    /// The id of a person who is named by it, or by an email address.
    async fn id(&self, named: String) -> Result<String, Failure> {
        if named.starts_with("usr_") { Ok(named) } else { Ok(text(&self.person(&named).await?, "id")) }
    }

    /// The person with this id or email address: no route finds one, so the list does.
    async fn person(&self, named: &str) -> Result<Value, Failure> {
        let everybody = Paging { limit: u64::MAX, all: true, cursor: None };
        let listed = self.client.list(&self.people(), &everybody).await?;
        let is = |user: &&Value| {
            user["id"] == named
                || user["email"].as_str().is_some_and(|email| email.eq_ignore_ascii_case(named))
        };
        listed.items.iter().find(is).cloned().ok_or_else(|| {
            Failure::new(format!("nobody of the tenant is '{named}'"))
                .ending(Exit::NotFound)
                .coded("NOT_FOUND")
                .hinting("`mintmark user list` shows ids and addresses.")
        })
    }
}

/// Does what is wanted.
pub async fn run(desk: &Desk, wanted: UserCommand) -> Result<(), Failure> {
    let screen = &desk.screen;
    match wanted {
        UserCommand::List { paging, of } => {
            let asking = Asking::new(desk, of)?;
            let listed = asking.client.list(&asking.people(), &paging).await?;
            let row = |user: &Value| {
                let names = [text(user, "id"), text(user, "email"), text(user, "name")];
                let rest = [text(user, "tenantAdmin"), screen.state(state(user)), time(user, "createdAt")];
                names.into_iter().chain(rest).collect()
            };
            screen.list(&listed, &COLUMNS, row, "The tenant has no users.")
        }
        UserCommand::Show { user, of } => show(desk, &Asking::new(desk, of)?, &user).await,
        UserCommand::Create { email, name, admin, tenant } => {
            let tenant = desk.tenant(tenant.as_deref())?;
            let body = json!({ "tenantId": tenant, "email": email, "name": name, "tenantAdmin": admin });
            let made = desk.operator()?.create("/api/admin/users", &body).await?;
            screen.thing(&made, &fields(desk, &made))
        }
        UserCommand::Update(change) => update(desk, change).await,
        UserCommand::Grant { user, role, brand, of } => {
            let asking = Asking::new(desk, of)?;
            let id = asking.id(user).await?;
            let mut body = json!({ "role": role });
            brand.iter().for_each(|brand| body["brandId"] = json!(brand));
            let granted = if asking.tenant.is_some() {
                body["userId"] = json!(id);
                asking.client.create("/api/admin/memberships", &body).await?
            } else {
                asking.client.create(&path(&["v1", "admin", "users", &id, "roles"]), &body).await?
            };
            screen.thing(
                &granted,
                &[
                    ("role id", text(&granted, "id")),
                    ("user", text(&granted, "userId")),
                    ("role", text(&granted, "role")),
                    ("brand", text(&granted, "brandId")),
                    ("since", moment(&granted, "createdAt")),
                ],
            )
        }
        UserCommand::RevokeRole { membership, of, consent } => {
            let asking = Asking::new(desk, of)?;
            desk.confirm(&format!("Take the role {membership} away"), &consent)?;
            let place = match asking.tenant {
                Some(_) => path(&["api", "admin", "memberships", &membership]),
                None => path(&["v1", "admin", "roles", &membership]),
            };
            asking.client.delete(&place).await?;
            screen.thing(&json!({ "id": membership, "revoked": true }), &[])?;
            screen.say(&format!("{membership} is taken away."));
            Ok(())
        }
    }
}

async fn update(desk: &Desk, wanted: UserChange) -> Result<(), Failure> {
    let of = OfTenant { tenant: Some(desk.tenant(wanted.tenant.as_deref())?) };
    let asking = Asking::new(desk, of)?;
    let id = asking.id(wanted.user).await?;
    if wanted.disable {
        desk.confirm(&format!("Shut {id} out"), &wanted.consent)?;
    }
    let mut change = json!({});
    for (name, value) in [
        ("disabled", (wanted.disable || wanted.enable).then(|| json!(wanted.disable))),
        ("tenantAdmin", (wanted.admin || wanted.no_admin).then(|| json!(wanted.admin))),
        ("name", wanted.name.map(|name| json!(name))),
    ] {
        value.into_iter().for_each(|value| change[name] = value);
    }
    let changed = asking.client.patch(&path(&["api", "admin", "users", &id]), &change).await?;
    desk.screen.thing(&changed, &fields(desk, &changed))
}

async fn show(desk: &Desk, asking: &Asking, user: &str) -> Result<(), Failure> {
    let mut user = asking.person(user).await?;
    let roles = match asking.tenant {
        Some(_) => {
            let of = query("/api/admin/memberships", &[("userId", Some(&text(&user, "id")))]);
            let everything = Paging { limit: u64::MAX, all: true, cursor: None };
            asking.client.list(&of, &everything).await?.items
        }
        None => Vec::new(),
    };
    if asking.tenant.is_some() {
        user["roles"] = json!(roles);
    }
    desk.screen.thing(&user, &fields(desk, &user))?;
    if desk.screen.json || roles.is_empty() {
        return Ok(());
    }
    let row = |role: &Value| {
        vec![text(role, "id"), text(role, "role"), text(role, "brandId"), time(role, "createdAt")]
    };
    desk.screen.print("\n")?;
    desk.screen.table(&ROLES, roles.iter().map(row).collect())
}

fn fields(desk: &Desk, user: &Value) -> [(&'static str, String); 7] {
    [
        ("id", text(user, "id")),
        ("tenant", text(user, "tenantId")),
        ("email", text(user, "email")),
        ("name", text(user, "name")),
        ("tenant admin", text(user, "tenantAdmin")),
        ("state", desk.screen.state(state(user))),
        ("created", moment(user, "createdAt")),
    ]
}

fn state(user: &Value) -> &'static str {
    if user["disabled"] == true { "disabled" } else { "active" }
}
