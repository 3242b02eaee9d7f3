//! JSON that is the same for every account but for its SID: one copy and a few patches.

use crate::sid::Sid;

/// Text with places for a SID.
#[derive(Clone, Default)]
pub(crate) struct Template {
    text: Vec<u8>,
    places: Vec<usize>,
}

impl Template {
    /// Goes on with this text.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        self.text.extend_from_slice(text.as_bytes());
        self
    }

    /// Goes on with the SID.
    pub(crate) fn sid(&mut self) -> &mut Self {
        self.places.push(self.text.len());
        self.text.extend_from_slice(&[b'A'; Sid::LEN]);
        self
    }

    /// Writes it for this SID.
    pub(crate) fn write(&self, out: &mut Vec<u8>, sid: &Sid) {
        let from = out.len();
        out.extend_from_slice(&self.text);
        for place in &self.places {
            let at = from + place;
            out[at..at + Sid::LEN].copy_from_slice(sid.bytes());
        }
    }
}
