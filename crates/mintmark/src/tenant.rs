//! `mintmark tenant`: the tenants of the platform, for its operator.

use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::client::path;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::reach::Paging;
use crate::show::{Column, moment, text, time};

/// What is done with tenants.
#[derive(Subcommand)]
pub enum TenantCommand {
    /// Create a tenant.
    Create {
        /// Its id: 3 to 63 characters of a-z, 0-9 and hyphens. It never changes.
        id: String,
        /// What it is called.
        #[arg(long)]
        name: String,
        /// How many requests it may make.
        #[arg(long, value_enum, default_value_t = Tier::Free)]
        tier: Tier,
    },
    /// List the tenants, newest first.
    List(Paging),
    /// Show a tenant.
    Show {
        /// Its id; without it the context's tenant.
        id: Option<String>,
    },
    /// Change a tenant's name or tier.
    Update {
        /// Its id.
        id: String,
        /// A new name.
        #[arg(long, required_unless_present = "tier")]
        name: Option<String>,
        /// Another tier; its keys follow at once.
        #[arg(long, value_enum)]
        tier: Option<Tier>,
    },
}

/// How many requests a minute a tenant may make.
#[derive(Clone, Copy, ValueEnum)]
pub enum Tier {
    /// 100.
    Free,
    /// 1,000.
    Pro,
    /// 10,000.
    Enterprise,
}

impl Tier {
    fn name(self) -> &'static str {
        match self {
            Tier::Free => "free",
            Tier::Pro => "pro",
            Tier::Enterprise => "enterprise",
        }
    }
}

const TENANTS: [&str; 3] = ["api", "admin", "tenants"];

/// Runs one of the commands.
pub async fn run(desk: &Desk, command: TenantCommand) -> Result<(), Failure> {
    let of = |id: &str| path(&["api", "admin", "tenants", id]);
    match command {
        TenantCommand::Create { id, name, tier } => {
            let wanted = json!({ "id": id, "name": name, "tier": tier.name() });
            show(desk, &desk.operator()?.create(&path(&TENANTS), &wanted).await?)
        }
        TenantCommand::List(paging) => {
            let listed = desk.operator()?.list(&path(&TENANTS), &paging).await?;
            let columns = [
                Column::whole("ID"),
                Column::words("NAME"),
                Column::whole("TIER"),
                Column::whole("CREATED (UTC)"),
            ];
            let row =
                |it: &Value| vec![text(it, "id"), text(it, "name"), text(it, "tier"), time(it, "createdAt")];
            desk.screen.list(
                &listed,
                &columns,
                row,
                "No tenants yet: `mintmark tenant create ID --name NAME` makes one.",
            )
        }
        TenantCommand::Show { id } => {
            show(desk, &desk.operator()?.get(&of(&desk.tenant(id.as_deref())?)).await?)
        }
        TenantCommand::Update { id, name, tier } => {
            let mut change = json!({});
            name.into_iter().for_each(|name| change["name"] = name.into());
            tier.into_iter().for_each(|tier| change["tier"] = tier.name().into());
            show(desk, &desk.operator()?.patch(&of(&id), &change).await?)
        }
    }
}

fn show(desk: &Desk, tenant: &Value) -> Result<(), Failure> {
    desk.screen.thing(
        tenant,
        &[
            ("tenant", text(tenant, "id")),
            ("name", text(tenant, "name")),
            ("tier", text(tenant, "tier")),
            ("created", moment(tenant, "createdAt")),
        ],
    )
}
