//! Tokens: who a thread acts for.

use core::cell::RefCell;

use super::sid::Sid;

/// A token: groups, and an integrity level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub(crate) groups: Vec<Sid>,
    /// The last subauthority of its mandatory label.
    pub(crate) integrity: u32,
}

/// The integrity level of users, and of administrators who are not elevated.
const MEDIUM: u32 = 0x2000;
/// The integrity level of elevated administrators.
const HIGH: u32 = 0x3000;
/// The integrity level of services.
const SYSTEM: u32 = 0x4000;

impl Token {
    /// An elevated administrator.
    #[must_use]
    pub fn administrator() -> Self {
        Self::new(&["WD", "IU", "AU", "BU", "BA"], HIGH)
    }

    /// A user, or an administrator who is not elevated.
    #[must_use]
    pub fn user() -> Self {
        Self::new(&["WD", "IU", "AU", "BU"], MEDIUM)
    }

    /// A service that runs as SYSTEM.
    #[must_use]
    pub fn system() -> Self {
        Self::new(&["WD", "AU", "SY", "BA"], SYSTEM)
    }

    fn new(groups: &[&str], integrity: u32) -> Self {
        Self { groups: groups.iter().filter_map(|name| Sid::named(name)).collect(), integrity }
    }

    pub(crate) fn is_administrator(&self) -> bool {
        Sid::named("BA").is_some_and(|administrators| self.groups.contains(&administrators))
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Token>> = const { RefCell::new(None) };
}

/// Runs `f` with this token. It is the token of the process that sends a request.
pub(crate) fn with<R>(token: &Token, f: impl FnOnce() -> R) -> R {
    let before = CURRENT.replace(Some(token.clone()));
    let result = f();
    CURRENT.replace(before);
    result
}

/// The token of the thread. Threads that act for nobody are the system's.
pub(crate) fn current() -> Token {
    CURRENT.with_borrow(|token| token.clone().unwrap_or_else(Token::system))
}
