//! Closing a tenant: what a person decided, how far it is, and what comes next.
//!
//! The order protects what cannot be brought back: calls end first, usage settles, numbers are rescued or
//! given back as told, the last statement is made, the wallet is emptied, the history is archived; only then is
//! the subaccount closed, which Twilio never takes back.

use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::ids::PhoneNumberSid;
use crate::lots::LotClass;
use crate::wallet::Wallet;

/// Hours of waiting for late usage, unless the caller says otherwise.
pub const SETTLE_HOURS: u16 = 72;
/// At most (two weeks: what the daily pull looks back).
pub const SETTLE_HOURS_MAX: u16 = 14 * 24;

/// What becomes of money that is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remainder {
    /// Paid money is paid back; gifts and fractions of the minor unit are forfeit.
    Refund,
    /// All of it is forfeit.
    Forfeit,
}

/// A step of closing, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosingStep {
    /// The subaccount is suspended and no call is live.
    Silence,
    /// Late usage comes in.
    Settle,
    /// Numbers go to the main account or back to Twilio.
    Numbers,
    /// The last statement is made.
    Statement,
    /// The wallet goes to zero.
    Wallet,
    /// Usage, calls and messages are archived.
    Archive,
    /// The subaccount is closed at Twilio.
    Subaccount,
    /// Its secret is destroyed, after a recovery window.
    Secret,
}

impl ClosingStep {
    /// All steps in order.
    pub const ALL: [Self; 8] = [
        Self::Silence,
        Self::Settle,
        Self::Numbers,
        Self::Statement,
        Self::Wallet,
        Self::Archive,
        Self::Subaccount,
        Self::Secret,
    ];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Settle => "settle",
            Self::Numbers => "numbers",
            Self::Statement => "statement",
            Self::Wallet => "wallet",
            Self::Archive => "archive",
            Self::Subaccount => "subaccount",
            Self::Secret => "secret",
        }
    }

    /// Can a person still change their mind? Behind it numbers have left.
    pub fn can_be_cancelled(self) -> bool {
        self <= Self::Settle
    }
}

/// A closing that was confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// When.
    pub asked_at: Timestamp,
    /// Who: an operator key's id.
    pub actor: String,
    /// Why, for people.
    pub reason: String,
    /// Until when late usage is waited for.
    pub settle_until: Timestamp,
    /// What comes next.
    pub step: ClosingStep,
    /// Numbers that are not listed for release go to the main account.
    pub rescue: bool,
    /// Numbers to give back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub release: Vec<PhoneNumberSid>,
    /// What becomes of money that is left.
    pub remainder: Remainder,
    /// When its service ended: the last statement is made up to here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The last day (GMT) whose history is archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived_through: Option<Date>,
    /// What a person must decide, as `<number>: <stable code>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<String>,
}

/// What is to become of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberPlan {
    /// It goes to the main account.
    Rescue,
    /// It goes back to Twilio.
    Release,
    /// Nobody said: the closing is refused.
    Undecided,
}

impl Closing {
    /// What is to become of a number.
    pub fn plan_of(&self, number: &PhoneNumberSid) -> NumberPlan {
        plan_of(self.rescue, &self.release, number)
    }
}

/// What is to become of a number: what is listed goes back, everything else is rescued, if that is wanted.
pub fn plan_of(rescue: bool, release: &[PhoneNumberSid], number: &PhoneNumberSid) -> NumberPlan {
    if release.contains(number) {
        NumberPlan::Release
    } else if rescue {
        NumberPlan::Rescue
    } else {
        NumberPlan::Undecided
    }
}

/// How a wallet goes to zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Farewell {
    /// Paid back.
    pub refund: Decimal,
    /// Forfeit.
    pub forfeit: Decimal,
    /// Given up.
    pub write_off: Decimal,
}

/// What is paid back, forfeit or written off. The three change the balance to exactly zero.
pub fn farewell(wallet: &Wallet, remainder: Remainder) -> Farewell {
    let balance = wallet.balance();
    if balance <= Decimal::ZERO {
        return Farewell {
            write_off: -balance,
            ..Farewell::default()
        };
    }
    let paid = wallet.funds.total(Some(LotClass::Paid)).min(balance);
    let refund = match remainder {
        Remainder::Refund => paid.trunc_with_scale(wallet.currency.minor_scale()),
        Remainder::Forfeit => Decimal::ZERO,
    };
    Farewell {
        refund,
        forfeit: balance - refund,
        write_off: Decimal::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lots::{Funds, Lot, LotTag};
    use crate::money::Currency;

    fn wallet(paid: Decimal, gift: Decimal, overdraft: Decimal) -> Wallet {
        let lot = |id, class, remaining| Lot {
            tag: LotTag {
                class,
                ..LotTag::paid(id)
            },
            remaining,
        };
        let lots = [
            lot(1, LotClass::Paid, paid),
            lot(2, LotClass::Promotional, gift),
        ];
        let lots = lots.into_iter().filter(|lot| lot.remaining > Decimal::ZERO);
        Wallet {
            funds: Funds::new(lots.collect(), overdraft),
            ..Wallet::new(Currency::USD)
        }
    }

    #[test]
    fn paid_money_is_paid_back_and_gifts_are_not() {
        let wallet = wallet(Decimal::new(10_009, 3), Decimal::from(5), Decimal::ZERO);
        let refunded = farewell(&wallet, Remainder::Refund);
        assert_eq!(refunded.refund, Decimal::new(1_000, 2));
        assert_eq!(refunded.forfeit, Decimal::new(5_009, 3));
        let forfeit = farewell(&wallet, Remainder::Forfeit);
        assert_eq!(forfeit.forfeit, wallet.balance());
        assert_eq!(forfeit.refund, Decimal::ZERO);
    }

    #[test]
    fn a_debt_is_written_off_as_a_whole() {
        let wallet = wallet(Decimal::ZERO, Decimal::ZERO, Decimal::new(31, 1));
        assert_eq!(
            farewell(&wallet, Remainder::Refund).write_off,
            Decimal::new(31, 1)
        );
    }

    #[test]
    fn what_is_listed_goes_back_and_the_rest_is_rescued_or_undecided() {
        let sid = |digit: char| {
            PhoneNumberSid::parse(&format!("PN{}", digit.to_string().repeat(32))).unwrap()
        };
        let release = [sid('1')];
        assert_eq!(plan_of(true, &release, &sid('1')), NumberPlan::Release);
        assert_eq!(plan_of(true, &release, &sid('2')), NumberPlan::Rescue);
        assert_eq!(plan_of(false, &release, &sid('2')), NumberPlan::Undecided);
    }

    proptest! {
        #[test]
        fn a_farewell_empties_the_wallet_exactly(paid in 0_i64..1_000_000, gift in 0_i64..1_000_000, debt in 0_i64..1_000_000, back in any::<bool>()) {
            let debt = if paid + gift > 0 { 0 } else { debt };
            let amount = |units| Decimal::new(units, 4);
            let wallet = wallet(amount(paid), amount(gift), amount(debt));
            let remainder = if back { Remainder::Refund } else { Remainder::Forfeit };
            let out = farewell(&wallet, remainder);
            prop_assert_eq!(wallet.balance() - out.refund - out.forfeit + out.write_off, Decimal::ZERO);
            prop_assert!(out.refund <= wallet.funds.total(Some(LotClass::Paid)));
        }
    }
}
