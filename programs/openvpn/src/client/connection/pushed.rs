//! Handles control messages of the server, the pushed options above all.

use std::io;
use std::time::{Duration, Instant};

use super::{Common, Connection, NEXT_REMOTE, Next, Outcome, PULL_WINDOW, RECONNECT, end};
use crate::client::message::Message;
use crate::client::network::{Applied, Plan};
use crate::client::pull::PullError;
use crate::data_channel::{DataFormat, Peer, PeerChange};
use crate::options::TunnelOptions;
use crate::session::{DataParameters, Derivation};

/// Upper limit of an `AUTH_PENDING` timeout.
const MAX_PULL_WINDOW: Duration = Duration::from_secs(3600);

/// Default of `ping-restart`: OpenVPN's default for clients.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(120);

impl Connection<'_> {
    /// Handles a control message.
    pub(super) fn message(&mut self, text: &str, now: Instant) -> Result<(), Outcome> {
        let log = self.common.log;
        match Message::of(text) {
            Message::PushReply(options) => return self.pushed(options, now),
            Message::AuthFailed(reason) => {
                let had_token = self.credentials.forget_token();
                let next = match (had_token, self.common.profile.is_auth_retried) {
                    // The password is used instead of the token.
                    (true, _) => RECONNECT,
                    (false, true) => Next::RetryAuthentication,
                    (false, false) => Next::Fail,
                };
                return Err(end(format!("authentication failed: {reason}"), next));
            }
            Message::AuthFailedNow { backoff, is_next_remote, reason } => {
                let next = Next::Reconnect { is_next_remote, after: backoff };
                return Err(end(format!("authentication failed temporarily: {reason}"), next));
            }
            Message::AuthPending(timeout) => {
                log.step("authentication is pending");
                let window = timeout.unwrap_or(PULL_WINDOW).min(MAX_PULL_WINDOW);
                self.pull_by = self.pull_by.map(|by| by.max(now + window));
            }
            Message::Restart { is_next_remote, reason } => {
                let next = Next::Reconnect { is_next_remote, after: None };
                return Err(end(format!("the server restarts: {reason}"), next));
            }
            Message::Halt(reason) => {
                return Err(end(
                    format!("the server tells the client to stop: {reason}"),
                    Next::Fail,
                ));
            }
            Message::Exit => return Err(end("the server closed the session", RECONNECT)),
            Message::Info(text) => log.step(format_args!("message of the server: {text}")),
            Message::Other => log.detail("ignored an unknown control message"),
        }
        Ok(())
    }

    fn pushed(&mut self, text: &str, now: Instant) -> Result<(), Outcome> {
        // As stock, a tunnel that stays is not given up, and its packets don't leave in plaintext.
        let next = if self.tunnel.network.is_some() { NEXT_REMOTE } else { Next::Fail };
        let cant = |error: &dyn std::fmt::Display| {
            end(format!("can not apply the pushed options: {error}"), next)
        };
        // Replies to repeated requests are identical.
        let Some(pull) = &mut self.pull else { return Ok(()) };
        let options = pull.reply(text).map_err(|error| match error {
            // Another server may not push it (manual, `--pull-filter`).
            PullError::Rejected(_) => end(error.to_string(), NEXT_REMOTE),
            PullError::Option(_) => cant(&error),
        })?;
        let Some(mut options) = options else { return Ok(()) };
        (self.pull, self.push_request_at, self.pull_by) = (None, None, None);
        if let Some(token) = options.auth_token.take() {
            self.credentials.set_token(token);
            let (username, password) = self.credentials.current();
            let hello = self.session.hello_mut();
            (hello.username, hello.password) = (username, password);
        }
        let peer_id = options.peer_id.ok_or_else(|| {
            cant(&"no peer-id: data packets without one (P_DATA_V1) are not supported")
        })?;
        let suite = options
            .cipher
            .or(self.common.profile.fallback_cipher)
            .ok_or_else(|| cant(&"no supported cipher (set data-ciphers-fallback?)"))?;
        let plan = Plan::new(&options, self.remote.ip(), &self.hops).map_err(|e| cant(&e))?;
        let parameters = DataParameters {
            suite,
            derivation: if options.is_exporter { Derivation::Exporter } else { Derivation::Prf },
            format: if options.is_epoch { DataFormat::Epoch } else { DataFormat::Classic },
        };
        if options.is_dynamic_tls_crypt {
            self.session.use_dynamic_tls_crypt().map_err(|error| cant(&error))?;
        }
        for ignored in &options.ignored {
            self.common.log.step(format_args!("ignored a pushed option: {ignored}"));
        }
        self.send_id = Some(peer_id);
        self.session.set_data_parameters(parameters, now);
        while let Some(event) = self.session.poll_event() {
            self.session_event(event, now)?;
        }
        self.raise(options, plan, parameters)
    }

    /// Configures the network and sets the link up.
    fn raise(
        &mut self,
        options: TunnelOptions,
        plan: Plan,
        parameters: DataParameters,
    ) -> Result<(), Outcome> {
        let Common { channel, log, interface, .. } = *self.common;
        let refused = |what: &str, error: io::Error| end(format!("{what}: {error}"), Next::Fail);
        let timeout = options.ping_exit.or(options.ping_restart).unwrap_or(DEFAULT_TIMEOUT);
        let change = PeerChange {
            keepalive_interval: options.ping,
            keepalive_timeout: Some(timeout),
            mss_bytes: Some(self.common.profile.mss_bytes(parameters.format)),
        };
        channel
            .set_peer(Peer::Only, &change)
            .map_err(|error| refused("the data channel refused the timers", error))?;
        let kept = &mut self.tunnel.network;
        match kept {
            Some(network) => network.update(plan),
            None => Applied::new(plan, interface, log).map(|network| *kept = Some(network)),
        }
        .map_err(|error| refused("can not configure the interface", error))?;
        channel.start().map_err(|error| refused("can not start the data channel", error))?;
        let Some(network) = &self.tunnel.network else { return Ok(()) };
        log.step(format_args!(
            "connected: {interface} is {} ({}, {:?} format, keys by {:?}, peer-id {}, MTU {})",
            network.addresses().join(" and "),
            parameters.suite,
            parameters.format,
            parameters.derivation,
            options.peer_id.unwrap_or_default(),
            network.mtu(),
        ));
        self.options = Some(options);
        Ok(())
    }
}
