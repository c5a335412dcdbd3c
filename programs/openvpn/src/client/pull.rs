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
            match option.strip_prefix("push-continuation ") {
                // 2: more replies follow; 1: the last reply.
                Some(more) => is_last = more.trim() != "2",
                None => self.option(option)?,
            }
        }
        Ok(is_last.then(|| std::mem::take(&mut self.options)))
    }

    fn option(&mut self, option: &str) -> Result<(), PullError> {
        match self.filter(option) {
            PullAction::Accept => {}
            PullAction::Ignore => return Ok(()),
            PullAction::Reject => return Err(PullError::Rejected(option.to_owned())),
        }
        let malformed = |_: WordsError| OptionError::Malformed(option.to_owned());
        let words = words(option).map_err(malformed)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if !self.options.apply(&words)? {
            self.options.ignored.push(option.to_owned());
        }
        Ok(())
    }

    fn filter(&self, option: &str) -> PullAction {
        let matches = |filter: &&PullFilter| option.starts_with(&filter.prefix);
        if let Some(filter) = self.profile.pull_filters.iter().find(matches) {
            return filter.action;
        }
        let is_kept_out =
            self.profile.is_route_nopull && ROUTING.iter().any(|prefix| option.starts_with(prefix));
        if is_kept_out { PullAction::Ignore } else { PullAction::Accept }
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
