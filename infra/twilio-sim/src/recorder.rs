//! A record of every answer, for whoever checks what Twilio's API is held to answer: one JSON line each.
//!
//! It holds bodies as they were sent, with simulated secrets in them; it is written only where asked for.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::json::Obj;

/// Where answers are written down; clones write to the same file.
#[derive(Debug, Clone)]
pub struct Recorder {
    file: Arc<Mutex<File>>,
}

/// One answer.
pub(crate) struct Exchange<'a> {
    pub(crate) product: &'static str,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    /// JSON, or nothing.
    pub(crate) body: &'a [u8],
}

impl Recorder {
    /// Begins a new record in this file.
    pub fn create(path: &Path) -> std::io::Result<Self> {
        let file = Arc::new(Mutex::new(File::create(path)?));
        Ok(Self { file })
    }

    /// Writes an answer down. A full disk ends the record, not the simulator.
    pub(crate) fn write(&self, exchange: &Exchange<'_>) {
        let mut line = Vec::with_capacity(exchange.body.len() + 256);
        let mut object = Obj::open(&mut line);
        object
            .str("product", exchange.product)
            .str("method", exchange.method)
            .str("path", exchange.path)
            .int("status", i64::from(exchange.status));
        if exchange.body.is_empty() {
            object.null("body");
        } else {
            object.name("body").extend_from_slice(exchange.body);
        }
        object.close();
        line.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(&line) {
            tracing::warn!(%error, "an answer was not recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_a_line_of_json() {
        let path = std::env::temp_dir().join(format!("recorder-{}.jsonl", std::process::id()));
        let recorder = Recorder::create(&path).unwrap();
        for body in [&b"{\"a\":[1]}"[..], b""] {
            recorder.write(&Exchange {
                product: "api",
                method: "GET",
                path: "/x?a=\"",
                status: 200,
                body,
            });
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[0]["body"]["a"][0], 1);
        assert_eq!(lines[1]["path"], "/x?a=\"");
        assert!(lines[1]["body"].is_null());
    }
}
