//! Twilio's identifiers as 34 bytes on the stack: cheap to copy, to compare and to keep by the million.

use std::fmt;

use crate::rng::Rng;

/// A SID: two letters and 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sid([u8; Self::LEN]);

impl Sid {
    pub(crate) const LEN: usize = 34;

    /// Reads a SID with this prefix.
    pub(crate) fn parse(prefix: &str, text: &str) -> Option<Self> {
        let bytes: [u8; Self::LEN] = text.as_bytes().try_into().ok()?;
        let valid = text.starts_with(prefix) && bytes.iter().skip(2).all(u8::is_ascii_hexdigit);
        valid.then_some(Self(bytes))
    }

    /// A new SID drawn from `rng`.
    pub(crate) fn draw(prefix: &str, rng: &mut Rng) -> Self {
        let mut bytes = [b'0'; Self::LEN];
        for (slot, byte) in bytes
            .iter_mut()
            .zip(prefix.bytes().chain(rng.hex(32).bytes()))
        {
            *slot = byte;
        }
        Self(bytes)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub(crate) fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
