//! `openvpn.exe` as client of stock servers, by ovpn-dco-win's ABI.

use anyhow::{Context, Result, ensure};
use tunic_tests::cases::at_once;
use tunic_tests::link::{Link, Outer};
use tunic_tests::namespace::Namespace;
use tunic_tests::openvpn::{self, Pki, Stock, StockServer};
use tunic_tests::windows::{
    Adapter, Form, Kind, NEEDS, OpenVpn, OpenVpnVersion as Version, PATIENCE, Windows,
};
use tunic_tests::{ping, require};

/// A client and its server. All run side by side on one machine, each on an adapter of its own.
#[derive(Debug)]
struct Case {
    number: u8,
    version: Version,
    server: Stock,
    outer: Outer,
    form: Form,
    cipher: &'static str,
}

/// Which keys have epochs is what both agree on: 2.7 does with 2.7.
const CASES: [Case; 7] = [
    Case::new(0, Version::V26, Stock::Installed, Outer::V4, Form::Image, "AES-128-GCM"),
    Case::new(1, Version::V26, Stock::Installed, Outer::V6, Form::Linked, "AES-192-GCM"),
    Case::new(2, Version::V26, Stock::Newer, Outer::V6, Form::Image, "AES-256-GCM"),
    Case::new(3, Version::V26, Stock::Installed, Outer::V4, Form::Linked, "CHACHA20-POLY1305"),
    Case::new(4, Version::V27, Stock::Newer, Outer::V4, Form::Linked, "AES-256-GCM"),
    Case::new(5, Version::V27, Stock::Newer, Outer::V6, Form::Image, "CHACHA20-POLY1305"),
    Case::new(6, Version::V27, Stock::Installed, Outer::V4, Form::Image, "AES-128-GCM"),
];

#[test]
fn openvpn_exe_is_a_client() -> Result<()> {
    let more = [Version::V26.need(), Version::V27.need(), Stock::Newer.need()];
    if !require::all("openvpn_exe_is_a_client", &[&NEEDS[..], &openvpn::NEEDS, &more].concat()) {
        return Ok(());
    }
    let (link, pki) = (Link::new()?, Pki::new()?);
    let adapters: Result<Vec<_>> =
        CASES.iter().map(|case| Adapter::start(&link.left, Kind::OpenVpn, case.form)).collect();
    let windows = Windows::boot(&link.left, adapters?)?;
    at_once(&CASES, |case| {
        let adapter = &windows.adapters()[usize::from(case.number)];
        let server = StockServer::start_as(case.server, &link.right, &pki, &case.server_options())?;
        let mut connection = Connection { case, windows: &windows, adapter, pki: &pki, server };
        let lived = connection.lives(&link.right);
        lived.with_context(|| format!("{}{}", connection.server.log(), adapter.log()))
    })?;
    windows.stop()
}

impl Case {
    const fn new(
        number: u8,
        version: Version,
        server: Stock,
        outer: Outer,
        form: Form,
        cipher: &'static str,
    ) -> Self {
        Self { number, version, server, outer, form, cipher }
    }

    fn has_epochs(&self) -> bool {
        self.version == Version::V27 && self.server == Stock::Newer
    }

    /// The third byte of its inner network, 10.NET.0.0/24.
    fn net(&self) -> u8 {
        100 + self.number
    }

    fn port(&self) -> u16 {
        openvpn::PORT + u16::from(self.number)
    }

    /// The server's outer address.
    fn address(&self) -> &'static str {
        Link::right_address(self.outer).trim_matches(['[', ']'])
    }

    fn protocol(&self) -> &'static str {
        match self.outer {
            Outer::V4 => "udp4",
            Outer::V6 => "udp6",
        }
    }

    fn server_options(&self) -> String {
        format!(
            "dev tunserver{number}\nserver 10.{net}.0.0 255.255.255.0\nproto {protocol}\n\
             local {address}\nport {port}\ndata-ciphers {cipher}\nkeepalive 1 5\nreneg-sec 3",
            number = self.number,
            net = self.net(),
            protocol = self.protocol(),
            address = self.address(),
            port = self.port(),
            cipher = self.cipher,
        )
    }

    fn client_options(&self) -> String {
        format!(
            "client\nproto {protocol}\nremote {address} {port}\nnobind\nca ca.crt\n\
             cert client.crt\nkey client.key\nremote-cert-tls server\nconnect-retry 1 1\n\
             data-ciphers {cipher}",
            protocol = self.protocol(),
            address = self.address(),
            port = self.port(),
            cipher = self.cipher,
        )
    }
}

/// A case's adapter and server.
struct Connection<'a> {
    case: &'a Case,
    windows: &'a Windows<'a>,
    adapter: &'a Adapter,
    pki: &'a Pki,
    server: StockServer,
}

impl<'a> Connection<'a> {
    fn start(&self) -> Result<OpenVpn<'a>> {
        let options = self.case.client_options();
        let folder = self.pki.file("");
        OpenVpn::start(self.windows, self.case.version, self.adapter, &folder, &options)
    }

    fn lives(&mut self, far: &Namespace) -> Result<()> {
        let (namespace, interface) = (self.windows.namespace(), self.adapter.interface());
        namespace.ip(&format!("addr add 10.{}.0.2/24 dev {interface}", self.case.net()))?;
        namespace.ip(&format!("link set {interface} up"))?;
        let mut client = self.start()?;
        self.is_up(&mut client, 1)?;
        client.says(1, &format!("Data Channel: cipher '{}'", self.case.cipher))?;
        let has_epochs = client.log().contains("aead-epoch");
        ensure!(has_epochs == self.case.has_epochs(), "epochs: {has_epochs}: {}", client.log());

        // Keys are renewed beneath traffic.
        let before = client.count("Control Channel: ");
        let lost = ping::lost(namespace, &self.there(), 160, &["-s", "1000"])?;
        client.says(before + 2, "Control Channel: ")?;
        let too_early = self.server.log().matches("not initialized (yet), dropping").count();

        // The server is killed, and comes back.
        self.server.restart(far)?;
        self.is_up(&mut client, 2)?;

        client.signal("SIGUSR1")?;
        self.is_up(&mut client, 3)?;

        // The program is killed; the adapter is free for the next.
        client.kill()?;
        self.adapter.await_free()?;
        let mut client = self.start()?;
        self.is_up(&mut client, 1)?;
        client.terminate()?;

        // With any driver, either side uses a new key when the other may not have it yet: these
        // packets are lost, and no others.
        let too_late = self.adapter.discards("unknown-context")?;
        let explained = too_early + usize::try_from(too_late)?;
        ensure!(lost.len() <= explained, "no reply to {lost:?} of 160, {explained} dropped");
        Ok(())
    }

    /// Waits until it is connected for the nth time, and its tunnel carries packets.
    fn is_up(&self, client: &mut OpenVpn<'_>, times: usize) -> Result<()> {
        client.says(times, "Initialization Sequence Completed")?;
        let is_there = ping::reaches(self.windows.namespace(), &self.there(), PATIENCE)?;
        ensure!(is_there, "no reply: {}", client.log());
        Ok(())
    }

    /// The server's inner address.
    fn there(&self) -> String {
        format!("10.{}.0.1", self.case.net())
    }
}
