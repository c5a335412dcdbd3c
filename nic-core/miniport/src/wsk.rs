//! The driver's attachment to WSK.

use nt::Result;
use nt::lock::SleepMutex;
use nt::wsk::WskClient;

/// The attachment, which is made when the first adapter comes up: WSK may not be there yet when
/// drivers start.
pub struct Wsk {
    client: SleepMutex<Option<WskClient>>,
}

impl Wsk {
    /// Not attached yet.
    pub(crate) fn new() -> Self {
        Self { client: SleepMutex::new(None) }
    }

    /// The attachment, made now where there is none.
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

    /// Ends it.
    ///
    /// # IRQL
    /// `PASSIVE_LEVEL`
    pub(crate) fn detach(&self) {
        let client = self.client.lock().take();
        drop(client);
    }
}
