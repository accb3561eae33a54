//! `mintmark preflight submit`.

use clap::Args;
use mintmark_auth::scope;
use serde_json::json;

use super::product::Product;
use super::show;
use super::watch::watch;
use crate::client::creation_key;
use crate::desk::Desk;
use crate::failure::Failure;
use crate::show::text;
use crate::wait::Patience;

/// Options of `mintmark preflight submit`.
#[derive(Args)]
pub struct SubmitOptions {
    /// The file in the platform's object store: s3://bucket/prefix/file.pdf.
    pub target: String,
    /// What the job is called; one that is made up when left out. The same job under the same name is made once.
    #[arg(long)]
    pub job: Option<String>,
    /// A policy by name, for its newest version, or name@version; digital-print when left out.
    #[arg(long)]
    pub policy: Option<String>,
    /// The batch whose codes are printed: bat_…
    #[arg(long)]
    pub batch: Option<String>,
    #[command(flatten)]
    pub product: Product,
    /// For this tenant, under the operator's control token.
    #[arg(long)]
    pub tenant: Option<String>,
    /// Stay until it has ended, and print its report.
    #[arg(long)]
    pub wait: bool,
    #[command(flatten)]
    pub patience: Patience,
}

/// Makes the job.
pub async fn submit(desk: &Desk, options: &SubmitOptions) -> Result<(), Failure> {
    let wanted = [scope::PREFLIGHT_WRITE, scope::PREFLIGHT_ANALYZE];
    let gateway = desk.gateway(&wanted, options.tenant.as_deref()).await?;
    let key = creation_key()?;
    let job = options.job.clone().unwrap_or_else(|| key.clone());
    let mut body = json!({ "jobId": job, "targetFile": options.target });
    for (name, value) in [
        ("policy", options.policy.as_ref().map(|policy| json!(policy))),
        ("batchId", options.batch.as_ref().map(|batch| json!(batch))),
        ("intent", options.product.document()),
    ] {
        value.into_iter().for_each(|value| body[name] = value);
    }
    // Its name makes the creation idempotent.
    let made = gateway.create_once("/api/preflight/jobs", &body, &key).await?;
    if options.wait {
        desk.screen.say(&format!("Preflighting {} as {}.", options.target, text(&made, "jobId")));
        return watch(desk, &job, options.tenant.as_deref(), &options.patience).await;
    }
    show::job(desk, &made)
}
