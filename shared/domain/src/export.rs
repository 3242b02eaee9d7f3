//! An export of all that is kept about a tenant: how far it is.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// An export that was asked for; the latest one of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// When it was asked for: its objects lie in a folder of this name.
    pub asked_at: Timestamp,
    /// The last day (GMT) whose usage, calls and messages are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Date>,
    /// The last entry of the ledger that is written.
    #[serde(default)]
    pub entries: u64,
    /// When it was whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
}

impl Export {
    /// The name of its folder.
    pub fn folder(&self) -> String {
        format!("exports/{}", self.asked_at.strftime("%Y%m%dT%H%M%SZ"))
    }
}
