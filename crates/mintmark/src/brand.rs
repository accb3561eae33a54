//! `mintmark brand`: the brands of a tenant, and how they look to whoever scans.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::{Client, path};
use crate::desk::Desk;
use crate::failure::{Failure, describe_io};
use crate::reach::Paging;
use crate::screen;
use crate::show::{Column, moment, text, time};

/// What is done with brands.
#[derive(Subcommand)]
pub enum BrandCommand {
    /// Create a brand (tenant administrators); you become its owner.
    Create {
        /// What it is called.
        name: String,
    },
    /// List the brands that you have a role for, newest first.
    List(Paging),
    /// Show a brand and how it looks to whoever scans.
    Show {
        /// Its id, `brd_…`; without it the context's brand.
        id: Option<String>,
    },
    /// Change how a brand looks to whoever scans: its colour and its logo.
    Update {
        /// Its id, `brd_…`; without it the context's brand.
        id: Option<String>,
        /// The accent of the verification page, like #0b4f6c.
        #[arg(long, value_name = "#RRGGBB", required_unless_present_any = ["no_colour", "logo", "no_logo"])]
        colour: Option<String>,
        /// Back to the page's own colour.
        #[arg(long, conflicts_with = "colour")]
        no_colour: bool,
        /// A picture file: PNG, JPEG or WebP.
        #[arg(long, value_name = "FILE")]
        logo: Option<PathBuf>,
        /// No logo.
        #[arg(long, conflicts_with = "logo")]
        no_logo: bool,
    },
}

/// Runs one of the commands.
pub async fn run(desk: &Desk, command: BrandCommand) -> Result<(), Failure> {
    match command {
        BrandCommand::Create { name } => {
            let made = desk.person()?.create("/v1/brands", &json!({ "name": name })).await?;
            desk.screen.thing(&made, &fields(&made))
        }
        BrandCommand::List(paging) => {
            let listed = desk.person()?.list("/v1/brands", &paging).await?;
            let columns = [Column::whole("ID"), Column::words("NAME"), Column::whole("CREATED (UTC)")];
            let row = |it: &Value| vec![text(it, "id"), text(it, "name"), time(it, "createdAt")];
            let empty = "No brand that you have a role for: `mintmark brand create NAME` makes one.";
            desk.screen.list(&listed, &columns, row, empty)
        }
        BrandCommand::Show { id } => {
            let brand = desk.brand(id.as_deref())?;
            show(desk, &desk.person()?, &brand).await
        }
        BrandCommand::Update { id, colour, no_colour, logo, no_logo } => {
            let (brand, person) = (desk.brand(id.as_deref())?, desk.person()?);
            let (look, picture) =
                (path(&["v1", "brands", &brand, "presentation"]), path(&["v1", "brands", &brand, "logo"]));
            // Read first: nothing is changed when the file cannot be used.
            let file = logo.as_deref().map(image).transpose()?;
            if let Some(colour) = colour {
                person.put(&look, &json!({ "primaryColour": colour })).await?;
            } else if no_colour {
                person.delete(&look).await?;
            }
            if let Some((content_type, bytes)) = file {
                person.put_file(&picture, content_type, bytes).await?;
            } else if no_logo {
                person.delete(&picture).await?;
            }
            show(desk, &person, &brand).await
        }
    }
}

async fn show(desk: &Desk, person: &Client, brand: &str) -> Result<(), Failure> {
    let mut document = person.get(&path(&["v1", "brands", brand])).await?;
    let look = person.get(&path(&["v1", "brands", brand, "presentation"])).await?;
    let mut shown = fields(&document).to_vec();
    shown.push((
        "colour",
        Some(text(&look, "primaryColour"))
            .filter(|colour| !colour.is_empty())
            .unwrap_or_else(|| "the page's own".to_owned()),
    ));
    let logo = match look["logo"]["bytes"].as_u64() {
        Some(bytes) => format!(
            "{}, {} by {} pixels, {}",
            text(&look["logo"], "contentType"),
            look["logo"]["width"],
            look["logo"]["height"],
            screen::bytes(bytes)
        ),
        None => "none".to_owned(),
    };
    shown.push(("logo", logo));
    document["presentation"] = look;
    desk.screen.thing(&document, &shown)
}

fn fields(brand: &Value) -> [(&'static str, String); 3] {
    [("brand", text(brand, "id")), ("name", text(brand, "name")), ("created", moment(brand, "createdAt"))]
}

/// A picture with the type that its name says; the platform looks at the bytes themselves.
fn image(file: &Path) -> Result<(&'static str, Vec<u8>), Failure> {
    let ending =
        file.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let content_type = match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        _ => return Err(Failure::usage(format!("{} is no .png, .jpg or .webp file", file.display()))),
    };
    let bytes = std::fs::read(file).map_err(|error| {
        Failure::usage(format!("{} cannot be read: {}", file.display(), describe_io(&error)))
    })?;
    Ok((content_type, bytes))
}
