//! Names of this stage's resources, as `template.yaml` spells them.

use domain::ids::AccountSid;

/// Names of one stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    stage: String,
    /// Tenants, their SIDs and external ids.
    pub tenants: String,
    /// Idempotency, operator keys, plans.
    pub control: String,
    /// Day sheets.
    pub usage: String,
    /// Wallets and entries.
    pub ledger: String,
    /// Recorded callbacks.
    pub callbacks: String,
    /// Events on their way to the bus.
    pub outbox: String,
    /// Audit rows.
    pub audit: String,
    /// Due work.
    pub due: String,
    /// The bus.
    pub bus: String,
    /// The `source` of our events.
    pub event_source: String,
}

impl Names {
    /// The names of a stage.
    pub fn new(stage: &str) -> Self {
        let table = |name: &str| format!("tollgate-{stage}-{name}");
        Self {
            stage: stage.to_owned(),
            tenants: table("tenants"),
            control: table("control"),
            usage: table("usage"),
            ledger: table("ledger"),
            callbacks: table("callbacks"),
            outbox: table("outbox"),
            audit: table("audit"),
            due: table("due"),
            bus: format!("tollgate-{stage}"),
            event_source: format!("tollgate.{stage}"),
        }
    }

    /// All tables.
    pub fn tables(&self) -> [&str; 8] {
        [
            &self.tenants,
            &self.control,
            &self.usage,
            &self.ledger,
            &self.callbacks,
            &self.outbox,
            &self.audit,
            &self.due,
        ]
    }

    /// The secret with the main account's SID and auth token.
    pub fn main_secret(&self) -> String {
        format!("tollgate/{}/twilio-main", self.stage)
    }

    /// The secret with the first operator key.
    pub fn operator_key_secret(&self) -> String {
        format!("tollgate/{}/operator-key", self.stage)
    }

    /// The secret with a subaccount's auth token.
    pub fn subaccount_secret(&self, account_sid: &AccountSid) -> String {
        format!("tollgate/{}/twilio/{account_sid}", self.stage)
    }

    /// A queue's name.
    pub fn queue(&self, queue: crate::Queue) -> String {
        format!("tollgate-{}-{}", self.stage, queue.name())
    }
}
