//! A seccomp(2) filter of the system calls that a program uses.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, apply_filter_all_threads,
};

use crate::calls::{
    ABSENT, CHILDREN, COMMON, Call, DATA_MEMORY, NAME_SERVICE, NOT_FOR_COMMANDS, OLDER, Only,
};

/// What happens at a system call that the filter does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Action {
    /// The process ends, by SIGSYS.
    #[default]
    Kill,
    /// The kernel logs it, and permits it.
    Log,
    /// There is no filter.
    Off,
}

/// A program whose calls are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `tunicd`, once the driver is loaded. It starts no programs.
    Tunicd,
    /// `openvpn-client`, once its helpers run: it starts no more programs.
    OpenvpnClient,
    /// `openvpn-server`, once its helpers run: it starts no more programs.
    OpenvpnServer,
    /// The process that runs ip(8) and resolvconf(8) for the two. Its filter is that of the
    /// programs it runs: calls that no network configuration needs are refused with EPERM.
    Commands,
}

impl Program {
    /// Filters the calls of all threads of the process, and of programs that it starts later.
    ///
    /// # Errors
    ///
    /// When the kernel has no filters, or none is known for the processor.
    pub fn filter(self, action: Action) -> Result<()> {
        let mismatch = match action {
            Action::Off => return Ok(()),
            Action::Log => SeccompAction::Log,
            Action::Kill => SeccompAction::KillProcess,
        };
        if self == Self::Commands {
            let refused = NOT_FOR_COMMANDS.iter().map(|number| (*number, vec![])).collect();
            let refusal = match action {
                Action::Log => SeccompAction::Log,
                _ => SeccompAction::Errno(libc::EPERM.cast_unsigned()),
            };
            return apply(refused, SeccompAction::Allow, refusal);
        }
        let absent = ABSENT.iter().map(|number| (*number, vec![]));
        let absent_action = SeccompAction::Errno(libc::ENOSYS.cast_unsigned());
        // Of two filters, the more severe action counts.
        apply(absent.clone().collect(), SeccompAction::Allow, absent_action)?;
        let mut rules: BTreeMap<_, _> = absent.collect();
        for call in self.calls() {
            rules.insert(call.number, rules_of(call)?);
        }
        apply(rules, mismatch, SeccompAction::Allow)
    }

    fn calls(self) -> impl Iterator<Item = &'static Call> {
        let more: &[&[Call]] = match self {
            Self::Tunicd => &[DATA_MEMORY],
            Self::OpenvpnClient => &[NAME_SERVICE, CHILDREN],
            Self::OpenvpnServer => &[DATA_MEMORY, CHILDREN],
            Self::Commands => &[],
        };
        [COMMON, OLDER].into_iter().chain(more.iter().copied()).flatten()
    }
}

/// The rules of which one must match; none if the call is always permitted.
fn rules_of(call: &Call) -> Result<Vec<SeccompRule>> {
    let own = u64::from(std::process::id());
    let (argument, operators) = match call.only {
        Only::Any => return Ok(Vec::new()),
        Only::Value(argument, values) => {
            (argument, values.iter().map(|value| (SeccompCmpOp::Eq, *value)).collect())
        }
        Only::Set(argument, bits) => (argument, vec![(SeccompCmpOp::MaskedEq(bits), bits)]),
        Only::Clear(argument, bits) => (argument, vec![(SeccompCmpOp::MaskedEq(bits), 0)]),
        Only::OwnProcess(argument) => (argument, vec![(SeccompCmpOp::Eq, own)]),
    };
    let rule = |(operator, value)| {
        let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, operator, value)?;
        SeccompRule::new(vec![condition])
    };
    let rules: Result<_, _> = operators.into_iter().map(rule).collect();
    rules.context("a rule of the filter of system calls")
}

/// Applies a filter to all threads. It sets no-new-privileges, too.
fn apply(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    mismatch: SeccompAction,
    action: SeccompAction,
) -> Result<()> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => TargetArch::x86_64,
        "aarch64" => TargetArch::aarch64,
        other => bail!("the system calls of {other} are not known"),
    };
    let filter = SeccompFilter::new(rules, mismatch, action, architecture)?;
    let program: BpfProgram = filter.try_into().context("the filter of system calls")?;
    apply_filter_all_threads(&program).context("the filter of system calls")
}

impl FromStr for Action {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "kill" => Ok(Self::Kill),
            "log" => Ok(Self::Log),
            "off" => Ok(Self::Off),
            _ => Err("kill, log or off"),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Log => "log",
            Self::Off => "off",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// None of these is for a program that an attacker might have taken over.
    #[test]
    fn no_program_has_calls_that_lead_out() {
        let mut forbidden = NOT_FOR_COMMANDS.to_vec();
        forbidden.extend([
            libc::SYS_capset,
            libc::SYS_chroot,
            libc::SYS_execve,
            libc::SYS_execveat,
            libc::SYS_mknodat,
            libc::SYS_mlockall,
            libc::SYS_munlockall,
            libc::SYS_pidfd_getfd,
            libc::SYS_pkey_mprotect,
            libc::SYS_seccomp,
            libc::SYS_setgid,
            libc::SYS_setns,
            libc::SYS_setuid,
            libc::SYS_unshare,
        ]);
        for program in [Program::Tunicd, Program::OpenvpnClient, Program::OpenvpnServer] {
            for call in program.calls() {
                assert!(!forbidden.contains(&call.number), "{program:?}: {call:?}");
                rules_of(call).unwrap();
            }
        }
    }
}
