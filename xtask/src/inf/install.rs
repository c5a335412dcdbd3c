//! The installation of a device: files, the adapter's type, the service.

use std::collections::BTreeSet;

use super::file::Inf;
use super::models::models;
use super::package::Package;

/// DIRID 13, the driver store: the only destination of an isolated driver package.
const DRIVER_STORE: &str = "13";

/// SPSVCINST_ASSOCSERVICE (setupapi.h): the service is the device's function driver.
const ASSOCIATED: u32 = 2;

/// Directives that a declarative INF must not have, in any section.
const FORBIDDEN: [&str; 12] = [
    "BitReg",
    "CoInstallers32",
    "DelFiles",
    "DelReg",
    "DelService",
    "Ini2Reg",
    "LogConfig",
    "ProfileItems",
    "Reboot",
    "RegisterDlls",
    "RenFiles",
    "UpdateInis",
];

pub(super) fn check(inf: &Inf, package: &Package, problems: &mut Vec<String>) {
    check_destinations(inf, problems);
    check_forbidden(inf, problems);
    let mut copied = BTreeSet::new();
    for model in models(inf) {
        let section = format!("{}.NT", model.at(0));
        if inf.section(&section).is_none() {
            problems.push(format!("install: there is no [{section}]"));
            continue;
        }
        check_adapter_type(inf, &section, problems);
        for list in inf.values(&section, "CopyFiles") {
            check_copied(inf, list, &mut copied, problems);
        }
        check_service(inf, &section, &copied, problems);
    }
    let listed: BTreeSet<String> = inf
        .lines("SourceDisksFiles")
        .iter()
        .filter_map(|line| line.key.as_ref())
        .map(|name| name.to_ascii_lowercase())
        .collect();
    if listed != copied {
        problems.push(format!("files: [SourceDisksFiles] has {listed:?}, copied are {copied:?}"));
    }
    for file in &copied {
        if !package.files.iter().any(|packaged| packaged.eq_ignore_ascii_case(file)) {
            problems.push(format!("files: {file} is not in the package"));
        }
    }
    let images = package.files.iter().filter(|packaged| packaged.ends_with(".sys"));
    for image in images.filter(|image| !copied.contains(&image.to_ascii_lowercase())) {
        problems.push(format!("files: {image} is in the package and not in the INF"));
    }
}

fn check_destinations(inf: &Inf, problems: &mut Vec<String>) {
    let destinations = inf.lines("DestinationDirs");
    if !destinations.iter().any(|line| line.is("DefaultDestDir")) {
        problems.push("dirid-13: there is no DefaultDestDir".into());
    }
    for line in destinations.iter().filter(|line| line.values != [DRIVER_STORE]) {
        let (key, directory) = (line.key.as_deref().unwrap_or_default(), line.values.join(","));
        problems.push(format!("dirid-13: {key} goes to {directory}, not to the driver store"));
    }
}

fn check_forbidden(inf: &Inf, problems: &mut Vec<String>) {
    for section in &inf.sections {
        let name = section.name.to_ascii_lowercase();
        if name.ends_with(".coinstallers") || name == "classinstall32" {
            problems.push(format!("forbidden: [{}]", section.name));
        }
        for line in &section.lines {
            let key = FORBIDDEN.iter().find(|forbidden| line.is(forbidden));
            if let Some(key) = key.filter(|_| !name.eq_ignore_ascii_case("Strings")) {
                problems.push(format!("forbidden: {key} in [{}]", section.name));
            }
        }
    }
}

/// Checks what NDIS and the network class require (Microsoft's "DDInstall Section in a Network INF
/// File").
fn check_adapter_type(inf: &Inf, section: &str, problems: &mut Vec<String>) {
    // NCF_VIRTUAL, and NCF_HAS_UI if there are parameters under Ndi\params.
    let wanted = if super::registry::parameters(inf).is_empty() { 0x01 } else { 0x81 };
    let number = |key: &str| inf.value(section, key).as_deref().and_then(number);
    let mut want = |rule: &str, key: &str, wanted: u32| {
        let value = number(key);
        if value != Some(wanted) {
            let value = value.map_or("not there".into(), |value| value.to_string());
            problems.push(format!("{rule}: {key} is {value} rather than {wanted}"));
        }
    };
    want("characteristics", "Characteristics", wanted);
    want("if-type", "*IfType", 53);
    want("media-type", "*MediaType", 19);
    want("physical-media-type", "*PhysicalMediaType", 0);
}

fn check_copied(inf: &Inf, list: &str, copied: &mut BTreeSet<String>, problems: &mut Vec<String>) {
    if let Some(file) = list.strip_prefix('@') {
        copied.insert(file.to_ascii_lowercase());
        return;
    }
    if inf.section(list).is_none() {
        problems.push(format!("files: there is no [{list}]"));
    }
    for line in inf.lines(list) {
        if !line.at(1).is_empty() {
            problems.push(format!(
                "files: {} is renamed, which the driver store doesn't support",
                line.at(0)
            ));
        }
        copied.insert(line.at(0).to_ascii_lowercase());
    }
}

fn check_service(inf: &Inf, section: &str, copied: &BTreeSet<String>, problems: &mut Vec<String>) {
    let services = format!("{section}.Services");
    let mut associated = 0;
    for line in inf.lines(&services).iter().filter(|line| line.is("AddService")) {
        if number(line.at(1)).unwrap_or(0) & ASSOCIATED != 0 {
            associated += 1;
        }
        let service = line.at(2);
        let get = |key: &str| inf.value(service, key).unwrap_or_default();
        // SERVICE_KERNEL_DRIVER, SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL.
        for (key, wanted) in [("ServiceType", 1), ("StartType", 3), ("ErrorControl", 1)] {
            if number(&get(key)) != Some(wanted) {
                problems.push(format!("service: {key} is {:?} rather than {wanted}", get(key)));
            }
        }
        let binary = get("ServiceBinary").to_ascii_lowercase();
        if !binary.strip_prefix("%13%\\").is_some_and(|file| copied.contains(file)) {
            problems.push(format!("service: {binary:?} is no file that is copied to %13%"));
        }
        if inf.section(line.at(3)).is_none() {
            problems.push(format!("event-log: {} is no source of events", line.at(0)));
        }
    }
    if associated != 1 {
        problems.push(format!("service: [{services}] has {associated} function drivers"));
    }
}

/// A number, decimal or hexadecimal.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
