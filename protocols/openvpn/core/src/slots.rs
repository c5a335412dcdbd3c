//! A peer's two keys.

use core::mem;

use crate::key::{DataKey, KeyState};

/// Where a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// It seals, and opens.
    Primary,
    /// It opens alone.
    Secondary,
}

/// Both slots.
#[derive(Default)]
pub(crate) struct Slots {
    primary: Option<DataKey>,
    secondary: Option<DataKey>,
}

impl Slots {
    /// What is in a slot.
    pub(crate) fn get(&self, slot: Slot) -> Option<&KeyState> {
        match slot {
            Slot::Primary => self.primary.as_ref(),
            Slot::Secondary => self.secondary.as_ref(),
        }
        .map(DataKey::get)
    }

    /// The key that seals.
    pub(crate) fn primary_mut(&mut self) -> Option<&mut KeyState> {
        self.get_mut(Slot::Primary)
    }

    /// Puts a key, or none, into a slot, and leaves what was there in its place.
    pub(crate) const fn put(&mut self, slot: Slot, key: &mut Option<DataKey>) {
        match slot {
            Slot::Primary => mem::swap(&mut self.primary, key),
            Slot::Secondary => mem::swap(&mut self.secondary, key),
        }
    }

    /// Exchanges the slots.
    pub(crate) const fn swap(&mut self) {
        mem::swap(&mut self.primary, &mut self.secondary);
    }

    /// The key with this id on its packets: the primary one where both have it.
    pub(crate) fn by_key_id(&self, key_id: u8) -> Option<&KeyState> {
        self.iter().find(|key| key.info.key_id == key_id)
    }

    /// The key of this serial number.
    pub(crate) fn by_serial_mut(&mut self, serial: u64) -> Option<&mut KeyState> {
        [&mut self.primary, &mut self.secondary]
            .into_iter()
            .flatten()
            .map(DataKey::get_mut)
            .find(|key| key.serial == serial)
    }

    /// The key of a slot.
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut KeyState> {
        match slot {
            Slot::Primary => self.primary.as_mut(),
            Slot::Secondary => self.secondary.as_mut(),
        }
        .map(DataKey::get_mut)
    }

    /// Both keys, the primary one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &KeyState> {
        [&self.primary, &self.secondary].into_iter().flatten().map(DataKey::get)
    }
}
