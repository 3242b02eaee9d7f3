//! Lots and overdraft: section 7.

use jiff::{SignedDuration, Timestamp};
use rust_decimal::Decimal;

/// A credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// Number of the entry that opened it.
    pub id: u64,
    /// Given, not paid.
    pub is_promotional: bool,
    /// Lower ones first.
    pub priority: u8,
    /// Pays from then on.
    pub from: Option<Timestamp>,
    /// Pays until then.
    pub until: Option<Timestamp>,
    /// What is left.
    pub left: Decimal,
}

/// Who paid something: lots, or overdraft (0).
pub type Paid = Vec<(Lot, Decimal)>;

/// What a tenant has and owes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Funds {
    /// Lots with something left.
    pub lots: Vec<Lot>,
    /// What is owed.
    pub overdraft: Decimal,
}

/// A lot that was paid in.
pub fn paid_lot(id: u64) -> Lot {
    Lot {
        id,
        is_promotional: false,
        priority: 5,
        from: None,
        until: None,
        left: Decimal::ZERO,
    }
}

impl Funds {
    /// Balance.
    pub fn balance(&self) -> Decimal {
        self.lots.iter().map(|lot| lot.left).sum::<Decimal>() - self.overdraft
    }

    /// Sum of paid lots.
    pub fn paid(&self) -> Decimal {
        let paid = self.lots.iter().filter(|lot| !lot.is_promotional);
        paid.map(|lot| lot.left).sum()
    }

    fn put(&mut self, lot: &Lot, amount: Decimal) {
        match self.lots.iter_mut().find(|known| known.id == lot.id) {
            Some(known) => known.left += amount,
            None => self.lots.push(Lot {
                left: amount,
                ..lot.clone()
            }),
        }
        self.lots.retain(|lot| !lot.left.is_zero());
    }

    /// Takes from the lots that may pay at a moment; the rest is overdraft.
    pub fn spend(&mut self, amount: Decimal, at: Timestamp) -> Paid {
        let mut turns: Vec<Lot> = self.lots.clone();
        turns.retain(|lot| {
            lot.until.is_none_or(|until| at < until) && lot.from.is_none_or(|from| at >= from)
        });
        turns.sort_by_key(|lot| {
            let until = lot.until.unwrap_or(Timestamp::MAX);
            (lot.priority, until, !lot.is_promotional, lot.id)
        });
        self.take(&turns, amount)
    }

    fn take(&mut self, turns: &[Lot], amount: Decimal) -> Paid {
        let (mut left, mut paid) = (amount, Paid::new());
        for lot in turns {
            let part = lot.left.min(left);
            if part > Decimal::ZERO {
                self.put(lot, -part);
                paid.push((lot.clone(), part));
                left -= part;
            }
        }
        if left > Decimal::ZERO {
            self.overdraft += left;
            paid.push((paid_lot(0), left));
        }
        paid
    }

    /// Paid lots, the newest first.
    pub fn newest_paid(&self) -> Vec<Lot> {
        let mut turns: Vec<Lot> = self
            .lots
            .iter()
            .filter(|lot| !lot.is_promotional)
            .cloned()
            .collect();
        turns.sort_by_key(|lot| std::cmp::Reverse(lot.id));
        turns
    }

    /// Pays out of paid lots, the newest first.
    pub fn take_out(&mut self, amount: Decimal) {
        let turns = self.newest_paid();
        self.take(&turns, amount);
    }

    /// Money comes in: what is owed first.
    pub fn pay_in(&mut self, amount: Decimal, lot: &Lot) {
        let settled = amount.min(self.overdraft);
        self.overdraft -= settled;
        if amount > settled {
            self.put(lot, amount - settled);
        }
    }

    /// A gift leaves what is owed alone.
    pub fn give(&mut self, amount: Decimal, lot: &Lot) {
        self.put(lot, amount);
    }

    /// Gives back to who paid, the newest part first.
    pub fn give_back(&mut self, amount: Decimal, paid: &mut Paid, entry: u64) {
        let mut left = amount;
        while left > Decimal::ZERO {
            let Some((lot, part)) = paid.pop() else {
                self.pay_in(left, &paid_lot(entry));
                return;
            };
            let back = part.min(left);
            left -= back;
            if lot.id == 0 {
                self.pay_in(back, &paid_lot(entry));
            } else {
                self.put(&lot, back);
            }
            if part > back {
                paid.push((lot, part - back));
            }
        }
    }

    /// What is over since four days goes: paid and promotional.
    pub fn expire(&mut self, now: Timestamp) -> (Decimal, Decimal) {
        let four_days = SignedDuration::from_hours(96);
        let (mut paid, mut given) = (Decimal::ZERO, Decimal::ZERO);
        self.lots.retain(|lot| {
            let over = lot.until.is_some_and(|until| until + four_days <= now);
            if over && lot.is_promotional {
                given += lot.left;
            } else if over {
                paid += lot.left;
            }
            !over
        });
        (paid, given)
    }
}
