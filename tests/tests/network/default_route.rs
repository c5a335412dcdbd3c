//! All traffic through the tunnel: `wg-quick` with the default routes as allowed IPs. Needs root.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tunic_tests::link::{Link, Outer};
use tunic_tests::namespace::{Namespace, unique};
use tunic_tests::peer::{Implementation, Peer};
use tunic_tests::require::{self, Need};
use tunic_tests::tunicd::Tunicd;
use tunic_tests::tunnel::{self, PORT};
use tunic_tests::wg::{Dump, KeyPair};
use tunic_tests::{binary, command, image, ping, uapi};

/// Addresses that only a default route leads to.
const FAR: [&str; 2] = ["192.0.2.1", "2001:db8::1"];

/// The server's addresses at the wire; Linux has a route to it, which the tunnel must not take
/// away.
const OUR_ADDRESSES: &str = "10.77.0.1/24, fd77::1/64";

fn run(name: &str, test: fn() -> Result<()>) {
    let mut needs = Implementation::WireguardGo.needs();
    needs.push(Need::Program("wg-quick", "wireguard-tools"));
    needs.push(Need::Program("nft", "nftables"));
    needs.push(Need::Program("sysctl", "procps"));
    if require::all(name, &needs)
        && let Err(error) = test()
    {
        panic!("{name}: {error:#}");
    }
}

/// `wg-quick` with a file of its own, for `tunicd`.
struct Quick<'a> {
    namespace: &'a Namespace,
    interface: String,
    folder: PathBuf,
}

impl<'a> Quick<'a> {
    fn new(namespace: &'a Namespace, configuration: &str) -> Result<Self> {
        let interface = unique("td");
        let folder = tunic_tests::require::scratch().join(format!("{interface}.d"));
        std::fs::create_dir_all(&folder)?;
        let quick = Self { namespace, interface, folder };
        std::fs::write(quick.file(), configuration)?;
        Ok(quick)
    }

    fn file(&self) -> PathBuf {
        self.folder.join(format!("{}.conf", self.interface))
    }

    fn run(&self, how: &str) -> Result<String> {
        let program = binary::tunicd()?;
        let mut command = self.namespace.command("wg-quick");
        command.arg(how).arg(self.file()).env("WG_QUICK_USERSPACE_IMPLEMENTATION", program);
        image::hand_on(&mut command);
        command::run(&mut command, b"", Duration::from_secs(60))?.success()
    }
}

impl Drop for Quick<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The UDP of the tunnel goes around the tunnel, by its mark; all else goes through it, over either
/// family.
#[test]
fn all_traffic_goes_through_the_tunnel_but_the_tunnels_own() {
    run("all_traffic_goes_through_the_tunnel_but_the_tunnels_own", || {
        for outer in [Outer::V4, Outer::V6] {
            carries_the_default_route(outer).with_context(|| format!("over {outer:?}"))?;
        }
        Ok(())
    });
}

fn carries_the_default_route(outer: Outer) -> Result<()> {
    let link = Link::new()?;
    // As at home: the server is behind the router. The wire has no other way to anywhere.
    link.left.ip("route add default via 10.9.0.2")?;
    link.left.ip("route add default via fd09::2")?;
    let peer = Peer::start(Implementation::WireguardGo, &link)?;
    let (ours, theirs) = (KeyPair::generate()?, KeyPair::generate()?);
    peer.configure(&tunnel::configuration(&theirs, &ours, &["10.77.0.1", "fd77::1"], None, None))?;
    peer.up(
        &[&format!("{}/32", FAR[0]), &format!("{}/128", FAR[1]), "10.77.0.2/24", "fd77::2/64"],
        1420,
    )?;

    let endpoint = format!("{}:{PORT}", Link::right_address(outer));
    let quick = Quick::new(
        &link.left,
        &format!(
            "[Interface]\nPrivateKey = {}\nAddress = {OUR_ADDRESSES}\n\
             [Peer]\nPublicKey = {}\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = {endpoint}\n",
            ours.private, theirs.public
        ),
    )?;
    quick.run("up")?;
    for far in FAR {
        ensure!(
            ping::reaches(&link.left, far, Duration::from_secs(20))?,
            "{far} is not reached: {:?}, {:?}",
            Dump::of(&quick.interface),
            peer.dump()
        );
        let lost = ping::lost(&link.left, far, 20, &[])?;
        ensure!(lost.is_empty(), "no reply from {far} to {lost:?}");
        ensure!(
            link.left.ip(&format!("route get {far}"))?.contains(&quick.interface),
            "{far} is not behind the tunnel"
        );
    }
    let received = Dump::of(&quick.interface)?.peer()?.received;
    ensure!(received > 40 * 84, "{received} bytes have come through the tunnel");
    // Another port is another socket, which has the mark as well.
    ensure!(errno(&quick.interface, "set=1\nlisten_port=51999")? == 0);
    let lost = ping::lost(&link.left, FAR[0], 20, &[])?;
    ensure!(lost.is_empty(), "no reply by the new socket to {lost:?}");
    quick.run("down")?;
    let route = link.left.ip(&format!("route get {}", FAR[0]))?;
    ensure!(!route.contains(&quick.interface), "still behind the tunnel: {route}");
    Ok(())
}

/// A mark counts from the moment on at which it is set, and until it is taken back; GET tells it.
#[test]
fn rules_see_the_mark() {
    run("rules_see_the_mark", || {
        let link = Link::new()?;
        let peer = Peer::start(Implementation::WireguardGo, &link)?;
        let (ours, theirs) = (KeyPair::generate()?, KeyPair::generate()?);
        peer.configure(&tunnel::configuration(&theirs, &ours, &["10.77.0.1"], None, None))?;
        peer.up(&["10.77.0.2/24"], 1420)?;
        let tunicd = Tunicd::start(&link.left, &[])?;
        let endpoint = format!("10.9.0.2:{PORT}");
        tunicd.configure(&tunnel::configuration(
            &ours,
            &theirs,
            &["10.77.0.2"],
            Some(&endpoint),
            None,
        ))?;
        let interface = tunicd.interface();
        link.left.ip(&format!("addr add 10.77.0.1/24 dev {interface}"))?;
        link.left.ip(&format!("link set {interface} up"))?;
        let reaches =
            |seconds| ping::reaches(&link.left, "10.77.0.2", Duration::from_secs(seconds));
        ensure!(reaches(20)?, "nothing flows");

        // What is marked goes nowhere.
        let rules = "nft add table inet t\n\
                     nft 'add chain inet t out { type filter hook output priority 0; }'\n\
                     nft add rule inet t out meta mark 0x77 drop";
        link.left.shell(rules, Duration::from_secs(10))?;
        ensure!(reaches(20)?, "a rule for others has stopped it");
        ensure!(errno(interface, "set=1\nfwmark=119")? == 0);
        ensure!(uapi::request(interface, "get=1")?.contains(&"fwmark=119".to_owned()));
        ensure!(!reaches(2)?, "packets are not marked");
        // A refused set changes nothing of it.
        ensure!(errno(interface, "set=1\nfwmark=0\npublic_key=00")? == -22);
        ensure!(!reaches(2)?, "the mark is gone");
        let _taken = link.left.enter(|| Ok(std::net::UdpSocket::bind("0.0.0.0:7778")?))?;
        ensure!(errno(interface, "set=1\nfwmark=0\nlisten_port=7778")? == -98);
        ensure!(!reaches(2)?, "the mark is gone");
        ensure!(errno(interface, "set=1\nfwmark=0")? == 0);
        ensure!(reaches(20)?, "packets are still marked");
        tunicd.stop()
    });
}

/// The errno of an answer, with its sign.
fn errno(interface: &str, request: &str) -> Result<i32> {
    let answer = uapi::request(interface, request)?;
    let line = answer.iter().find_map(|line| line.strip_prefix("errno="));
    Ok(line.with_context(|| format!("{answer:?}"))?.parse()?)
}
