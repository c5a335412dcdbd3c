//! Admission of authenticated clients: address, peer, push; or the rejection.

use std::io;
use std::time::Instant;

use rustls::pki_types::CertificateDer;

use super::client::{Connected, Stage};
use super::client_file::ClientFile;
use super::pool::Lease;
use super::push::push_reply;
use super::terms::{Terms, TermsError};
use super::{Client, Server};
use crate::data_channel::{NewPeer, Peer, PeerChange};
use crate::session::Established;
use crate::tls::Subject;

/// Message to a client that exceeds `max-clients`: try the next server.
const FULL: &str = "RESTART,[N]the server is full";

/// Why a client is rejected.
struct Refusal {
    /// Message to the client.
    told: String,
    /// Text for the log.
    logged: String,
}

impl Refusal {
    /// A rejection without a reason for the client.
    fn silent(logged: String) -> Self {
        Self { told: "AUTH_FAILED".into(), logged }
    }
}

impl Server {
    /// Handles an established key. The first one identifies the client; later ones must have the
    /// same common name.
    pub(super) fn established(&mut self, id: u32, established: &Established, now: Instant) {
        let name = established
            .certificate
            .as_ref()
            .and_then(|certificate: &CertificateDer<'_>| Subject::of(certificate))
            .and_then(|subject| subject.common_name());
        let Some(client) = self.clients.get_mut(&id) else { return };
        if let Stage::Connected(connected) = &client.stage {
            if name.as_ref() != Some(&connected.name) {
                return self.dismiss(
                    id,
                    "AUTH_FAILED",
                    "renegotiated with another common name",
                    now,
                );
            }
            // As stock: another certificate of this name may be somebody else's.
            if established.certificate != connected.certificate {
                return self.dismiss(
                    id,
                    "AUTH_FAILED",
                    "renegotiated with another certificate",
                    now,
                );
            }
            let line = format!("{}: has key {}", client.label(), established.key_id);
            return self.log_line(&line);
        }
        let result = match name {
            Some(name) => self.admit(id, name, established, now),
            None => Err(Refusal::silent("its certificate has no common name".into())),
        };
        if let Err(Refusal { told, logged }) = result {
            self.dismiss(id, &told, &format!("refused: {logged}"), now);
        }
    }

    /// Admits an authenticated client.
    fn admit(
        &mut self,
        id: u32,
        name: String,
        established: &Established,
        now: Instant,
    ) -> Result<(), Refusal> {
        let file = match &self.profile.client_folder {
            Some(folder) => ClientFile::load(folder, &name)
                .map_err(|error| Refusal::silent(format!("{name}'s file: {error}")))?,
            None => None,
        };
        // As stock: the file of all others is not the client's.
        let has_own = file.as_ref().is_some_and(|file| !file.is_default);
        if self.profile.is_client_file_required && !has_own {
            return Err(Refusal::silent(format!("{name} has no file in client-config-dir")));
        }
        let file = file.unwrap_or_default();
        if file.is_disabled {
            return Err(Refusal::silent(format!("{name} is disabled")));
        }
        let terms =
            Terms::agree(&established.hello.peer_info, &self.ciphers).map_err(|error| Refusal {
                told: match error {
                    TermsError::NoSharedCipher => {
                        "AUTH_FAILED,Data channel cipher negotiation failed (no shared cipher)"
                            .into()
                    }
                    TermsError::NoPeerId => "AUTH_FAILED,The client is too old".into(),
                },
                logged: format!("{name}: {error}"),
            })?;
        let replaced = self.replaced(id, &name);
        let connected = self.clients.values().filter_map(Client::connected).count();
        if connected - replaced.len() >= self.profile.max_clients {
            let logged = format!("{name}: there are {connected} clients");
            return Err(Refusal { told: FULL.into(), logged });
        }
        for older in replaced {
            self.remove(older, "replaced by a new connection");
        }
        let lease = self
            .pool
            .lease(id, &name, file.address, file.address_v6)
            .map_err(|error| Refusal::silent(format!("{name}: {error}")))?;
        self.add_peer(id, &file, &terms, lease)
            .map_err(|error| Refusal::silent(format!("{name}: no peer: {error}")))?;
        let push = push_reply(&self.profile, &self.pool, &file, &terms, &lease, id);
        let Some(client) = self.clients.get_mut(&id) else { return Ok(()) };
        let certificate = established.certificate.clone();
        client.stage = Stage::Connected(Connected {
            name,
            certificate,
            lease,
            since: now,
            push,
            pushed_at: None,
        });
        client.session.set_data_parameters(terms.data, now);
        if terms.is_dynamic_tls_crypt {
            // Fails only if the session is not established.
            let _ = client.session.use_dynamic_tls_crypt();
        }
        if terms.is_push_unasked {
            client.push(now);
        }
        let line = format!("{}: has {}, {}", client.label(), lease.address, terms.data.suite);
        self.log_line(&line);
        Ok(())
    }

    /// Creates a client's peer in the data channel. After a failure, the removal of the client
    /// undoes a partial setup.
    fn add_peer(&self, id: u32, file: &ClientFile, terms: &Terms, lease: Lease) -> io::Result<()> {
        let Some(client) = self.clients.get(&id) else { return Ok(()) };
        self.data.new_peer(&NewPeer {
            receive_id: id,
            send_id: id,
            remote: client.address,
            address_v4: Some(lease.address),
            address_v6: lease.address_v6,
        })?;
        let tunnel = &self.profile.common.tunnel;
        self.data.set_peer(
            Peer::Id(id),
            &PeerChange {
                keepalive_interval: tunnel.ping,
                // Twice the timeout that is pushed to clients (manual, `--keepalive`).
                keepalive_timeout: tunnel.ping_restart.map(|timeout| timeout * 2),
                mss_bytes: Some(self.profile.common.mss_bytes(terms.data.format)),
            },
        )?;
        for network in &file.networks {
            self.data.add_route(id, *network)?;
        }
        Ok(())
    }

    /// The connected clients that a newly authenticated one replaces: those at its address, and,
    /// unless `duplicate-cn` is set, those with its name.
    fn replaced(&self, id: u32, name: &str) -> Vec<u32> {
        let address = self.clients.get(&id).map(|client| client.address);
        let is_unique = !self.profile.is_duplicate_name_allowed;
        let is_replaced = |(other, client): &(&u32, &Client)| {
            **other != id
                && client.connected().is_some_and(|connected| {
                    Some(client.address) == address || is_unique && connected.name == name
                })
        };
        self.clients.iter().filter(is_replaced).map(|(id, _)| *id).collect()
    }
}
