//! Pushed options, in one `PUSH_REPLY` or several.

use std::fmt;

use crate::options::{OptionError, TunnelOptions, WordsError, words};
use crate::profile::{Profile, PullAction, PullFilter};

/// Prefixes of the options that `route-nopull` ignores.
const ROUTING: [&str; 7] =
    ["route", "redirect-", "dhcp-option", "dns", "register-dns", "block-", "client-nat"];

/// Collects pushed options.
pub(super) struct Pull<'p> {
    profile: &'p Profile,
    options: TunnelOptions,
}

/// Why pushed options can't be applied.
#[derive(Debug)]
pub(super) enum PullError {
    /// An option is malformed or not supported.
    Option(OptionError),
    /// A `pull-filter reject` of the profile matches.
    Rejected(String),
}

impl<'p> Pull<'p> {
    /// Starts with the options of the profile.
    pub(super) fn new(profile: &'p Profile) -> Self {
        Self { profile, options: profile.tunnel.clone() }
    }

    /// Applies the options of one reply. Returns all options after the last reply.
    pub(super) fn reply(&mut self, options: &str) -> Result<Option<TunnelOptions>, PullError> {
        let mut is_last = true;
        for option in options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            let words = match words(option) {
                Ok(words) => words,
                // Not applied in any case; a filter may make it harmless.
                Err(WordsError) if self.filter(option) == PullAction::Ignore => continue,
                Err(WordsError) => return Err(OptionError::Malformed(option.to_owned()).into()),
            };
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words[..] {
                // 2: more replies follow; 1: the last reply.
                ["push-continuation", more] => is_last = more != "2",
                _ => self.option(&words)?,
            }
        }
        Ok(is_last.then(|| std::mem::take(&mut self.options)))
    }

    fn option(&mut self, words: &[&str]) -> Result<(), PullError> {
        let option = words.join(" ");
        match self.filter(&option) {
            PullAction::Accept => {}
            PullAction::Ignore => return Ok(()),
            PullAction::Reject => return Err(PullError::Rejected(option)),
        }
        if !self.options.apply(words)? {
            self.options.ignored.push(option);
        }
        Ok(())
    }

    /// The action for an option, whose words are unquoted and joined by single blanks: quotes,
    /// escapes or other blanks must not hide an option from the filters. `route-nopull` applies to
    /// options that a filter accepts too, as in OpenVPN.
    fn filter(&self, option: &str) -> PullAction {
        let matches = |filter: &&PullFilter| option.starts_with(&filter.prefix);
        let action = self.profile.pull_filters.iter().find(matches).map(|filter| filter.action);
        let is_routing = ROUTING.iter().any(|prefix| option.starts_with(prefix));
        match action.unwrap_or(PullAction::Accept) {
            PullAction::Accept if self.profile.is_route_nopull && is_routing => PullAction::Ignore,
            action => action,
        }
    }
}

impl fmt::Display for PullError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(error) => write!(f, "{error}"),
            Self::Rejected(option) => write!(f, "the profile rejects {option:?}"),
        }
    }
}

impl From<OptionError> for PullError {
    fn from(error: OptionError) -> Self {
        Self::Option(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &str = "route-gateway 10.98.0.1,topology subnet,ping 10,ping-restart 60,\
        ifconfig 10.98.0.2 255.255.255.0,peer-id 0,cipher AES-256-GCM,\
        protocol-flags cc-exit tls-ekm,tun-mtu 1500";

    fn filter(action: PullAction, prefix: &str) -> PullFilter {
        PullFilter { action, prefix: prefix.into() }
    }

    #[test]
    fn a_stock_servers_reply_is_followed() {
        let profile = Profile::default();
        let options = Pull::new(&profile).reply(STOCK).unwrap().expect("the last reply");
        assert_eq!(options.peer_id, Some(0));
        assert_eq!(options.ping_restart.map(|time| time.as_secs()), Some(60));
        assert!(options.is_exporter && options.is_exit_by_control && !options.is_epoch);
        assert_eq!(options.tun_mtu, Some(1500));
        assert!(options.ignored.is_empty(), "{:?}", options.ignored);
    }

    #[test]
    fn replies_go_on_until_the_last() {
        let profile = Profile::default();
        let mut pull = Pull::new(&profile);
        let first = "route 10.1.0.0 255.255.0.0,push-continuation 2";
        assert_eq!(pull.reply(first).unwrap(), None);
        let options =
            pull.reply("route 10.2.0.0 255.255.0.0,key-derivation tls-ekm,push-continuation 1");
        let options = options.unwrap().expect("the last reply");
        assert_eq!(options.routes.len(), 2);
        assert!(options.is_exporter);
    }

    #[test]
    fn filters_and_nopull_keep_options_out() {
        let pull_filters = vec![
            filter(PullAction::Accept, "route 10.1."),
            filter(PullAction::Ignore, "route "),
            filter(PullAction::Reject, "redirect-gateway"),
        ];
        let profile = Profile { pull_filters, ..Profile::default() };
        let mut pull = Pull::new(&profile);
        let options = pull.reply("route 10.1.0.0 255.255.0.0,route 10.2.0.0 255.255.0.0").unwrap();
        assert_eq!(options.expect("the last reply").routes.len(), 1);
        assert!(matches!(pull.reply("redirect-gateway def1"), Err(PullError::Rejected(_))));

        let profile = Profile { is_route_nopull: true, ..Profile::default() };
        let options = Pull::new(&profile).reply(&format!("{STOCK},route 10.1.0.0 255.255.0.0"));
        let options = options.unwrap().expect("the last reply");
        assert!(options.routes.is_empty() && options.route_gateway.is_none());
        assert!(options.ifconfig.is_some());
    }

    #[test]
    fn quotes_do_not_hide_an_option_from_filters() {
        let hidden = [
            r#""redirect-gateway" def1"#,
            "'redirect-gateway' def1",
            r"\redirect-gateway def1",
            r"redirect\-gateway def1",
            "redirect-gateway\tdef1",
            r#"redirect"-gateway" "def1""#,
        ];
        let nopull = Profile { is_route_nopull: true, ..Profile::default() };
        let pull_filters = vec![filter(PullAction::Ignore, "redirect-gateway def1")];
        let ignoring = Profile { pull_filters, ..Profile::default() };
        // `accept` does not lift `route-nopull`.
        let pull_filters = vec![filter(PullAction::Accept, "redirect-gateway")];
        let accepting = Profile { pull_filters, is_route_nopull: true, ..Profile::default() };
        let pull_filters = vec![filter(PullAction::Reject, "redirect-gateway")];
        let rejecting = Profile { pull_filters, ..Profile::default() };
        for option in hidden {
            for profile in [&nopull, &ignoring, &accepting] {
                let options = Pull::new(profile).reply(option).unwrap().expect("the last reply");
                assert_eq!(options.redirect_gateway, None, "{option}");
            }
            let rejected = Pull::new(&rejecting).reply(option);
            assert!(matches!(rejected, Err(PullError::Rejected(_))), "{option}: {rejected:?}");
        }
        let options = Pull::new(&nopull)
            .reply("\"dns\" server 0 address 10.0.0.1,'dhcp-option' DNS 10.0.0.1");
        assert!(options.unwrap().expect("the last reply").dns.is_empty());
        let mut pull = Pull::new(&nopull);
        assert_eq!(pull.reply("ping 1,\"push-continuation\" 2").unwrap(), None);
    }

    #[test]
    fn what_would_garble_the_tunnel_is_an_error() {
        let profile = Profile::default();
        for bad in
            ["comp-lzo yes", "compress lz4", "cipher BF-CBC", "ifconfig 10.0.0.1", "peer-id x"]
        {
            assert!(Pull::new(&profile).reply(bad).is_err(), "{bad}");
        }
        let options = Pull::new(&profile).reply("block-outside-dns,echo hello").unwrap();
        assert_eq!(options.expect("the last reply").ignored.len(), 2);
    }
}
