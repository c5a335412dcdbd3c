//! Profile options for the process: background, log, privileges.

use std::path::PathBuf;

use super::error::ProfileError;
use super::lines::Line;
use super::parse::{Reader, malformed};

/// How the program runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessOptions {
    /// Runs in the background (`daemon`).
    pub is_daemon: bool,
    /// Logs to the system log (`syslog`).
    pub is_syslog: bool,
    /// The program's name in the system log (`daemon NAME`, `syslog NAME`).
    pub log_name: Option<String>,
    /// The file that has the log (`log`, `log-append`). It takes precedence over the system log.
    pub log_file: Option<LogFile>,
    /// Writes no times into the log file (`suppress-timestamps`).
    pub is_without_times: bool,
    /// The file that has the process's number (`writepid`).
    pub pid_file: Option<PathBuf>,
    /// The user to run as after the start (`user`).
    pub user: Option<String>,
    /// The group to run as after the start (`group`).
    pub group: Option<String>,
    /// The folder to be the root folder after the start (`chroot`).
    pub root: Option<PathBuf>,
}

/// A log file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its path.
    pub path: PathBuf,
    /// Appends to it (`log-append`); otherwise it is emptied first.
    pub is_appended: bool,
}

impl Reader {
    /// Applies such an option. Returns `false` for other options.
    pub(super) fn apply_process(&mut self, line: &Line) -> Result<bool, ProfileError> {
        let path = |word: &str| self.folder.join(word);
        let process = &mut self.profile.process;
        match (line.name.as_str(), &line.arguments()[..]) {
            (name @ ("daemon" | "syslog"), arguments @ ([] | [_])) => {
                process.is_daemon |= name == "daemon";
                process.is_syslog |= name == "syslog";
                if let [name] = arguments {
                    process.log_name = Some((*name).to_owned());
                }
            }
            (name @ ("log" | "log-append"), [file]) => {
                let is_appended = name == "log-append";
                process.log_file = Some(LogFile { path: path(file), is_appended });
            }
            ("suppress-timestamps", []) => process.is_without_times = true,
            ("writepid", [file]) => process.pid_file = Some(path(file)),
            ("user", [name]) => process.user = Some((*name).to_owned()),
            ("group", [name]) => process.group = Some((*name).to_owned()),
            ("chroot", [folder]) => process.root = Some(path(folder)),
            // Applied before all others.
            ("cd", [_]) => {}
            (
                "daemon"
                | "syslog"
                | "log"
                | "log-append"
                | "suppress-timestamps"
                | "writepid"
                | "user"
                | "group"
                | "chroot"
                | "cd",
                _,
            ) => return Err(malformed(line)),
            _ => return Ok(false),
        }
        Ok(true)
    }
}
