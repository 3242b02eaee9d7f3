//! Accounts, their status and their API keys.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::traffic::Traffic;
use super::{MAIN, World, after};
use crate::rng::Rng;
use crate::sid::Sid;
use crate::usage::book::Book;
use crate::usage::derived::Life;

/// An account's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Active,
    Suspended,
    Closed,
}

impl Status {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "active" => Some(Self::Active),
            "suspended" => Some(Self::Suspended),
            "closed" => Some(Self::Closed),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Closed => "closed",
        }
    }
}

/// An account with what it owns, by index.
pub(crate) struct Account {
    pub(crate) sid: Sid,
    pub(crate) friendly_name: String,
    pub(crate) status: Status,
    /// Twilio itself suspended it: its parent cannot reactivate it.
    pub(crate) by_twilio: bool,
    pub(crate) token: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) listed_at: Timestamp,
    pub(crate) keys: Vec<usize>,
    pub(crate) calls: Vec<usize>,
    pub(crate) messages: Vec<usize>,
    pub(crate) numbers: Vec<usize>,
    pub(crate) live: BTreeSet<usize>,
    pub(crate) traffic: Option<Traffic>,
    pub(crate) generation: u32,
    pub(crate) drawn: u64,
    pub(crate) usage: Book,
    pub(crate) life: Life,
}

/// What an API key is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// Everything of its account but accounts and keys.
    Standard,
    /// Everything of its account; made in Twilio's Console only.
    Main,
    /// What its policy lists.
    Restricted(Vec<String>),
}

/// An API key.
pub(crate) struct Key {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) kind: KeyKind,
    pub(crate) friendly_name: String,
    pub(crate) secret: String,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) deleted: bool,
}

/// Why a status does not change: Twilio's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StatusRefused {
    Invalid,
    ParentSuspended,
    ParentAccount,
    ByTwilio,
    Closed,
}

impl World {
    /// Adds an account as it is.
    pub(crate) fn open_account(
        &mut self,
        sid: Sid,
        token: String,
        friendly_name: String,
        at: Timestamp,
    ) -> usize {
        let index = self.accounts.len();
        self.accounts.push(Account {
            sid,
            friendly_name,
            status: Status::Active,
            by_twilio: false,
            token,
            created_at: at,
            updated_at: at,
            listed_at: after(at, self.quirks.account_list_lag_ms),
            keys: Vec::new(),
            calls: Vec::new(),
            messages: Vec::new(),
            numbers: Vec::new(),
            live: BTreeSet::new(),
            traffic: None,
            generation: 0,
            drawn: 0,
            usage: Book::default(),
            life: Life::default(),
        });
        self.enter(sid, index);
        index
    }

    /// Creates a subaccount; `None` at Twilio's limit of open ones.
    pub(crate) fn create_subaccount(
        &mut self,
        friendly_name: Option<&str>,
        at: Timestamp,
    ) -> Option<usize> {
        let open = self
            .accounts
            .iter()
            .skip(1)
            .filter(|account| account.status != Status::Closed)
            .count();
        if open >= self.subaccount_limit {
            return None;
        }
        let ordinal = u64::try_from(self.accounts.len()).unwrap_or(u64::MAX);
        let mut rng = Rng::of(self.seed, &[b"subaccount", &ordinal.to_le_bytes()]);
        let sid = Sid::draw("AC", &mut rng);
        let name = friendly_name.map_or_else(
            || format!("SubAccount Created at {}", at.strftime("%Y-%m-%d %I:%M %P")),
            str::to_owned,
        );
        Some(self.open_account(sid, rng.hex(32), name, at))
    }

    /// Changes a subaccount's status as its parent asks.
    pub(crate) fn change_status(
        &mut self,
        account: usize,
        text: &str,
        at: Timestamp,
    ) -> Result<(), StatusRefused> {
        let status = Status::parse(text).ok_or(StatusRefused::Invalid)?;
        if account == MAIN {
            return Err(StatusRefused::ParentAccount);
        }
        let now = &self.accounts[account];
        if now.status == Status::Closed {
            return Err(StatusRefused::Closed);
        }
        if self.accounts[MAIN].status != Status::Active {
            return Err(StatusRefused::ParentSuspended);
        }
        if now.by_twilio && status == Status::Active {
            return Err(StatusRefused::ByTwilio);
        }
        self.accounts[account].status = status;
        self.accounts[account].updated_at = at;
        self.follow_status(account, at);
        if status == Status::Closed {
            self.clear_out(account, at);
        }
        Ok(())
    }

    /// What Twilio itself does to an account.
    pub(crate) fn platform_status(&mut self, account: usize, status: Status, at: Timestamp) {
        let target = &mut self.accounts[account];
        target.status = status;
        target.by_twilio = status == Status::Suspended && account != MAIN;
        target.updated_at = at;
        self.follow_status(account, at);
    }

    fn clear_out(&mut self, account: usize, at: Timestamp) {
        self.stop_traffic(account);
        for call in self.accounts[account].live.clone() {
            self.end_call(at, call, super::calls::CallStatus::Completed);
        }
        for number in self.accounts[account].numbers.clone() {
            self.release_number(number);
        }
        for key in std::mem::take(&mut self.accounts[account].keys) {
            self.keys[key].deleted = true;
        }
    }

    /// Makes an API key.
    pub(crate) fn create_key(
        &mut self,
        account: usize,
        kind: KeyKind,
        friendly_name: &str,
        at: Timestamp,
    ) -> usize {
        let mut rng = self.draw(account);
        let key = Key {
            sid: Sid::draw("SK", &mut rng),
            account,
            kind,
            friendly_name: friendly_name.to_owned(),
            secret: rng.hex(32),
            created_at: at,
            updated_at: at,
            deleted: false,
        };
        let index = self.keys.len();
        self.enter(key.sid, index);
        self.keys.push(key);
        self.accounts[account].keys.push(index);
        index
    }

    /// Deletes an API key.
    pub(crate) fn delete_key(&mut self, key: usize) {
        self.keys[key].deleted = true;
        let owner = self.keys[key].account;
        self.accounts[owner].keys.retain(|held| *held != key);
    }
}
