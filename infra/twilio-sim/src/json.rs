//! JSON objects written straight into bytes: answers are shaped by hand, field by field, and large usage
//! pages must cost no tree of values.

use crate::amount;

/// An object being written.
pub(crate) struct Obj<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl<'a> Obj<'a> {
    /// Opens an object.
    pub(crate) fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true }
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    /// Writes a name and gives the place for its value.
    pub(crate) fn name(&mut self, name: &str) -> &mut Vec<u8> {
        if !self.first {
            self.out.push(b',');
        }
        self.first = false;
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    pub(crate) fn str(&mut self, name: &str, value: &str) -> &mut Self {
        string(self.name(name), value);
        self
    }

    /// Writes a string that is known to need no escape: names, units, dates, SIDs.
    pub(crate) fn plain(&mut self, name: &str, value: &str) -> &mut Self {
        let out = self.name(name);
        out.push(b'"');
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
        self
    }

    pub(crate) fn opt(&mut self, name: &str, value: Option<&str>) -> &mut Self {
        match value {
            Some(value) => self.str(name, value),
            None => self.null(name),
        }
    }

    pub(crate) fn null(&mut self, name: &str) -> &mut Self {
        self.raw(name, "null")
    }

    pub(crate) fn bool(&mut self, name: &str, value: bool) -> &mut Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    pub(crate) fn int(&mut self, name: &str, value: i64) -> &mut Self {
        amount::write_i64(self.name(name), value);
        self
    }

    /// Writes JSON text as it is.
    pub(crate) fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        self.name(name).extend_from_slice(json.as_bytes());
        self
    }
}

/// Writes a string with its quotes.
pub(crate) fn string(out: &mut Vec<u8>, value: &str) {
    out.push(b'"');
    if value
        .bytes()
        .all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\')
    {
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
        return;
    }
    for byte in value.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..=0x1f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut out = Vec::new();
        let mut obj = Obj::open(&mut out);
        obj.str("a", "q\"b\\s\n\u{1}\u{e9}")
            .opt("b", None)
            .int("c", -5)
            .bool("d", true);
        obj.close();
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["a"], "q\"b\\s\n\u{1}\u{e9}");
        assert_eq!(value["c"], -5);
    }
}
