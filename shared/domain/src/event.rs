//! Our events: facts about a tenant, written with the state change that made them true.

use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::Serialize;

use crate::dunning::Exemption;
use crate::ids::{AccountSid, CallSid, EventId, KeySid, MigrationId, PhoneNumberSid, TenantId};
use crate::money;
use crate::recharge::RechargeRequest;
use crate::tenant::Hold;

/// One event, as it travels on the bus (the envelope's `detail`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Consumers drop an id that they have seen.
    pub id: EventId,
    /// Version of this schema.
    pub version: u32,
    /// When the fact became true.
    pub occurred_at: Timestamp,
    /// Whose fact it is.
    pub tenant_id: TenantId,
    /// Grows per tenant and kind of state; consumers drop older ones.
    pub seq: u64,
    /// What brought it about: a request id, a message id, a function's name.
    pub cause: String,
    /// The fact.
    #[serde(flatten)]
    pub fact: Fact,
}

/// Schema version of `Event`.
pub const EVENT_VERSION: u32 = 1;

/// The fact and its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "data")]
pub enum Fact {
    /// A tenant was accepted.
    #[serde(rename = "tenant.requested")]
    TenantRequested {
        /// The client's name.
        name: String,
    },
    /// A tenant is in service.
    #[serde(rename = "tenant.provisioned")]
    TenantProvisioned {
        /// Its subaccount.
        account_sid: AccountSid,
    },
    /// Provisioning was given up.
    #[serde(rename = "tenant.provisioning_failed")]
    TenantProvisioningFailed {
        /// Stable code.
        code: String,
    },
    /// A tenant's standing changed.
    #[serde(rename = "tenant.standing_changed")]
    StandingChanged {
        /// Before.
        from: String,
        /// After.
        to: String,
        /// Balance at that moment.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// A hold was placed or lifted.
    #[serde(rename = "tenant.hold_changed")]
    HoldChanged {
        /// Which.
        hold: Hold,
        /// Does it stand now?
        placed: bool,
        /// Why.
        reason: String,
    },
    /// Twilio was seen to have the subaccount suspended and no call live.
    #[serde(rename = "tenant.suspended")]
    TenantSuspended {
        /// How many calls were ended.
        calls_ended: usize,
        /// The first of them.
        call_sids: Vec<CallSid>,
    },
    /// Twilio was seen to have the subaccount active again.
    #[serde(rename = "tenant.reactivated")]
    TenantReactivated {},
    /// Twilio has something that our rows do not say, found by the hourly comparison. Where no tenant is
    /// concerned, the event's tenant is the one of all zeros.
    #[serde(rename = "drift.found")]
    DriftFound {
        /// Stable name of the kind.
        kind: &'static str,
        /// Where.
        account_sid: AccountSid,
        /// What Twilio has.
        seen: String,
        /// What our row says.
        expected: String,
    },
    /// It agrees again.
    #[serde(rename = "drift.resolved")]
    DriftResolved {
        /// Stable name of the kind.
        kind: &'static str,
        /// Where.
        account_sid: AccountSid,
    },
    /// All that is kept about a tenant lies in the archive bucket.
    #[serde(rename = "tenant.exported")]
    TenantExported {
        /// Where.
        folder: String,
    },
    /// People's data of a closed tenant is forgotten.
    #[serde(rename = "tenant.erased")]
    TenantErased {},
    /// Closing cannot go on before a person has decided.
    #[serde(rename = "tenant.close_blocked")]
    TenantCloseBlocked {
        /// What stands in the way, as `<number>: <stable code>`.
        obstacles: Vec<String>,
    },
    /// A closing was taken back in time.
    #[serde(rename = "tenant.close_cancelled")]
    TenantCloseCancelled {},
    /// The subaccount is closed at Twilio, for good.
    #[serde(rename = "tenant.closed")]
    TenantClosed {
        /// The subaccount.
        account_sid: AccountSid,
    },
    /// An auth token was replaced. For the main account, the event's tenant is the one of all zeros.
    #[serde(rename = "credentials.rotated")]
    CredentialsRotated {
        /// The account.
        account_sid: AccountSid,
    },
    /// Numbers of a migration have come to another state.
    #[serde(rename = "migration.advanced")]
    MigrationAdvanced {
        /// The migration.
        migration_id: MigrationId,
        /// The numbers, as `<number>: <state>` or `<number>: blocked, <stable code>`.
        numbers: Vec<String>,
    },
    /// A migrated tenant has another subaccount and API key than before. Whoever uses them must change over.
    #[serde(rename = "credentials.replaced")]
    CredentialsReplaced {
        /// The migration.
        migration_id: MigrationId,
        /// The account that was used until now.
        former_account_sid: AccountSid,
        /// The subaccount to use from now on.
        account_sid: AccountSid,
        /// The API key, whose secret was shown once.
        api_key_sid: KeySid,
    },
    /// A phone number was bought.
    #[serde(rename = "number.bought")]
    NumberBought {
        /// The number.
        number_sid: PhoneNumberSid,
        /// In E.164 form.
        phone_number: String,
        /// The subaccount that holds it.
        account_sid: AccountSid,
    },
    /// A phone number went to another account.
    #[serde(rename = "number.transferred")]
    NumberTransferred {
        /// The number.
        number_sid: PhoneNumberSid,
        /// In E.164 form.
        phone_number: String,
        /// The account that held it.
        from: AccountSid,
        /// The account that holds it now.
        to: AccountSid,
        /// Its tenant; none is the main account.
        to_tenant: Option<TenantId>,
    },
    /// A phone number was given back to Twilio.
    #[serde(rename = "number.released")]
    NumberReleased {
        /// The number.
        number_sid: PhoneNumberSid,
        /// In E.164 form.
        phone_number: String,
    },
    /// Money came in.
    #[serde(rename = "wallet.topped_up")]
    WalletToppedUp {
        /// How much.
        #[serde(with = "money::text")]
        amount: Decimal,
        /// Balance after it.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// Promotional credit was given.
    #[serde(rename = "wallet.credited")]
    WalletCredited {
        /// How much.
        #[serde(with = "money::text")]
        amount: Decimal,
        /// Balance after it.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// Paid money was paid back.
    #[serde(rename = "wallet.refunded")]
    WalletRefunded {
        /// How much.
        #[serde(with = "money::text")]
        amount: Decimal,
        /// Balance after it.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// A payment was taken back by the payer's bank.
    #[serde(rename = "wallet.charged_back")]
    WalletChargedBack {
        /// How much.
        #[serde(with = "money::text")]
        amount: Decimal,
        /// Balance after it.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// The operator corrected the balance; negative = against the tenant.
    #[serde(rename = "wallet.adjusted")]
    WalletAdjusted {
        /// How much.
        #[serde(with = "money::text")]
        amount: Decimal,
        /// Balance after it.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// Money came from another tenant, or (negative) went to one.
    #[serde(rename = "wallet.transferred")]
    WalletTransferred {
        /// How much.
        #[serde(with = "money::text")]
        amount: Decimal,
        /// Balance after it.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// A debt was given up.
    #[serde(rename = "wallet.written_off")]
    DebtWrittenOff {
        /// How much.
        #[serde(with = "money::text")]
        amount: Decimal,
        /// Balance after it.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// Auto-recharge asks for money.
    #[serde(rename = "wallet.recharge_requested")]
    RechargeRequested {
        /// Names the request when it is answered.
        request_id: String,
        /// How much.
        #[serde(with = "money::text")]
        amount: Decimal,
        /// Balance at that moment.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// A tenant's price plan changes on a day to come.
    #[serde(rename = "tenant.plan_changed")]
    PlanChanged {
        /// The plan.
        plan_id: String,
        /// Its version.
        version: u32,
        /// First GMT day.
        from: jiff::civil::Date,
    },
    /// What was left of lots that expired is gone.
    #[serde(rename = "wallet.lots_expired")]
    LotsExpired {
        /// How much.
        #[serde(with = "money::text")]
        amount: Decimal,
        /// Balance after it.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// An allowance is used up, or a cap was reached.
    #[serde(rename = "usage.allowance_reached")]
    AllowanceReached {
        /// The billing period's name.
        period: jiff::civil::Date,
        /// The rule.
        rule: String,
        /// `included`, `soft_cap` or `hard_cap`.
        bound: &'static str,
        /// The quantity that it lies at.
        #[serde(with = "money::text")]
        quantity: Decimal,
    },
    /// A day of usage cannot be booked yet.
    #[serde(rename = "usage.held")]
    UsageHeld {
        /// GMT day.
        day: jiff::civil::Date,
        /// Stable code of the cause.
        code: String,
    },
    /// Calls or messages have had no price for more than three days.
    #[serde(rename = "usage.unpriced_overdue")]
    UnpricedOverdue {
        /// GMT day.
        day: jiff::civil::Date,
        /// Their category.
        category: String,
        /// How many.
        count: u64,
    },
    /// A revision of a day so old that it waits for approval.
    #[serde(rename = "usage.correction_waiting")]
    CorrectionWaiting {
        /// GMT day.
        day: jiff::civil::Date,
        /// By how much cost would change.
        #[serde(with = "money::text")]
        cost: Decimal,
        /// By how much charges would change.
        #[serde(with = "money::text")]
        charge: Decimal,
    },
    /// A statement has its number and never changes any more.
    #[serde(rename = "statement.finalized")]
    StatementFinalized {
        /// The billing period's name.
        period: jiff::civil::Date,
        /// The statement's number.
        number: String,
        /// Charges and tax.
        #[serde(with = "money::text")]
        gross: Decimal,
        /// What is to be paid.
        #[serde(with = "money::text")]
        due: Decimal,
        /// Until when.
        due_on: jiff::civil::Date,
    },
    /// What was due of a statement was paid.
    #[serde(rename = "statement.paid")]
    StatementPaid {
        /// The billing period's name.
        period: jiff::civil::Date,
        /// The statement's number.
        number: String,
    },
    /// Twilio's figures of a day and the books do not agree. Where no tenant owns the account, the event's tenant is
    /// the one of all zeros.
    #[serde(rename = "reconciliation.variance_opened")]
    VarianceOpened {
        /// GMT day.
        day: jiff::civil::Date,
        /// The subaccount, if it is known.
        account_sid: Option<AccountSid>,
        /// Stable name of the cause.
        cause: &'static str,
        /// Twilio's figure less what is booked.
        #[serde(with = "money::text")]
        difference: Decimal,
    },
    /// They agree again.
    #[serde(rename = "reconciliation.variance_resolved")]
    VarianceResolved {
        /// GMT day.
        day: jiff::civil::Date,
        /// The subaccount, if it is known.
        account_sid: Option<AccountSid>,
    },
    /// A tenant whose balance is below the floor was reminded.
    #[serde(rename = "tenant.reminded")]
    TenantReminded {
        /// Which reminder, from 1.
        reminder: u8,
        /// Whole days since the balance went below the floor.
        days: i64,
        /// Balance at that moment.
        #[serde(with = "money::text")]
        balance: Decimal,
        /// When it will be suspended; absent for a tenant that is exempt.
        suspends_at: Option<Timestamp>,
    },
    /// A person decided on a tenant's suspension.
    #[serde(rename = "tenant.dunning_changed")]
    DunningChanged {
        /// Who decides on suspending it; absent: the policy.
        exemption: Option<Exemption>,
        /// No `unpaid` hold before then.
        hold_off_until: Option<Timestamp>,
        /// Why.
        reason: String,
    },
    /// A tenant would be suspended now, but a person decides.
    #[serde(rename = "tenant.suspension_due")]
    SuspensionDue {
        /// The hold that would be placed.
        hold: Hold,
        /// Balance at that moment.
        #[serde(with = "money::text")]
        balance: Decimal,
    },
    /// The soft cap of a span was reached.
    #[serde(rename = "spend.soft_cap_reached")]
    SoftCapReached {
        /// `day` or `month`.
        span: &'static str,
        /// Its first day.
        from: jiff::civil::Date,
        /// Charged for its days.
        #[serde(with = "money::text")]
        charged: Decimal,
        /// The cap.
        #[serde(with = "money::text")]
        cap: Decimal,
    },
    /// The hard cap of a span was reached.
    #[serde(rename = "spend.hard_cap_reached")]
    HardCapReached {
        /// `day` or `month`.
        span: &'static str,
        /// Its first day.
        from: jiff::civil::Date,
        /// Charged for its days.
        #[serde(with = "money::text")]
        charged: Decimal,
        /// The cap.
        #[serde(with = "money::text")]
        cap: Decimal,
        /// When the hold ends by itself.
        until: Timestamp,
    },
    /// The span of a hard cap is over, or the cap was raised.
    #[serde(rename = "spend.hard_cap_lifted")]
    HardCapLifted {
        /// `day` or `month`.
        span: &'static str,
        /// Its first day.
        from: jiff::civil::Date,
    },
    /// A tenant is charged much more today than on this day of past weeks.
    #[serde(rename = "spend.velocity_alarm")]
    VelocityAlarm {
        /// GMT day.
        day: jiff::civil::Date,
        /// Charged for it so far.
        #[serde(with = "money::text")]
        charged: Decimal,
        /// The average of the same weekday in the past weeks.
        #[serde(with = "money::text")]
        usual: Decimal,
    },
    /// Calls went to a destination that the plan calls risky.
    #[serde(rename = "spend.high_risk_destination")]
    HighRiskDestination {
        /// GMT day.
        day: jiff::civil::Date,
        /// The prefix, digits only.
        prefix: String,
        /// Calls and messages so far.
        count: u64,
        /// Minutes and message units so far.
        units: u64,
    },
    /// A credit note took a statement back.
    #[serde(rename = "statement.voided")]
    StatementVoided {
        /// The billing period's name.
        period: jiff::civil::Date,
        /// The statement's number.
        number: String,
        /// The credit note's.
        credit_note: String,
    },
}

impl Fact {
    /// Auto-recharge asks for money.
    pub fn recharge_requested(request: &RechargeRequest, balance: Decimal) -> Self {
        Self::RechargeRequested {
            request_id: request.id.clone(),
            amount: request.amount,
            balance,
        }
    }

    /// The event's name: a noun and a past participle.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TenantRequested { .. } => "tenant.requested",
            Self::TenantProvisioned { .. } => "tenant.provisioned",
            Self::TenantProvisioningFailed { .. } => "tenant.provisioning_failed",
            Self::StandingChanged { .. } => "tenant.standing_changed",
            Self::HoldChanged { .. } => "tenant.hold_changed",
            Self::TenantSuspended { .. } => "tenant.suspended",
            Self::TenantReactivated {} => "tenant.reactivated",
            Self::TenantCloseBlocked { .. } => "tenant.close_blocked",
            Self::TenantCloseCancelled {} => "tenant.close_cancelled",
            Self::TenantClosed { .. } => "tenant.closed",
            Self::TenantExported { .. } => "tenant.exported",
            Self::TenantErased {} => "tenant.erased",
            Self::DriftFound { .. } => "drift.found",
            Self::DriftResolved { .. } => "drift.resolved",
            Self::CredentialsRotated { .. } => "credentials.rotated",
            Self::MigrationAdvanced { .. } => "migration.advanced",
            Self::CredentialsReplaced { .. } => "credentials.replaced",
            Self::NumberBought { .. } => "number.bought",
            Self::NumberTransferred { .. } => "number.transferred",
            Self::NumberReleased { .. } => "number.released",
            Self::WalletToppedUp { .. } => "wallet.topped_up",
            Self::WalletCredited { .. } => "wallet.credited",
            Self::WalletRefunded { .. } => "wallet.refunded",
            Self::WalletChargedBack { .. } => "wallet.charged_back",
            Self::WalletAdjusted { .. } => "wallet.adjusted",
            Self::WalletTransferred { .. } => "wallet.transferred",
            Self::DebtWrittenOff { .. } => "wallet.written_off",
            Self::RechargeRequested { .. } => "wallet.recharge_requested",
            Self::PlanChanged { .. } => "tenant.plan_changed",
            Self::LotsExpired { .. } => "wallet.lots_expired",
            Self::AllowanceReached { .. } => "usage.allowance_reached",
            Self::UsageHeld { .. } => "usage.held",
            Self::UnpricedOverdue { .. } => "usage.unpriced_overdue",
            Self::CorrectionWaiting { .. } => "usage.correction_waiting",
            Self::StatementFinalized { .. } => "statement.finalized",
            Self::StatementPaid { .. } => "statement.paid",
            Self::StatementVoided { .. } => "statement.voided",
            Self::TenantReminded { .. } => "tenant.reminded",
            Self::DunningChanged { .. } => "tenant.dunning_changed",
            Self::SuspensionDue { .. } => "tenant.suspension_due",
            Self::SoftCapReached { .. } => "spend.soft_cap_reached",
            Self::HardCapReached { .. } => "spend.hard_cap_reached",
            Self::HardCapLifted { .. } => "spend.hard_cap_lifted",
            Self::VelocityAlarm { .. } => "spend.velocity_alarm",
            Self::HighRiskDestination { .. } => "spend.high_risk_destination",
            Self::VarianceOpened { .. } => "reconciliation.variance_opened",
            Self::VarianceResolved { .. } => "reconciliation.variance_resolved",
        }
    }
}
