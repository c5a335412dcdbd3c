//! Username and password: from the profile, or asked for on the terminal.

use std::io;

use zeroize::Zeroizing;

use crate::options::AuthToken;
use crate::profile::CredentialSource;
use crate::terminal::ask;

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
