//! What Windows' registry would have of the adapters, in the format of Wine's registry files.

use std::fmt::Write as _;

use anyhow::Result;

use super::{Adapter, Kind};

const SYSTEM: &str = r"System\CurrentControlSet";
/// The class of network adapters.
const NET_CLASS: &str = "{4D36E972-E325-11CE-BFC1-08002BE10318}";
/// GUID_DEVINTERFACE_NET.
const NET_INTERFACE: &str = "{cac88484-7515-4c03-82e6-71a87abac361}";
/// The property that has the name of a WireGuardNT adapter: DEVPKEY_WG_NAME.
const NAME_PROPERTY: &str = r"{65726957-7547-7261-644e-616d654b6579}\0003";

/// Keys and values under HKEY_LOCAL_MACHINE.
#[derive(Default)]
pub(super) struct Registry(String);

/// What a program opens of an adapter: the device's instance, and its interface's reference string.
pub(super) struct Path {
    instance: String,
    reference: Option<&'static str>,
}

impl Path {
    pub(super) fn new(number: u32, adapter: &Adapter) -> Self {
        match adapter.kind() {
            Kind::OpenVpn => {
                Self { instance: format!(r"ROOT\NET\{number:04}"), reference: Some("ovpn-dco") }
            }
            Kind::WireGuard => {
                Self { instance: format!(r"SWD\WireGuard\{}", adapter.guid()), reference: None }
            }
        }
    }

    /// The path below `\\?\` or `\??\`.
    pub(super) fn link(&self) -> String {
        let device = format!("{}#{NET_INTERFACE}", self.instance.replace('\\', "#"));
        match self.reference {
            Some(reference) => format!(r"{device}\{reference}"),
            None => device,
        }
    }
}

impl Registry {
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// Adds an adapter's device, its class key, its connection's name and its interface.
    pub(super) fn add_adapter(&mut self, number: u32, adapter: &Adapter) -> Result<()> {
        let path = Path::new(number, adapter);
        let device = format!(r"Enum\{}", path.instance);
        let class_key = format!(r"{NET_CLASS}\{number:04}");
        self.key(&device);
        self.string("Class", "Net");
        self.string("ClassGUID", NET_CLASS);
        self.string("DeviceDesc", "Tunic adapter");
        match adapter.kind() {
            Kind::OpenVpn => {
                self.string("Driver", &class_key);
                self.key(&format!(r"Control\Class\{class_key}"));
                self.string("ComponentId", "ovpn-dco");
                self.string("NetCfgInstanceId", &adapter.guid());
                self.string("DriverDesc", "Tunic adapter");
                let network = format!(r"Control\Network\{NET_CLASS}\{}", adapter.guid());
                self.key(&format!(r"{network}\Connection"));
                self.string("Name", adapter.interface());
            }
            Kind::WireGuard => {
                self.key(&format!(r"{device}\Properties\{NAME_PROPERTY}"));
                self.property(adapter.interface())?;
            }
        }
        let instance = path.instance.replace('\\', "#");
        let interface =
            format!(r"Control\DeviceClasses\{NET_INTERFACE}\##?#{instance}#{NET_INTERFACE}");
        let reference = format!(r"{interface}\#{}", path.reference.unwrap_or_default());
        self.key(&interface);
        self.string("DeviceInstance", &path.instance);
        self.key(&reference);
        self.string("SymbolicLink", &format!(r"\\?\{}", path.link()));
        self.key(&format!(r"{reference}\Control"));
        self.number("Linked", 1);
        Ok(())
    }

    /// Adds the bridge as a service, with its devices.
    pub(super) fn add_driver(&mut self, devices: &[String]) {
        self.key(r"Services\tunicbridge");
        self.number("Type", 1);
        self.number("Start", 2);
        self.number("ErrorControl", 1);
        self.string("ImagePath", r"C:\windows\system32\drivers\tunicbridge.sys");
        for (letter, device) in ('A'..='Z').zip(devices) {
            self.string(&format!("Device{letter}"), device);
        }
    }

    fn key(&mut self, path: &str) {
        let _ = writeln!(self.0, "\n[{}]", escaped(&format!(r"{SYSTEM}\{path}")));
    }

    fn string(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "\"{name}\"=\"{}\"", escaped(value));
    }

    fn number(&mut self, name: &str, value: u32) {
        let _ = writeln!(self.0, "\"{name}\"=dword:{value:08x}");
    }

    /// The value of a property's key, of type DEVPROP_TYPE_STRING.
    fn property(&mut self, value: &str) -> Result<()> {
        write!(self.0, "@=hex(ffff0012):")?;
        for unit in value.encode_utf16() {
            let [low, high] = unit.to_le_bytes();
            write!(self.0, "{low:02x},{high:02x},")?;
        }
        writeln!(self.0, "00,00")?;
        Ok(())
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\")
}
