#![doc = include_str!("../README.md")]

mod settings;

mod names;

mod error;

mod store;

mod transaction;

mod table {
    //! One file per table: its items and their conversion.
    pub mod audit;
    pub mod callbacks;
    pub mod control;
    pub mod drift;
    pub mod due;
    pub mod ledger;
    pub mod migrations;
    pub mod numbers;
    pub mod outbox;
    pub mod pull_state;
    pub mod rates;
    pub mod reconciliation;
    pub mod silences;
    pub mod statements;
    pub mod tenants;
    pub mod text;
    pub mod usage;
}

mod operation {
    //! One file per transaction of the design: what is written once, together.
    pub mod billing;
    pub mod migrations;
    pub mod numbers;
    pub mod provisioning;
    pub mod pulling;
    pub mod statement;
    pub mod suspension;
    pub mod wallet;
}

mod bus;

mod queues;

mod archive;

mod secrets;

mod tokens;

pub use archive::Archive;
pub use bus::{Bus, PUT_EVENTS_MAX, Publication};
pub use error::{CommitError, StoreError};
pub use names::Names;
pub use operation::billing::UsageRead;
pub use operation::migrations::{MigrationWrite, RECORDS_MAX};
pub use operation::numbers::{OrderAcceptance, OrderEnd};
pub use operation::provisioning::{Acceptance, Activation};
pub use operation::statement::{IssueWrite, StatementSource};
pub use operation::suspension::HoldWrite;
pub use operation::wallet::WalletWrite;
pub use queues::{Command, Comparison, DAILY, DRIFT, Queue, QueueUrls, Queues, REPULL, REQUESTED};
pub use secrets::{SecretError, Secrets, TwilioSecret, Whose};
pub use settings::{Clients, NowFn, Patience, Settings, SettingsError, SleepFn};
pub use store::Store;
pub use table::audit::AuditDraft;
pub use table::callbacks::{CallbackRecord, Recorded};
pub use table::control::{Idempotency, IdempotencyState, MainRotation, OperatorKey};
pub use table::drift::DriftReport;
pub use table::due::{ActKind, DueItem, TICK_S, Tick, pull_tick};
pub use table::ledger::ChainPage;
pub use table::migrations::{MigrationPage, SharedSubaccount};
pub use table::outbox::{OUTBOX_PARTITIONS, OutboxRow, outbox_partition};
pub use table::reconciliation::{ComparedDay, StoredVariance};
pub use table::silences::Silence;
pub use table::statements::{Sequence, StoredStatement};
pub use table::tenants::{IssuedKey, TenantPage};
pub use tokens::{MainSecret, Tokens};
