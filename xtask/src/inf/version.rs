//! `[Version]`.

use super::file::Inf;
use super::package::Package;

/// GUID_DEVCLASS_NET (devguid.h).
const NET_CLASS: &str = "{4d36e972-e325-11ce-bfc1-08002be10318}";

pub(super) fn check(inf: &Inf, package: &Package, problems: &mut Vec<String>) {
    let get = |key: &str| inf.value("Version", key).unwrap_or_default();
    let mut want = |rule: &str, key: &str, wanted: &str| {
        let value = get(key);
        if !value.eq_ignore_ascii_case(wanted) {
            problems.push(format!("{rule}: {key} is {value:?} rather than {wanted:?}"));
        }
    };
    want("signature", "Signature", "$Windows NT$");
    want("class", "Class", "Net");
    want("class", "ClassGuid", NET_CLASS);
    want("pnp-lockdown", "PnpLockdown", "1");
    want("catalog", "CatalogFile", &package.name.replace(".inf", ".cat"));
    let [major, minor, patch, build] = package.version;
    let version = format!("{major}.{minor}.{patch}.{build}");
    let line = inf.lines("Version").iter().find(|line| line.is("DriverVer"));
    let (date, stamped) = line.map_or(("", ""), |line| (line.at(0), line.at(1)));
    if stamped != version {
        problems.push(format!("driver-version: DriverVer is {stamped:?}, tunic.sys has {version}"));
    }
    // wireguard.dll deletes an installed driver that is older than its own, by date and then by
    // version. WireGuardNT 1.0 is of April 2026.
    if inf.hardware_ids().contains(&"WireGuard") && year_and_month(date) <= Some((2026, 4)) {
        problems.push(format!("driver-version: {date} is not later than WireGuardNT's 1.0"));
    }
    if !is_date(date) {
        problems.push(format!("driver-version: {date:?} is not a date like 01/31/2026"));
    }
    if get("Provider").is_empty() {
        problems.push("provider: there is no Provider".into());
    }
}

/// The year and the month of a date `mm/dd/yyyy`.
fn year_and_month(date: &str) -> Option<(u16, u16)> {
    let (month, rest) = date.split_once('/')?;
    let (_, year) = rest.split_once('/')?;
    Some((year.parse().ok()?, month.parse().ok()?))
}

/// Whether a text is a date `mm/dd/yyyy` from 2009 on, the first year that Windows 10 accepts for a
/// driver.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let [month, day, year] = parts[..] else { return false };
    let number = |text: &str, digits| {
        if text.len() == digits { text.parse::<u16>().ok() } else { None }
    };
    matches!(number(month, 2), Some(1..=12))
        && matches!(number(day, 2), Some(1..=31))
        && matches!(number(year, 4), Some(2009..))
}
