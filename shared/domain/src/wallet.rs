//! A tenant's wallet: its lots, the sums of its accounts, and the standing that follows from its balance.
//!
//! It is a projection kept beside the entries and written with them in one transaction, conditional on its
//! revision; folding the entries must give the same wallet at any time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::caps::{Charges, Spend};
use crate::dunning::{Dunning, Exemption};
use crate::event::Fact;
use crate::guards::Watched;
use crate::ledger::{Entry, LedgerAccount, LedgerError};
use crate::lots::Funds;
use crate::money::{self, Currency, MoneyError};
use crate::recharge::{Recharge, RechargeRequest};
use crate::standing::{self, Occasion, Standing, StandingPolicy};
use crate::tenant::Hold;

/// A tenant's wallet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wallet {
    /// Currency of everything in it; never changes.
    pub currency: Currency,
    /// The last entry's position.
    pub seq: u64,
    /// Hash of the last entry: the head of the chain.
    pub head: String,
    /// Lots and overdraft.
    pub funds: Funds,
    /// Sum of the postings of each account; those that are zero are left out.
    pub accounts: BTreeMap<LedgerAccount, Decimal>,
    /// How the tenant stands.
    pub standing: Standing,
    /// Grows whenever the standing, a hard cap's state or what a person decided changes; the suspension decision is
    /// conditional on it.
    pub standing_ver: u64,
    /// What a person decided on its suspension.
    pub dunning: Dunning,
    /// Its spend caps, and how far they are used up.
    pub spend: Spend,
    /// Alarms of today that were told.
    pub watched: Watched,
    /// Every GMT day up to this one was read after it ended.
    pub completed_through: Option<Date>,
    /// Auto-recharge.
    pub recharge: Recharge,
    /// Grows with every write, also with one that books nothing; the next write is conditional on it.
    pub rev: u64,
}

/// The wallet after a change, and whether others must hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletChange {
    /// The wallet to write.
    pub wallet: Wallet,
    /// The standing before, if it changed.
    pub standing_before: Option<Standing>,
    /// Money to ask for, if auto-recharge found the balance too low.
    pub recharge: Option<RechargeRequest>,
    /// Reminders and caps that became due or were reached, each with its number.
    pub notices: Vec<(u64, Fact)>,
    /// The next action before, if it changed.
    pub was_due: Option<Option<Timestamp>>,
}

impl Wallet {
    /// A wallet without entries.
    pub fn new(currency: Currency) -> Self {
        Self {
            currency,
            seq: 0,
            head: String::new(),
            funds: Funds::default(),
            accounts: BTreeMap::new(),
            standing: Standing::Low,
            standing_ver: 1,
            dunning: Dunning::default(),
            spend: Spend::default(),
            watched: Watched::default(),
            completed_through: None,
            recharge: Recharge::default(),
            rev: 0,
        }
    }

    /// Adds an entry to the sums; `head` is the entry's hash, which the store computes.
    pub fn post(&self, entry: &Entry) -> Result<Self, LedgerError> {
        entry.check()?;
        if entry.seq != self.seq + 1 {
            return Err(LedgerError::Gap {
                expected: self.seq + 1,
                found: entry.seq,
            });
        }
        if entry.currency != self.currency {
            return Err(MoneyError::CurrencyMismatch.into());
        }
        let mut next = Self {
            seq: entry.seq,
            ..self.clone()
        };
        next.funds.apply(&entry.moves);
        for posting in &entry.postings {
            let sum = next.accounts.entry(posting.account).or_default();
            *sum = money::add(*sum, posting.amount)?;
        }
        next.accounts.retain(|_, sum| !sum.is_zero());
        Ok(next)
    }

    /// Sum of an account's postings.
    pub fn account(&self, account: LedgerAccount) -> Decimal {
        self.accounts.get(&account).copied().unwrap_or_default()
    }

    /// What is left of all lots, less the overdraft.
    pub fn balance(&self) -> Decimal {
        self.funds.balance()
    }

    /// Charged so far.
    pub fn charged(&self) -> Decimal {
        self.account(LedgerAccount::Revenue)
    }

    /// Twilio's cost so far.
    pub fn cost(&self) -> Decimal {
        self.account(LedgerAccount::PayableTwilio)
    }

    /// Paid in so far, less what was paid back.
    pub fn paid_in(&self) -> Decimal {
        -self.account(LedgerAccount::Cash)
    }

    /// Evaluates the standing, caps and auto-recharge at `now`.
    pub fn settle(
        self,
        policy: &StandingPolicy,
        occasion: Occasion,
        now: Timestamp,
    ) -> WalletChange {
        self.settle_charges(policy, occasion, None, now)
    }

    /// The same behind a booking of usage, which charged this much for the spans of now.
    pub fn settle_charges(
        mut self,
        policy: &StandingPolicy,
        occasion: Occasion,
        charges: Option<&Charges>,
        now: Timestamp,
    ) -> WalletChange {
        let before = self.standing;
        let balance = self.balance();
        self.standing = standing::evaluate(before, balance, policy, &self.dunning, occasion, now);
        let changed = self.standing.name() != before.name();
        if changed {
            self.standing_ver += 1;
            let by_itself = occasion == Occasion::Other && !self.dunning.is_held_off(now);
            if before.is_unpaid() || self.standing.is_unpaid() {
                let is_released = before.is_unpaid() && by_itself;
                self.dunning.released_at = is_released.then_some(now);
            }
        }
        let mut notices = self.reminders(before, policy, now);
        for fact in self.spend.settle(charges, now) {
            self.standing_ver += 1;
            notices.push((self.standing_ver, fact));
        }
        let next_action_at = self.next_action_at(policy);
        let was_due = self.dunning.next_action_at;
        self.dunning.next_action_at = next_action_at;
        let recharge = self.recharge.evaluate(balance, self.currency, now);
        WalletChange {
            wallet: self,
            standing_before: changed.then_some(before),
            recharge,
            notices,
            was_due: (was_due != next_action_at).then_some(was_due),
        }
    }

    /// Reminders that are due and were not before.
    fn reminders(
        &mut self,
        before: Standing,
        policy: &StandingPolicy,
        now: Timestamp,
    ) -> Vec<(u64, Fact)> {
        let Some((since, reminded)) = self.standing.arrears() else {
            return Vec::new();
        };
        // Behind an `unpaid` hold that a person put off, all are as good as sent.
        let sent = match before {
            Standing::Unpaid { .. } => reminded,
            _ => before.arrears().map_or(0, |(_, sent)| sent),
        };
        let suspends_at = standing::suspends_at(since, policy, &self.dunning);
        let balance = self.balance();
        let due = sent..reminded;
        let notices = due.map(|index| {
            self.standing_ver += 1;
            let fact = Fact::TenantReminded {
                reminder: index + 1,
                days: now.duration_since(since).as_hours() / 24,
                balance,
                suspends_at: self.dunning.exemption.is_none().then_some(suspends_at),
            };
            (self.standing_ver, fact)
        });
        notices.collect()
    }

    /// When time alone could change the standing or lift a cap's hold.
    pub fn next_action_at(&self, policy: &StandingPolicy) -> Option<Timestamp> {
        let balance = self.balance();
        let standing = self.standing.next_action_at(balance, policy, &self.dunning);
        standing
            .into_iter()
            .chain(self.spend.next_action_at())
            .min()
    }

    /// Must this hold stand? Only of those that follow from the wallet; an exempt tenant has none of them.
    pub fn calls_for(&self, hold: Hold) -> bool {
        let is_due = match hold {
            Hold::Unpaid => self.standing.is_unpaid(),
            Hold::SpendCap => self.spend.is_capped(),
            Hold::Fraud | Hold::Operator | Hold::Compliance | Hold::Closing => false,
        };
        is_due && self.dunning.exemption.is_none()
    }
}

impl WalletChange {
    /// A wallet whose standing is not evaluated.
    pub fn unsettled(wallet: Wallet) -> Self {
        Self {
            wallet,
            standing_before: None,
            recharge: None,
            notices: Vec::new(),
            was_due: None,
        }
    }

    /// Is there anything to write besides what was written?
    pub fn is_news(&self) -> bool {
        self.standing_before.is_some()
            || self.recharge.is_some()
            || !self.notices.is_empty()
            || self.was_due.is_some()
    }

    /// What became true besides the money, each with its number.
    pub fn facts(&self) -> Vec<(u64, Fact)> {
        let balance = self.wallet.balance();
        let mut facts = Vec::new();
        if let Some(before) = self.standing_before {
            let fact = Fact::StandingChanged {
                from: before.name().to_owned(),
                to: self.wallet.standing.name().to_owned(),
                balance,
            };
            let ver = self.wallet.standing_ver;
            // Those that followed have higher numbers.
            let first = self.notices.first().map_or(ver, |(first, _)| first - 1);
            facts.push((first, fact));
        }
        facts.extend(self.notices.iter().cloned());
        facts.extend(self.due_holds());
        if let Some(request) = &self.recharge {
            let fact = Fact::recharge_requested(request, balance);
            facts.push((self.wallet.recharge.issued, fact));
        }
        facts
    }

    /// Holds that would be placed now, if no person had to decide on them.
    fn due_holds(&self) -> impl Iterator<Item = (u64, Fact)> {
        let asks = self.wallet.dunning.exemption == Some(Exemption::ManualOnly);
        let is_unpaid = self.standing_before.is_some() && self.wallet.standing.is_unpaid();
        let is_capped = |(_, fact): &(u64, Fact)| matches!(fact, Fact::HardCapReached { .. });
        let due = [
            (Hold::Unpaid, is_unpaid),
            (Hold::SpendCap, self.notices.iter().any(is_capped)),
        ];
        let (seq, balance) = (self.wallet.standing_ver, self.wallet.balance());
        due.into_iter()
            .filter(move |(_, is_due)| *is_due && asks)
            .map(move |(hold, _)| (seq, Fact::SuspensionDue { hold, balance }))
    }

    /// When time alone may change the standing, if no timer is set for it yet.
    pub fn timer_at(&self, now: Timestamp) -> Option<Timestamp> {
        let at = self.wallet.dunning.next_action_at;
        let is_open = self.was_due.is_some() || self.wallet.standing.is_unpaid();
        at.filter(|at| is_open && *at > now)
    }
}

/// Recomputes a wallet from its entries, in order: the proof that the kept one is right.
pub fn fold(
    currency: Currency,
    entries: impl IntoIterator<Item = Entry>,
) -> Result<Wallet, LedgerError> {
    entries
        .into_iter()
        .try_fold(Wallet::new(currency), |wallet, entry| wallet.post(&entry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{EntryKind, postings};
    use crate::lots::LotTag;

    fn top_up(seq: u64, amount: i64) -> Entry {
        let amount = Decimal::from(amount);
        let mut funds = Funds::default();
        funds.pay_in(amount, LotTag::paid(seq));
        let moves = funds.moves_since(&Funds::default());
        Entry {
            seq,
            kind: EntryKind::TopUp,
            actor: "test".into(),
            reason: "test".into(),
            at: Timestamp::UNIX_EPOCH,
            currency: Currency::USD,
            postings: postings(&moves, &[(LedgerAccount::Cash, -amount)]),
            moves,
            lines: Vec::new(),
            periods: Vec::new(),
            statement: None,
            natural_key: None,
        }
    }

    #[test]
    fn a_wallet_is_the_fold_of_its_entries() {
        let wallet = fold(Currency::USD, [top_up(1, 20), top_up(2, 5)]).unwrap();
        assert_eq!(
            (wallet.balance(), wallet.paid_in(), wallet.seq),
            (Decimal::from(25), Decimal::from(25), 2)
        );
        assert_eq!(wallet.funds.lots().len(), 2);
    }

    #[test]
    fn gaps_and_other_currencies_are_refused() {
        assert_eq!(
            fold(Currency::USD, [top_up(2, 20)]),
            Err(LedgerError::Gap {
                expected: 1,
                found: 2
            })
        );
        assert!(fold(Currency::parse("EUR").unwrap(), [top_up(1, 20)]).is_err());
    }

    #[test]
    fn the_standing_version_moves_only_when_the_standing_does() {
        let policy = StandingPolicy::default();
        let wallet = fold(Currency::USD, [top_up(1, 20)]).unwrap();
        let change = wallet.settle(&policy, Occasion::Payment, Timestamp::UNIX_EPOCH);
        assert_eq!(
            (
                change.wallet.standing,
                change.wallet.standing_ver,
                change.standing_before
            ),
            (Standing::Good, 2, Some(Standing::Low))
        );
        let again = change
            .wallet
            .settle(&policy, Occasion::Other, Timestamp::UNIX_EPOCH);
        assert_eq!(
            (again.wallet.standing_ver, again.standing_before),
            (2, None)
        );
    }
}
