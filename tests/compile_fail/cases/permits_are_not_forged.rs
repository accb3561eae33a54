//! Only the policy makes a permit, only a claim makes a job's.
use std::marker::PhantomData;

use mintmark_auth::action::{ManageTenants, SubmitMint, ViewBatch};
use mintmark_auth::{Actor, ControlAuthority, OnPlatform, Permit};
use mintmark_control_plane::job_kinds::MintBatch;
use mintmark_ids::TenantId;
use mintmark_jobs::JobPermit;

fn written_out(actor: Actor) -> Permit<ManageTenants> {
    Permit { actor, on: OnPlatform, action: PhantomData }
}

fn constructed() -> Permit<SubmitMint> {
    Permit::new()
}

fn defaulted() -> Permit<SubmitMint> {
    Permit::default()
}

fn widened(view: Permit<ViewBatch>) -> Permit<SubmitMint> {
    view
}

fn redirected(permit: &mut Permit<SubmitMint>, tenant: TenantId) {
    permit.on.tenant = tenant;
}

fn claimed_by_nobody() -> JobPermit<MintBatch> {
    JobPermit::new()
}

fn proven_by_nobody() -> ControlAuthority {
    ControlAuthority(())
}

fn main() {}
