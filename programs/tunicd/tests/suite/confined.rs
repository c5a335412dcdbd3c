//! What a running daemon has given up. Needs root and setpriv(1).

use std::fs;
use std::process::{Child, Command, Stdio};

use crate::daemon::{Foreground, await_true, interface, run};

/// `CAP_NET_BIND_SERVICE` and `CAP_NET_ADMIN` of linux/capability.h.
const KEPT: u64 = (1 << 10) | (1 << 12);
/// `CAP_IPC_LOCK`, which overrides a limit of locked memory that the daemon may not raise.
const IPC_LOCK: u64 = 1 << 14;

/// The value of a line of `/proc/PID/status`, or of one of its threads.
fn value(status: &str, name: &str) -> String {
    let lines = || status.lines().filter_map(|line| line.split_once(":\t"));
    let found = lines().find(|(key, _)| *key == name);
    found.unwrap_or_else(|| panic!("no {name} in {status}")).1.trim().to_owned()
}

/// Runs a program as root without the capabilities to look into any process.
fn without_looking(program: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    for set in ["--inh-caps", "--bounding-set"] {
        command.arg(format!("{set}=-sys_ptrace,-sys_admin,-perfmon"));
    }
    command.args(program).stdin(Stdio::null());
    command
}

/// Whether root without these capabilities can look into the memory of a process of root's.
fn can_be_read(process: u32) -> bool {
    let maps = format!("/proc/{process}/maps");
    !without_looking(&["head", "-c1", &maps]).output().unwrap().stdout.is_empty()
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_running_daemon_is_confined() {
    let Some(name) = interface("c") else { return };
    let mut daemon = Foreground::start(&name);
    let folder = format!("/proc/{}", daemon.0.id());

    let limits = fs::read_to_string(format!("{folder}/limits")).unwrap();
    let limit = |name| {
        let lines = || limits.lines().filter_map(|line| line.strip_prefix(name));
        lines().next().unwrap().split_whitespace().take(2).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max core file size"), ["0", "0"], "{limits}");
    let is_limited = limit("Max locked memory") != ["unlimited", "unlimited"];
    let kept = if is_limited { KEPT | IPC_LOCK } else { KEPT };

    // The filter is there once the sockets are.
    for thread in fs::read_dir(format!("{folder}/task")).unwrap() {
        let Ok(status) = fs::read_to_string(thread.unwrap().path().join("status")) else {
            continue;
        };
        for set in ["CapInh", "CapAmb"] {
            assert_eq!(u64::from_str_radix(&value(&status, set), 16), Ok(0), "{status}");
        }
        for set in ["CapEff", "CapPrm", "CapBnd"] {
            assert_eq!(u64::from_str_radix(&value(&status, set), 16), Ok(kept), "{set}: {status}");
        }
        assert_eq!(value(&status, "NoNewPrivs"), "1", "{status}");
        assert_eq!(value(&status, "Seccomp"), "2", "{status}");
    }

    // All that the process may write to is locked, so that keys are, wherever they are.
    let maps = fs::read_to_string(format!("{folder}/smaps")).unwrap();
    let mut writable = false;
    let mut locked = 0;
    for line in maps.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            [_, permissions, _, _, _, ..] if permissions.len() == 4 => {
                writable = permissions.starts_with("rw");
            }
            ["VmFlags:", ref flags @ ..] if writable => {
                assert!(flags.contains(&"lo") || flags.contains(&"io"), "{line} in {maps}");
                locked += 1;
            }
            _ => {}
        }
    }
    assert!(locked > 3, "{maps}");

    // What makes a difference is that the process is not dumpable.
    let ordinary = Killed(without_looking(&["sleep", "100"]).spawn().unwrap());
    await_true("the memory of an ordinary process", || can_be_read(ordinary.0.id()));
    assert!(!can_be_read(daemon.0.id()));

    daemon.signal("-TERM");
    daemon.succeeds();
}

#[test]
fn the_filter_is_an_option() {
    let Some(name) = interface("s") else { return };
    for (action, mode) in [("log", "2"), ("off", "0")] {
        let mut daemon = Foreground::start_with(&["--seccomp", action], &name);
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap();
        assert_eq!(value(&status, "Seccomp"), mode, "{action}");
        daemon.signal("-TERM");
        daemon.succeeds();
    }
    let refused = run(env!("CARGO_BIN_EXE_tunicd"), &["-f", "--seccomp", "perhaps", &name]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("kill, log or off"));
}
