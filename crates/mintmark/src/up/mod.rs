//! `mintmark up`: a whole platform on one machine, from nothing, on private servers.

mod addresses;
mod database;
pub mod evidence;
pub mod incoming;
pub mod keys;
pub mod program;
mod seed;
mod services;
mod tls;

use std::path::Path;

use clap::Args;
use mintmark_devstack::redis::RedisServer;
use tokio::signal::unix::{SignalKind, signal};

use crate::demo::{self, DemoOptions, Stage};
use crate::failure::{Doing, Failure};
use crate::home::Home;
use crate::screen;

use addresses::Addresses;
use database::Databases;
use keys::Keys;
use services::{Ground, Servers, Services};

/// Less free space than this and the database would stop in the middle of a mint.
const LEAST_FREE_BYTES: u64 = 512 * 1024 * 1024;

/// Options of `mintmark up`.
#[derive(Args)]
pub struct UpOptions {
    /// Seed tenant, users, brand and products, but do not run the demonstration.
    #[arg(long)]
    pub no_demo: bool,
    /// Take free ports instead of the default ones; `dev.env` names them.
    #[arg(long)]
    pub free_ports: bool,
    #[command(flatten)]
    pub demo: DemoOptions,
}

/// Starts everything, seeds it, shows the main job, and stays up until Ctrl-C.
pub async fn up(root: &Path, options: &UpOptions) -> Result<(), Failure> {
    let home = Home::open(root)?;
    let _lock = home.lock()?;
    refuse_a_full_disk(&home)?;
    let mut interrupt = Interrupt::listen()?;

    screen::heading("Starting Mintmark");
    let addresses = if options.free_ports { Addresses::free() } else { Addresses::default() };
    addresses.refuse_ports_in_use()?;
    let keys = Keys::load_or_make(&home)?;
    screen::step("keys", &format!("{} (files of mode 0600)", home.path("keys").display()));

    let databases = Databases::start(&home)?;
    let redis = RedisServer::start_on_socket().await?;
    screen::step("redis", "private server on a socket, nothing kept on disk");
    let servers = Servers { databases: &databases, redis: &redis };
    let mut services = None;
    let outcome = tokio::select! {
        outcome = run(&home, options, &addresses, &keys, servers, &mut services) => outcome,
        () = interrupt.received() => Ok(()),
    };
    let outcome = match (outcome, &mut services) {
        (Ok(()), Some(services)) => tokio::select! {
            () = interrupt.received() => Ok(()),
            died = services.one_died(Ground { home: &home, addresses: &addresses, servers }) => Err(died),
        },
        (outcome, _) => outcome,
    };

    screen::heading("Stopping");
    if let Some(services) = services {
        services.stop().await;
    }
    drop(redis);
    databases.stop();
    screen::line(&format!(
        "Stopped. The data stays in {}; `make run` finds it again.",
        home.root().display()
    ));
    outcome
}

async fn run(
    home: &Home,
    options: &UpOptions,
    addresses: &Addresses,
    keys: &Keys,
    servers: Servers<'_>,
    services: &mut Option<Services>,
) -> Result<(), Failure> {
    servers.databases.prepare(home).await?;
    incoming::lay_out(home)?;
    let started = services.insert(Services::start(Ground { home, addresses, servers }, keys)?);
    started.wait_until_ready().await?;

    let stage = seed::seed(home, addresses, keys).await?;
    stage.remember(home)?;
    screen::step("demo tenant, brand and products", &stage.summary());

    if options.no_demo {
        print_next_steps(home, &stage);
        return Ok(());
    }
    demo::run(home, &stage, &options.demo).await?;
    print_next_steps(home, &Stage::recall(home)?);
    Ok(())
}

fn print_next_steps(home: &Home, stage: &Stage) {
    let env = home.path("dev.env");
    screen::heading("Up. Go on with:");
    screen::line(&format!("API, and a page to read it   {}/docs/", stage.control_url));
    screen::line(&format!("scan a code                  {}/<code>", stage.scan_url));
    screen::line(&format!("addresses and credentials    . {}", env.display()));
    screen::line(
        "list your brands             curl -sH \"Authorization: Bearer $MINTMARK_SESSION\" $MINTMARK_CONTROL_URL/v1/brands",
    );
    screen::line(
        "scan the demo's code         curl -s -A 'Mozilla/5.0 (iPhone)' -H 'Accept: application/json' $MINTMARK_SCAN_URL/01/$MINTMARK_GTIN/21/$MINTMARK_CODE",
    );
    screen::line("the demonstration again      make demo");
    screen::line("the contract's commands      make contract");
    screen::line("a token for preflight        export PREFLIGHT_JWT=$(mintmark token preflight)");
    screen::line(&format!("logs                         {}", home.path("logs").display()));
    println!("\nCtrl-C stops everything.");
}

fn refuse_a_full_disk(home: &Home) -> Result<(), Failure> {
    let disk = nix::sys::statvfs::statvfs(home.root()).map_err(|error| {
        Failure::new(format!("could not read the free space of {}: {error}", home.root().display()))
    })?;
    let free = disk.blocks_available() as u64 * disk.fragment_size() as u64;
    if free < LEAST_FREE_BYTES {
        return Err(Failure::new(format!(
            "only {} are free on the disk of {}: free at least {} first, or choose another folder with --home",
            screen::bytes(free),
            home.root().display(),
            screen::bytes(LEAST_FREE_BYTES)
        )));
    }
    Ok(())
}

/// Ctrl-C or a polite request to end.
struct Interrupt {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interrupt {
    fn listen() -> Result<Self, Failure> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).doing("listen for Ctrl-C")?,
            terminate: signal(SignalKind::terminate()).doing("listen for SIGTERM")?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
