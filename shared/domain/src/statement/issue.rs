//! Making a statement final, and taking it back: the entries that book tax and rounding.

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::{CreditNote, Document, Header, State, Totals};
use crate::event::Fact;
use crate::ledger::{Entry, EntryKind, LedgerAccount, LedgerError, postings};
use crate::lots::LotTag;
use crate::standing::{Occasion, StandingPolicy};
use crate::wallet::{Wallet, WalletChange};

/// A statement that becomes final.
#[derive(Debug, Clone)]
pub struct Issue {
    /// The header as it becomes.
    pub header: Header,
    /// Tax and rounding, if there is any.
    pub entry: Option<Entry>,
    /// The wallet as it becomes, if there is an entry.
    pub change: Option<WalletChange>,
}

/// A statement that becomes void.
pub type Voiding = Issue;

/// Makes a closing statement final. What was due of nothing is paid at once.
pub fn finalize(
    header: &Header,
    mut document: Document,
    wallet: &Wallet,
    policy: &StandingPolicy,
) -> Result<Issue, LedgerError> {
    let totals = document.totals;
    let amount = totals.tax + totals.rounding();
    let (now, number) = (document.issued_at, document.number.clone());
    let sides = sides(&totals, Decimal::ONE);
    let booked = book(
        header,
        EntryKind::Statement,
        &number,
        "invoicer",
        &sides,
        amount,
        (now, header.end),
        wallet,
    )?;
    let change = settled(
        booked.as_ref().map(|(_, wallet)| wallet.clone()),
        policy,
        now,
    );
    document.entry = booked.as_ref().map(|(entry, _)| entry.seq);
    let is_paid = totals.due.is_zero();
    document.paid_at = is_paid.then_some(now);
    let header = Header {
        state: if is_paid { State::Paid } else { State::Final },
        document: Some(document),
        ..header.clone()
    };
    Ok(Issue {
        header,
        entry: booked.map(|(entry, _)| entry),
        change,
    })
}

/// Takes a final statement back; its period is then stated again, with the same bounds.
pub fn void(
    header: &Header,
    note: CreditNote,
    wallet: &Wallet,
    policy: &StandingPolicy,
) -> Result<Option<Voiding>, LedgerError> {
    let Some(document) = header.document.clone() else {
        return Ok(None);
    };
    let totals = document.totals;
    let amount = -(totals.tax + totals.rounding());
    let sides = sides(&totals, Decimal::NEGATIVE_ONE);
    let (now, number, actor) = (note.at, note.number.clone(), note.actor.clone());
    let booked = book(
        header,
        EntryKind::CreditNote,
        &number,
        &actor,
        &sides,
        amount,
        (now, now),
        wallet,
    )?;
    let change = settled(
        booked.as_ref().map(|(_, wallet)| wallet.clone()),
        policy,
        now,
    );
    let document = Document {
        credit_note: Some(note),
        ..document
    };
    Ok(Some(Issue {
        header: Header {
            state: State::Void,
            document: Some(document),
            ..header.clone()
        },
        entry: booked.map(|(entry, _)| entry),
        change,
    }))
}

fn sides(totals: &Totals, sign: Decimal) -> [(LedgerAccount, Decimal); 2] {
    [
        (LedgerAccount::Tax, sign * totals.tax),
        (LedgerAccount::Rounding, sign * totals.rounding()),
    ]
}

fn settled(
    wallet: Option<Wallet>,
    policy: &StandingPolicy,
    now: Timestamp,
) -> Option<WalletChange> {
    wallet.map(|wallet| wallet.settle(policy, Occasion::Other, now))
}

/// The entry that takes an amount from the wallet, or pays it in if it is below zero. None for nothing.
#[expect(clippy::too_many_arguments, reason = "the parts of one entry")]
fn book(
    header: &Header,
    kind: EntryKind,
    number: &str,
    actor: &str,
    against: &[(LedgerAccount, Decimal)],
    amount: Decimal,
    (now, event_time): (Timestamp, Timestamp),
    wallet: &Wallet,
) -> Result<Option<(Entry, Wallet)>, LedgerError> {
    if against.iter().all(|(_, amount)| amount.is_zero()) {
        return Ok(None);
    }
    let seq = wallet.seq + 1;
    let mut funds = wallet.funds.clone();
    if amount.is_sign_negative() {
        funds.pay_in(-amount, LotTag::paid(seq));
    } else {
        funds.spend(amount, event_time);
    }
    let moves = funds.moves_since(&wallet.funds);
    let entry = Entry {
        seq,
        kind,
        actor: actor.to_owned(),
        reason: number.to_owned(),
        at: now,
        currency: wallet.currency,
        postings: postings(&moves, against),
        moves,
        lines: Vec::new(),
        periods: Vec::new(),
        statement: Some(header.period),
        natural_key: None,
    };
    let posted = wallet.post(&entry)?;
    Ok(Some((entry, posted)))
}

impl Issue {
    /// What became true.
    pub fn fact(&self) -> Option<Fact> {
        let document = self.header.document.as_ref()?;
        Some(match &document.credit_note {
            Some(note) => Fact::StatementVoided {
                period: self.header.period,
                number: document.number.clone(),
                credit_note: note.number.clone(),
            },
            None => Fact::StatementFinalized {
                period: self.header.period,
                number: document.number.clone(),
                gross: document.totals.gross,
                due: document.totals.due,
                due_on: document.due_on,
            },
        })
    }
}
