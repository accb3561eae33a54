//! `mintmark product`: what a brand sells, each with its GTIN.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::{path, query};
use crate::desk::Desk;
use crate::failure::Failure;
use crate::reach::Paging;
use crate::show::{Column, moment, text, time};

/// What is done with products.
#[derive(Subcommand)]
pub enum ProductCommand {
    /// Create a product.
    Create {
        /// 8, 12, 13 or 14 digits with a correct check digit.
        gtin: String,
        /// What it is called.
        #[arg(long)]
        name: String,
        /// Where a scan leads: an https URL that may hold {gtin}, {serial} and {batch}; without it the built-in page.
        #[arg(long, value_name = "URL")]
        destination: Option<String>,
        /// Whose it is; without it the context's brand.
        #[arg(long)]
        brand: Option<String>,
    },
    /// List a brand's products, newest first.
    List {
        /// Whose; without it the context's brand.
        #[arg(long)]
        brand: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Show a product.
    Show {
        /// Its id, `prd_…`.
        id: String,
    },
    /// Change a product's name, or where its scans lead.
    Update {
        /// Its id, `prd_…`.
        id: String,
        /// A new name.
        #[arg(long, required_unless_present_any = ["destination", "no_destination"])]
        name: Option<String>,
        /// Where scans lead from now on.
        #[arg(long, value_name = "URL")]
        destination: Option<String>,
        /// Scans lead to the built-in page again.
        #[arg(long, conflicts_with = "destination")]
        no_destination: bool,
    },
}

/// Runs one of the commands.
pub async fn run(desk: &Desk, command: ProductCommand) -> Result<(), Failure> {
    let of = |id: &str| path(&["v1", "products", id]);
    match command {
        ProductCommand::Create { gtin, name, destination, brand } => {
            let mut wanted = json!({ "brandId": desk.brand(brand.as_deref())?, "gtin": gtin, "name": name });
            destination.into_iter().for_each(|template| wanted["destinationTemplate"] = template.into());
            show(desk, &desk.person()?.create("/v1/products", &wanted).await?)
        }
        ProductCommand::List { brand, paging } => {
            let brand = desk.brand(brand.as_deref())?;
            let listed =
                desk.person()?.list(&query("/v1/products", &[("brandId", Some(&brand))]), &paging).await?;
            let columns = [
                Column::whole("ID"),
                Column::whole("GTIN"),
                Column::words("NAME"),
                Column::words("SCANS LEAD TO"),
                Column::whole("CREATED (UTC)"),
            ];
            let row = |it: &Value| {
                let leads = Some(text(it, "destinationTemplate")).filter(|url| !url.is_empty());
                let leads = leads.unwrap_or_else(|| "the built-in page".to_owned());
                vec![text(it, "id"), text(it, "gtin"), text(it, "name"), leads, time(it, "createdAt")]
            };
            let empty =
                "The brand has no products yet: `mintmark product create GTIN --name NAME` makes one.";
            desk.screen.list(&listed, &columns, row, empty)
        }
        ProductCommand::Show { id } => show(desk, &desk.person()?.get(&of(&id)).await?),
        ProductCommand::Update { id, name, destination, no_destination } => {
            let mut change = json!({});
            name.into_iter().for_each(|name| change["name"] = name.into());
            destination.into_iter().for_each(|template| change["destinationTemplate"] = template.into());
            if no_destination {
                change["destinationTemplate"] = Value::Null;
            }
            show(desk, &desk.person()?.patch(&of(&id), &change).await?)
        }
    }
}

fn show(desk: &Desk, product: &Value) -> Result<(), Failure> {
    desk.screen.thing(
        product,
        &[
            ("product", text(product, "id")),
            ("name", text(product, "name")),
            ("GTIN", text(product, "gtin")),
            ("brand", text(product, "brandId")),
            ("scans lead to", text(product, "destinationTemplate")),
            ("version", text(product, "version")),
            ("created", moment(product, "createdAt")),
        ],
    )
}
