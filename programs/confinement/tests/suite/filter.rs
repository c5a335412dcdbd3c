//! A filter stays with its process: each case runs in one of its own, this program again.

use std::ffi::CStr;
use std::net::ToSocketAddrs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::{env, fs, thread};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use nix::unistd::{Pid, chroot};
use tunic_confinement::filter::{Action, Program};

/// Names the case in the environment of the process that runs it.
const CASE: &str = "TUNIC_FILTER_CASE";
const SHELL: &CStr = c"/bin/sh";

/// What an attacker would like to do.
const FORBIDDEN: [(&str, fn()); 7] = [
    ("start a process", || drop(Command::new("/bin/true").spawn())),
    ("become a program", || _ = nix::unistd::execv(SHELL, &[SHELL])),
    ("change the root", || _ = chroot("/")),
    ("change the user", || _ = nix::unistd::setuid(nix::unistd::Uid::current())),
    ("signal another process", || _ = kill(Pid::parent(), None)),
    ("leave a namespace", || _ = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)),
    ("a socket of packets", || {
        drop(socket(AddressFamily::Packet, SockType::Datagram, SockFlag::empty(), None));
    }),
];

const PROGRAMS: [Program; 3] = [Program::Tunicd, Program::OpenvpnClient, Program::OpenvpnServer];

fn run(program: usize, case: &str, action: Action) -> ExitStatus {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "filter::the_case_that_the_environment_names", "--nocapture"]);
    command.env(CASE, format!("{program} {action} {case}")).stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
}

/// Does nothing as a test of its own.
#[test]
fn the_case_that_the_environment_names() {
    let Ok(value) = env::var(CASE) else { return };
    let [program, action, case] = value.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!() };
    PROGRAMS[program.parse::<usize>().unwrap()].filter(action.parse().unwrap()).unwrap();
    if let Some((_, call)) = FORBIDDEN.iter().find(|(name, _)| *name == case) {
        return call();
    }
    // What a program does all the time.
    let threads = (0..4).map(|_| thread::spawn(|| vec![1_u8; 1 << 20].len()));
    assert_eq!(threads.map(|thread| thread.join().unwrap()).sum::<usize>(), 4 << 20);
    fs::read("/proc/self/status").unwrap();
    socket(AddressFamily::Inet, SockType::Datagram, SockFlag::empty(), None).unwrap();
    kill(Pid::this(), None).unwrap();
    if case == "names" {
        // Only whether the calls are permitted: there may be no name servers.
        for name in ["localhost", "tunic.invalid"] {
            let _ = (name, 1194).to_socket_addrs().map(Iterator::count);
        }
    }
    assert_eq!(
        fs::write("/nonexistent/file", "").unwrap_err().raw_os_error(),
        Some(Errno::ENOENT as i32)
    );
}

#[test]
fn a_forbidden_call_ends_the_process() {
    for (name, _) in FORBIDDEN {
        for (number, program) in PROGRAMS.iter().enumerate() {
            let status = run(number, name, Action::Kill);
            assert_eq!(status.signal(), Some(Signal::SIGSYS as i32), "{program:?}: {name}");
        }
        let status = run(0, name, Action::Off);
        assert_ne!(status.signal(), Some(Signal::SIGSYS as i32), "{name}, unfiltered: {status}");
    }
}

#[test]
fn a_client_resolves_names() {
    assert!(run(1, "names", Action::Kill).success());
}

#[test]
fn other_calls_work_and_a_call_that_is_only_logged_does() {
    for number in 0..PROGRAMS.len() {
        assert!(run(number, "ordinary", Action::Kill).success());
        assert!(run(number, "start a process", Action::Log).success());
    }
}
