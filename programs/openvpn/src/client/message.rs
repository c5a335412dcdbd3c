//! Control messages of servers.

use std::time::Duration;

/// A control message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message<'t> {
    /// Options, separated by commas.
    PushReply(&'t str),
    /// Authentication failed, with the reason.
    AuthFailed(&'t str),
    /// A temporary failure (`AUTH_FAILED,TEMP`).
    AuthFailedNow {
        /// Delay before the next attempt.
        backoff: Option<Duration>,
        /// Try the next server.
        is_next_remote: bool,
        /// The reason.
        reason: &'t str,
    },
    /// Authentication is pending: extend the wait by this.
    AuthPending(Option<Duration>),
    /// The server restarts: reconnect.
    Restart {
        /// Try the next server.
        is_next_remote: bool,
        /// The reason.
        reason: &'t str,
    },
    /// The server tells the client to stop.
    Halt(&'t str),
    /// The server closes the session.
    Exit,
    /// Text for the user.
    Info(&'t str),
    /// An unknown message.
    Other,
}

impl<'t> Message<'t> {
    /// Parses a message.
    pub(super) fn of(text: &'t str) -> Self {
        let (word, rest) = text.split_once(',').unwrap_or((text, ""));
        match word {
            "PUSH_REPLY" => Self::PushReply(rest),
            "AUTH_FAILED" => Self::auth_failed(rest),
            "AUTH_PENDING" => Self::AuthPending(rest.split(',').find_map(|keyword| {
                let seconds: u32 = keyword.strip_prefix("timeout ")?.trim().parse().ok()?;
                Some(Duration::from_secs(seconds.into()))
            })),
            "RESTART" => {
                let (flags, reason) = flags(rest);
                Self::Restart { is_next_remote: flags.contains('N'), reason }
            }
            "HALT" => Self::Halt(flags(rest).1),
            "EXIT" => Self::Exit,
            "INFO" | "INFO_PRE" => Self::Info(rest),
            _ => Self::Other,
        }
    }

    /// Parses `TEMP[backoff N,advance no|remote|addr]:reason`, or just a reason.
    fn auth_failed(text: &'t str) -> Self {
        let Some(rest) = text.strip_prefix("TEMP") else { return Self::AuthFailed(text) };
        let (flags, reason) = flags(rest);
        let mut backoff = None;
        let mut is_next_remote = true;
        for flag in flags.split(',') {
            match flag.trim().split_once(' ') {
                Some(("backoff", seconds)) => {
                    backoff = seconds.parse().ok().map(|s: u32| Duration::from_secs(s.into()));
                }
                Some(("advance", way)) => is_next_remote = way != "no",
                _ => {}
            }
        }
        Self::AuthFailedNow { backoff, is_next_remote, reason }
    }
}

/// Splits `[flags]reason` and `[flags]:reason`.
fn flags(text: &str) -> (&str, &str) {
    let (flags, reason) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some(parts) => parts,
        None => ("", text),
    };
    (flags, reason.strip_prefix(':').unwrap_or(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        assert_eq!(Message::of("PUSH_REPLY,ping 1,b"), Message::PushReply("ping 1,b"));
        assert_eq!(Message::of("AUTH_FAILED"), Message::AuthFailed(""));
        assert_eq!(Message::of("AUTH_FAILED,no, never"), Message::AuthFailed("no, never"));
        assert_eq!(
            Message::of("AUTH_FAILED,TEMP[backoff 42,advance no]:full"),
            Message::AuthFailedNow {
                backoff: Some(Duration::from_secs(42)),
                is_next_remote: false,
                reason: "full"
            }
        );
        assert_eq!(
            Message::of("AUTH_FAILED,TEMP"),
            Message::AuthFailedNow { backoff: None, is_next_remote: true, reason: "" }
        );
        let minute = Some(Duration::from_secs(60));
        assert_eq!(Message::of("AUTH_PENDING,timeout 60"), Message::AuthPending(minute));
        assert_eq!(Message::of("AUTH_PENDING"), Message::AuthPending(None));
        let restart = |is_next_remote, reason| Message::Restart { is_next_remote, reason };
        assert_eq!(Message::of("RESTART"), restart(false, ""));
        assert_eq!(Message::of("RESTART,[N]later"), restart(true, "later"));
        assert_eq!(Message::of("HALT,go"), Message::Halt("go"));
        assert_eq!(Message::of("EXIT"), Message::Exit);
        assert_eq!(Message::of("CR_RESPONSE,x"), Message::Other);
    }
}
