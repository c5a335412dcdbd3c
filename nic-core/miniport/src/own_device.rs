//! What a protocol answers on the device that NDIS makes for an adapter, to programs that know no
//! other.

use nt::security::Descriptor;

/// What a protocol answers on the device that NDIS makes for an adapter.
pub struct DeviceAbi {
    /// The control codes that are answered on every file of the device, and the access that each
    /// needs. Everybody may open the device, so each request is checked.
    pub codes: &'static [(u32, u32)],
    /// What guards `codes`.
    pub codes_guard: &'static Descriptor,
    /// The reference string of a device interface by which files are opened that own the adapter;
    /// empty for none. An adapter has it if [`AdapterProtocol::has_protocol_device`] says so.
    ///
    /// [`AdapterProtocol::has_protocol_device`]: crate::AdapterProtocol::has_protocol_device
    pub name: &'static [u16],
    /// What guards the opening of such a file.
    pub name_guard: &'static Descriptor,
    /// Whether a control code is answered on such a file. Reads and writes always are.
    pub is_named_code: fn(u32) -> bool,
}

/// Grants nothing to anybody.
static NOBODY: Descriptor = Descriptor::allowing(&[]);

impl DeviceAbi {
    /// Nothing is answered.
    pub const NONE: Self = Self {
        codes: &[],
        codes_guard: &NOBODY,
        name: &[],
        name_guard: &NOBODY,
        is_named_code: |_| false,
    };

    /// The access that a control code needs on every file of the device; `None` if it is not
    /// answered.
    pub(crate) fn access(&self, code: u32) -> Option<u32> {
        self.codes.iter().find(|(known, _)| *known == code).map(|(_, access)| *access)
    }

    /// Whether the part of a path after the device is the reference string, in upper or lower case.
    pub(crate) fn is_name(&self, path: &[u16]) -> bool {
        let [first, name @ ..] = path else { return false };
        let lower = |unit: u16| match u8::try_from(unit) {
            Ok(byte) => u16::from(byte.to_ascii_lowercase()),
            Err(_) => unit,
        };
        *first == u16::from(b'\\')
            && !self.name.is_empty()
            && name.len() == self.name.len()
            && name.iter().zip(self.name).all(|(one, other)| lower(*one) == lower(*other))
    }
}
