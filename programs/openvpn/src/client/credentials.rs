//! Username and password, from the profile or the terminal.

use std::io;

use zeroize::Zeroizing;

use crate::options::AuthToken;
use crate::profile::CredentialSource;
use crate::terminal::ask;

/// Username, password and token.
#[derive(Clone, Default)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: Zeroizing<String>,
    token: Option<AuthToken>,
}

impl Credentials {
    /// Reads them from the source and prompts for missing parts. Empty without a source.
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

    /// Stores a token, which replaces the password from now on.
    pub(super) fn set_token(&mut self, token: AuthToken) {
        self.token = Some(token);
    }

    /// Drops the token. Returns false if there was none.
    pub(super) fn forget_token(&mut self) -> bool {
        self.token.take().is_some()
    }

    /// The username and password for the next authentication.
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
