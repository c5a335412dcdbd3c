//! Username and password: from the profile, or asked for on the terminal.

use std::io::{self, BufRead, IsTerminal, Write};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::options::AuthToken;
use crate::profile::CredentialSource;

/// What the server is told.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: Zeroizing<String>,
    token: Option<AuthToken>,
}

impl Credentials {
    /// Collects them, and asks the user for what is missing. Empty without a source.
    pub(super) fn collect(source: Option<&CredentialSource>) -> io::Result<Self> {
        let (username, password) = match source {
            None => return Ok(Self::default()),
            Some(CredentialSource::Prompt) => (None, None),
            Some(CredentialSource::Given { username, password }) => {
                (Some(username.clone()), password.clone())
            }
        };
        let username = match username {
            Some(username) => username,
            None => ask("Username: ", true)?.to_string(),
        };
        let password = match password {
            Some(password) => password,
            None => ask("Password: ", false)?,
        };
        Ok(Self { username, password, token: None })
    }

    /// From now on the token stands for the password.
    pub(super) fn set_token(&mut self, token: AuthToken) {
        self.token = Some(token);
    }

    /// Forgets the token; false where there was none.
    pub(super) fn forget_token(&mut self) -> bool {
        self.token.take().is_some()
    }

    /// The username and password to say now.
    pub(super) fn current(&self) -> (String, Zeroizing<String>) {
        match &self.token {
            Some(token) => (
                token.username.clone().unwrap_or_else(|| self.username.clone()),
                Zeroizing::new(token.token.clone()),
            ),
            None => (self.username.clone(), self.password.clone()),
        }
    }
}

/// Asks for a line on the terminal; one that is not echoed is erased.
fn ask(prompt: &str, is_echoed: bool) -> io::Result<Zeroizing<String>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "username or password missing, and no terminal to ask on",
        ));
    }
    eprint!("{prompt}");
    io::stderr().flush()?;
    let before = tcgetattr(&stdin)?;
    if !is_echoed {
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(&stdin, SetArg::TCSANOW, &silent)?;
    }
    let mut line = Zeroizing::new(String::with_capacity(256));
    let read = stdin.lock().read_line(&mut line);
    if !is_echoed {
        tcsetattr(&stdin, SetArg::TCSANOW, &before)?;
        eprintln!();
    }
    read?;
    let length = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(length);
    Ok(line)
}
