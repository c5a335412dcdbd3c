//! Stamps an .inx with processor, date and version, as stampinf does.

use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};

use crate::arch::Arch;

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

impl FromStr for Date {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parts = text.trim().splitn(3, '-');
        let mut number = || parts.next()?.parse::<u16>().ok();
        let (Some(year), Some(month @ 1..=12), Some(day @ 1..=31)) = (number(), number(), number())
        else {
            bail!("{text:?} is not a date like 2026-01-31");
        };
        Ok(Self { year, month: month as u8, day: day as u8 })
    }
}

/// The values to stamp.
#[derive(Clone, Copy)]
pub(crate) struct Stamp {
    pub(crate) arch: Arch,
    pub(crate) date: Date,
    pub(crate) version: [u16; 4],
}

impl Stamp {
    /// The value of DriverVer: `mm/dd/yyyy,w.x.y.z`.
    pub(crate) fn driver_version(&self) -> String {
        let Date { year, month, day } = self.date;
        let [major, minor, patch, build] = self.version;
        format!("{month:02}/{day:02}/{year:04},{major}.{minor}.{patch}.{build}")
    }

    /// Makes the INF of an .inx, with CRLF line ends.
    pub(crate) fn apply(&self, inx: &str) -> Result<String> {
        let arch = match self.arch {
            Arch::X64 => "amd64",
            Arch::Arm64 => "arm64",
        };
        let stamped = inx.lines().position(|line| line.trim_start().starts_with("DriverVer"));
        let stamped = stamped.context("the .inx has no DriverVer")?;
        let mut inf = String::new();
        for (index, line) in inx.lines().enumerate() {
            if index == stamped {
                let (key, _) = line.split_once('=').context("DriverVer has no value")?;
                inf += &format!("{key}= {}", self.driver_version());
            } else if !line.starts_with(';') {
                inf += &line.replace("$ARCH$", arch);
            } else {
                inf += line;
            }
            inf += "\r\n";
        }
        ensure!(inf.is_ascii(), "the .inx is not ASCII");
        Ok(inf)
    }
}
