//! The driver's WSK client.

use nt::Result;
use nt::lock::SleepMutex;
use nt::wsk::WskClient;

/// The WSK client. It is registered when the first adapter comes up, because WSK may not be ready
/// when drivers are loaded.
pub struct Wsk {
    client: SleepMutex<Option<WskClient>>,
}

impl Wsk {
    /// Not registered yet.
    pub(crate) fn new() -> Self {
        Self { client: SleepMutex::new(None) }
    }

    /// The client; registers it if there is none.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    ///
    /// # Locks
    /// Takes a sleep lock of its own, which is a leaf.
    pub fn client(&self) -> Result<WskClient> {
        let mut current = self.client.lock();
        if let Some(client) = &*current {
            return Ok(client.clone());
        }
        let client = WskClient::attach()?;
        *current = Some(client.clone());
        Ok(client)
    }

    /// Deregisters the client.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn detach(&self) {
        let client = self.client.lock().take();
        drop(client);
    }
}
