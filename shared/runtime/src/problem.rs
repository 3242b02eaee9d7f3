//! The one shape of an error that leaves our API: problem+json (RFC 9457) with a stable `code`.

use serde::Serialize;

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where the code is explained: always `about:blank`, the code says it all.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Stable and documented; programs branch on this.
    pub code: &'static str,
    /// What the code means.
    pub title: &'static str,
    /// What was wrong this time; never a secret, never a caller's raw input.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Seconds after which asking again makes sense; also sent as `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_s: Option<u32>,
}

impl Problem {
    /// The media type of its JSON.
    pub const CONTENT_TYPE: &'static str = "application/problem+json";

    /// A problem without further detail.
    pub fn new(status: u16, code: &'static str, title: &'static str) -> Self {
        Self {
            kind: "about:blank",
            status,
            code,
            title,
            detail: None,
            retry_after_s: None,
        }
    }

    /// Adds what was wrong this time.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds when asking again makes sense.
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Its JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a problem has only strings and numbers")
    }
}
