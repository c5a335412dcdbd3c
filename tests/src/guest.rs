//! A virtual machine on Debian's kernel, which has what the kernel under the tests may lack:
//! WireGuard and netem.
//!
//! A test process boots one machine, when a test first asks for it. Tests take turns with it, and
//! each finds it as if it had just booted.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::command::shell;
use crate::namespace::{Namespace, unique};
use crate::wait;

/// The end of the guest's wire in the namespace of the test.
pub const WIRE: &str = "wire0";

/// The guest's `tc`, by its path: BusyBox's shell has one of its own, without netem.
pub const TC: &str = "/bin/tc";

/// How long a shell line in the guest may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Where the guest's shell listens, in the machine's namespace.
const SHELL: ([u8; 4], u16) = ([198, 18, 77, 2], 2323);

/// Undoes what the test before did.
const RESET: &str = r#"
for process in /proc/[0-9]*; do
    case "$(tr '\0' ' ' <$process/cmdline)" in
        iperf3*|sh\ -c\ while*|busybox*|ping*) kill -9 ${process#/proc/} ;;
    esac
done
if [ -e /sys/class/net/wg0 ]; then ip link del wg0; fi
/bin/tc qdisc del dev eth0 root 2>/dev/null || true
ip addr flush dev eth0 to 10.9.0.0/24
ip -6 addr flush dev eth0 to fd09::/64
ip neigh flush dev eth0
echo 0 >/proc/sys/net/ipv4/ip_forward
for name in all eth0; do
    echo 1 >/proc/sys/net/ipv4/conf/$name/send_redirects
    echo 0 >/proc/sys/net/ipv4/conf/$name/rp_filter
done
"#;

/// The machine of this process, once it was booted. The test that uses it holds the lock.
static MACHINE: Mutex<Option<Machine>> = Mutex::new(None);

/// A test's turn with the machine, whose only interface is `eth0`. A test that asks for a second
/// one waits for itself.
#[derive(Debug)]
pub struct Guest {
    machine: MutexGuard<'static, Option<Machine>>,
    /// The end of the wire that is plugged into the machine's bridge.
    plug: String,
}

impl Guest {
    /// Waits for the machine, and leads its wire into `namespace`.
    pub fn connect(namespace: &Namespace) -> Result<Self> {
        let mut machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
        let is_well = machine.as_ref().is_some_and(|machine| machine.shell(RESET).is_ok());
        if !is_well {
            // The old one ends first.
            *machine = None;
            *machine = Some(Machine::boot()?);
        }
        let plug = unique("wp");
        let guest = Self { machine, plug };
        let (plug, home) = (&guest.plug, guest.machine()?.namespace.name());
        shell(&format!(
            "ip -n {home} link add {plug} type veth peer name {WIRE} netns {}
             ip -n {home} link set {plug} master br0 up",
            namespace.name()
        ))?;
        namespace.ip(&format!("link set {WIRE} up"))?;
        Ok(guest)
    }

    /// Runs a shell line in it that must succeed.
    pub fn shell(&self, line: &str) -> Result<String> {
        self.machine()?.shell(line)
    }

    fn machine(&self) -> Result<&Machine> {
        self.machine.as_ref().context("the machine has ended")
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        if let Some(machine) = &*self.machine {
            let _ = machine.namespace.ip(&format!("link del {}", self.plug));
        }
    }
}

/// The virtual machine. It also ends when this process does: the script sees the end of its input.
#[derive(Debug)]
struct Machine {
    script: Child,
    namespace: Namespace,
}

impl Machine {
    fn boot() -> Result<Self> {
        let namespace = Namespace::new()?;
        let folder = require::scratch().join(unique("guest"));
        let mut script = Command::new(require::guest_script());
        script.arg("run").arg(namespace.name()).arg(folder);
        // The script bounds its time.
        let mut script = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = script.stdout.take().context("the script has an output")?;
        let machine = Self { script, namespace };
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line == "READY\n", "no virtual machine: {line}");
        wait::until("the guest's shell answers", TIMEOUT, || machine.shell(RESET).is_ok())?;
        Ok(machine)
    }

    fn shell(&self, line: &str) -> Result<String> {
        // The guest's shell says at the end whether the line succeeded.
        let input = format!("exec 2>&1\n( set -e; {line}\n) && echo GUEST-OK\nexit\n");
        let output = self.namespace.enter(|| {
            let mut stream = TcpStream::connect_timeout(&SocketAddr::from(SHELL), TIMEOUT)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.write_all(input.as_bytes())?;
            let mut output = Vec::new();
            stream.read_to_end(&mut output)?;
            let _ = stream.shutdown(Shutdown::Both);
            Ok(String::from_utf8_lossy(&output).into_owned())
        });
        let output = output.with_context(|| format!("in the guest: {line}"))?;
        match output.trim_end().strip_suffix("GUEST-OK") {
            Some(output) => Ok(output.to_owned()),
            None => bail!("in the guest: {line}\n{output}"),
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}
