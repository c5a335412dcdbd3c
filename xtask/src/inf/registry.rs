//! The registry values that an INF writes: bindings, event source, keywords of the driver.

use std::collections::BTreeMap;

use super::file::{Inf, Line};
use super::install::number;
use super::models::models;
use super::package::Package;

/// Names that Windows reserves (Microsoft's "Specifying Configuration Parameters for the
/// Advanced Properties Page").
const RESERVED: [&str; 20] = [
    "*IfType",
    "*MediaType",
    "*PhysicalMediaType",
    "BundleId",
    "BusType",
    "Characteristics",
    "ComponentId",
    "Description",
    "DeviceInstanceId",
    "DriverDate",
    "DriverDesc",
    "DriverVersion",
    "InfPath",
    "InfSection",
    "InfSectionExt",
    "InstallTimeStamp",
    "Manufacturer",
    "NetCfgInstanceId",
    "NetLuidIndex",
    "Provider",
];

/// The values of the keyword TunicProtocol.
const PROTOCOLS: [&str; 2] = ["wireguard", "openvpn"];

/// The key of a keyword's description.
const PARAMETERS: &str = "Ndi\\params\\";

pub(super) fn check(inf: &Inf, package: &Package, problems: &mut Vec<String>) {
    for line in lines(inf) {
        if !line.at(0).eq_ignore_ascii_case("HKR") {
            problems.push(format!(
                "registry-root: line {} writes to {}, not relative to the device or service (HKR)",
                line.number,
                line.at(0)
            ));
        }
    }
    for name in added(inf).filter(|name| inf.section(name).is_none()) {
        problems.push(format!("registry: there is no [{name}]"));
    }
    check_security(inf, problems);
    check_bindings(inf, problems);
    check_event_source(inf, problems);
    for line in lines(inf).filter(|line| line.at(1).is_empty() && line.at(2).starts_with("Tunic")) {
        check_keyword(line.at(2), package, problems);
        if line.at(2) == "TunicProtocol" && !PROTOCOLS.contains(&line.at(4)) {
            problems.push(format!(
                "keyword: TunicProtocol is {:?}, which is not a protocol",
                line.at(4)
            ));
        }
    }
    for (name, parameter) in parameters(inf) {
        check_keyword(&name, package, problems);
        if let Err(problem) = parameter.check() {
            problems.push(format!("keyword: {name}: {problem}"));
        }
    }
}

/// The sections that any AddReg names.
fn added(inf: &Inf) -> impl Iterator<Item = &str> {
    let lines = inf.sections.iter().flat_map(|section| &section.lines);
    lines.filter(|line| line.is("AddReg")).flat_map(|line| line.values.iter().map(String::as_str))
}

/// The lines of all these sections.
fn lines(inf: &Inf) -> impl Iterator<Item = &Line> {
    added(inf).flat_map(|name| inf.lines(name))
}

fn value<'a>(inf: &'a Inf, key: &str, name: &str) -> Option<&'a str> {
    lines(inf)
        .find(|line| line.at(1).eq_ignore_ascii_case(key) && line.at(2).eq_ignore_ascii_case(name))
        .map(|line| line.at(4))
}

/// The security descriptor of ovpn-dco-win 2.8.6. A stricter one was a fault that users reported.
const OVPN_DCO_SECURITY: &str = "D:P(A;;GA;;;SY)(A;;GA;;;BA)(A;;GXGWGR;;;WD)(A;;GXGR;;;RC)";

/// Checks who may open the adapter: of OpenVPN's, everybody; of others, the INF says nothing.
fn check_security(inf: &Inf, problems: &mut Vec<String>) {
    let wanted = inf.hardware_ids().contains(&"ovpn-dco").then_some(OVPN_DCO_SECURITY);
    for model in models(inf) {
        let hardware = format!("{}.NT.HW", model.at(0));
        let lines = inf.values(&hardware, "AddReg").into_iter().flat_map(|name| inf.lines(name));
        let mut lines = lines.filter(|line| line.at(2) == "Security");
        let found = lines.next().map(|line| line.at(4));
        if found != wanted {
            problems.push(format!("security: [{hardware}] has {found:?} rather than {wanted:?}"));
        }
    }
}

/// Checks that NDIS binds the adapter below TCP/IP and above nothing, and to a service that is
/// added.
fn check_bindings(inf: &Inf, problems: &mut Vec<String>) {
    for (range, wanted) in [("UpperRange", "ndis5"), ("LowerRange", "nolower")] {
        let range_value = value(inf, "Ndi\\Interfaces", range).unwrap_or_default();
        if range_value != wanted {
            problems.push(format!("interfaces: {range} is {range_value:?} rather than {wanted:?}"));
        }
    }
    let service = value(inf, "Ndi", "Service").unwrap_or_default();
    for model in models(inf) {
        let services = format!("{}.NT.Services", model.at(0));
        let known = inf.lines(&services).iter().any(|line| line.at(0) == service);
        if !known {
            problems.push(format!(
                "interfaces: Ndi has the service {service:?}, which no AddService adds"
            ));
        }
    }
}

fn check_event_source(inf: &Inf, problems: &mut Vec<String>) {
    let file = value(inf, "", "EventMessageFile").unwrap_or_default();
    if !file.to_ascii_lowercase().ends_with("\\netevent.dll") {
        problems.push("event-log: messages are not those of netevent.dll".into());
    }
    if value(inf, "", "TypesSupported") != Some("7") {
        problems.push("event-log: TypesSupported is not 7".into());
    }
}

fn check_keyword(name: &str, package: &Package, problems: &mut Vec<String>) {
    if RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(name)) {
        problems.push(format!("keyword: {name} is reserved by Windows"));
    }
    if !package.keywords.iter().any(|keyword| keyword == name) {
        problems.push(format!("keyword: {name} is not read by the driver"));
    }
}

/// A keyword that the adapter's page in the device manager shows.
#[derive(Debug, Default)]
pub(super) struct Parameter {
    /// `ParamDesc`, `Type`, `Default`, …
    facts: BTreeMap<String, String>,
    /// The values of an `enum`.
    choices: Vec<String>,
}

/// All parameters, by name.
pub(super) fn parameters(inf: &Inf) -> BTreeMap<String, Parameter> {
    let mut parameters: BTreeMap<String, Parameter> = BTreeMap::new();
    for line in lines(inf) {
        let Some(name) = line.at(1).strip_prefix(PARAMETERS) else { continue };
        let (name, sub_key) = name.split_once('\\').unwrap_or((name, ""));
        let parameter = parameters.entry(name.to_owned()).or_default();
        if sub_key.eq_ignore_ascii_case("enum") {
            parameter.choices.push(line.at(2).to_owned());
        } else {
            parameter.facts.insert(line.at(2).to_ascii_lowercase(), inf.expand(line.at(4)));
        }
    }
    parameters
}

impl Parameter {
    fn fact(&self, name: &str) -> Option<&str> {
        self.facts.get(name).map(String::as_str).filter(|fact| !fact.is_empty())
    }

    fn number(&self, name: &str) -> Result<u32, String> {
        let text = self.fact(name).ok_or_else(|| format!("there is no {name}"))?;
        number(text).ok_or_else(|| format!("{name} is {text:?}, no number"))
    }

    fn check(&self) -> Result<(), String> {
        self.fact("paramdesc").ok_or("there is no paramdesc")?;
        let is_optional = self.fact("optional") == Some("1");
        match self.fact("type").unwrap_or_default() {
            kind @ ("int" | "long" | "word" | "dword") => self.check_number(kind),
            "enum" => match self.fact("default") {
                Some(default) if self.choices.iter().any(|choice| choice == default) => Ok(()),
                default => Err(format!("default {default:?} is none of {:?}", self.choices)),
            },
            "edit" if is_optional || self.fact("default").is_some() => {
                self.number("limittext").map(|_| ())
            }
            "edit" => Err("there is no default, and it is not optional".into()),
            kind => Err(format!("type {kind:?}")),
        }
    }

    fn check_number(&self, kind: &str) -> Result<(), String> {
        let (min, max) = (self.number("min")?, self.number("max")?);
        let (default, step) = (self.number("default")?, self.number("step")?);
        let largest = match kind {
            "int" => i16::MAX as u32,
            "word" => u16::MAX.into(),
            "long" => i32::MAX as u32,
            _ => u32::MAX,
        };
        if min > max || max > largest {
            return Err(format!("{min} to {max} is not a range of type {kind}"));
        }
        if !(min..=max).contains(&default) {
            return Err(format!("default {default} is not within {min} to {max}"));
        }
        if step == 0 || (default - min) % step != 0 || (max - min) % step != 0 {
            return Err(format!("steps of {step} from {min} don't reach {default} and {max}"));
        }
        Ok(())
    }
}
