//! The system calls that are left. Any other kills the process, and its parent sees SIGSYS.
//!
//! The list is short because the process has one thread, opens nothing, and does its input and output by `read` and `write`
//! on the three descriptors that it was given. The C library's allocator, Rust's handlers of stack overflow and abort, and
//! the randomness of hash tables make up the rest. A library that calls something new shows in `--probe` and in the tests of
//! `tests/sandbox`, which pass through every one of these paths.

use std::collections::BTreeMap;

use mintmark_preflight_engine::envelope::Layer;
use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch,
};

/// Allowed with whatever arguments: they concern the process's own memory, time, signals and end.
const FREE: &[libc::c_long] = &[
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_futex,
    libc::SYS_clock_gettime,
    libc::SYS_getrandom,
    libc::SYS_getpid,
    libc::SYS_gettid,
    libc::SYS_sched_yield,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Puts up the filter.
pub fn filter() -> Layer {
    let outcome = build()
        .map_err(|error| error.to_string())
        .and_then(|program| seccompiler::apply_filter(&program).map_err(|error| error.to_string()));
    Layer::of("seccomp", outcome.map(|()| "an allow-list; anything else kills".to_owned()))
}

fn build() -> Result<BpfProgram, seccompiler::BackendError> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules()?, SeccompAction::KillProcess, SeccompAction::Allow, architecture)?.try_into()
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = FREE.iter().map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_read, vec![rule(&[equal(0, 0)?])?]);
    rules.insert(libc::SYS_write, vec![rule(&[equal(0, 1)?])?, rule(&[equal(0, 2)?])?]);
    rules.insert(libc::SYS_writev, vec![rule(&[equal(0, 2)?])?]);
    // Memory without a file behind it, that cannot be executed.
    let anonymous = libc::MAP_ANONYMOUS.cast_unsigned();
    rules.insert(
        libc::SYS_mmap,
        vec![rule(&[masked(2, libc::PROT_EXEC.cast_unsigned(), 0)?, masked(3, anonymous, anonymous)?])?],
    );
    // An abort is a signal to oneself: no other process and no other signal.
    let own = u64::from(std::process::id());
    rules.insert(
        libc::SYS_tgkill,
        vec![rule(&[equal(0, own)?, equal(2, u64::from(libc::SIGABRT.cast_unsigned()))?])?],
    );
    // Its own consumption, for the report.
    rules
        .insert(libc::SYS_getrusage, vec![rule(&[equal(0, u64::from(libc::RUSAGE_SELF.cast_unsigned()))?])?]);
    Ok(rules)
}

fn rule(conditions: &[SeccompCondition]) -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(conditions.to_vec())
}

fn equal(argument: u8, value: u64) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

fn masked(argument: u8, mask: u32, value: u32) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(
        argument,
        SeccompCmpArgLen::Dword,
        SeccompCmpOp::MaskedEq(u64::from(mask)),
        u64::from(value),
    )
}
