//! Accounts, their status and their API keys.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::monitor::Done;
use super::tokens::{RetiredToken, SecondaryToken};
use super::traffic::Traffic;
use super::{Event, MAIN, World, after};
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
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) sid: Sid,
    pub(crate) friendly_name: String,
    pub(crate) status: Status,
    /// Twilio itself suspended it: its parent cannot reactivate it.
    pub(crate) by_twilio: bool,
    /// The primary auth token.
    pub(crate) token: String,
    pub(crate) token_set_at: Timestamp,
    pub(crate) secondary: Option<SecondaryToken>,
    pub(crate) retired: Option<RetiredToken>,
    /// What the account pays less than the list prices.
    pub(crate) discount_per_mille: u32,
    /// Closed long enough: nothing finds it any more.
    pub(crate) deleted: bool,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) listed_at: Timestamp,
    pub(crate) keys: Vec<usize>,
    pub(crate) calls: Vec<usize>,
    pub(crate) messages: Vec<usize>,
    pub(crate) numbers: Vec<usize>,
    pub(crate) services: Vec<usize>,
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

impl KeyKind {
    /// Whether a restricted key's policy lists a permission, by itself or with all of its resource's.
    pub(crate) fn permits(&self, permission: &str) -> bool {
        let Self::Restricted(policy) = self else {
            return true;
        };
        let resource = permission.rsplit_once('/').map(|(resource, _)| resource);
        policy.iter().any(|allowed| {
            allowed == permission
                || allowed
                    .strip_suffix("/*")
                    .is_some_and(|whole| resource == Some(whole))
        })
    }
}

/// An API key.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) sid: Sid,
    pub(crate) account: usize,
    pub(crate) kind: KeyKind,
    pub(crate) friendly_name: Option<String>,
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
            token_set_at: at,
            secondary: None,
            retired: None,
            discount_per_mille: 0,
            deleted: false,
            created_at: at,
            updated_at: at,
            listed_at: after(at, self.quirks.account_list_lag_ms),
            keys: Vec::new(),
            calls: Vec::new(),
            messages: Vec::new(),
            numbers: Vec::new(),
            services: Vec::new(),
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
        // The main account is no subaccount, and closed ones do not count.
        let open = self.accounts.len() - 1 - self.closed;
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
            self.closed += 1;
            self.clear_out(account, at);
            let span = self.pace.account_deletion_ms;
            let closed_for = self.account_rng(b"deletion", account).within(span);
            self.push_in(at, closed_for, Event::AccountDeletion { account });
        }
        Ok(())
    }

    /// What Twilio itself does to an account.
    pub(crate) fn platform_status(&mut self, account: usize, status: Status, at: Timestamp) {
        let target = &mut self.accounts[account];
        let previous = target.status;
        target.status = status;
        target.by_twilio = status == Status::Suspended && account != MAIN;
        target.updated_at = at;
        let sid = target.sid;
        self.audit(Done {
            event_type: "account.updated".to_owned(),
            resource: Some(sid),
            resource_url: account_url(sid),
            changes: Some(format!(
                r#"{{"status":{{"previous":"{}","updated":"{}"}}}}"#,
                previous.as_str(),
                status.as_str()
            )),
            ..Done::by_twilio("twilio-admin", at)
        });
        self.follow_status(account, at);
    }

    /// Deletes an account that was closed long enough: its SID leads nowhere from now on.
    pub(super) fn delete_account(&mut self, at: Timestamp, account: usize) {
        self.accounts[account].deleted = true;
        let sid = self.accounts[account].sid;
        self.audit(Done {
            event_type: "account.deleted".to_owned(),
            resource: Some(sid),
            resource_url: account_url(sid),
            ..Done::by_twilio("twilio", at)
        });
    }

    /// The account with this SID, unless it was deleted.
    pub(crate) fn account(&self, sid: &str) -> Option<usize> {
        self.find("AC", sid)
            .filter(|account| !self.accounts[*account].deleted)
    }

    /// A generator for what happens to an account itself, apart from those of what it makes.
    pub(super) fn account_rng(&self, purpose: &[u8], account: usize) -> Rng {
        let owner = &self.accounts[account];
        let set_at = owner.token_set_at.as_microsecond().to_le_bytes();
        Rng::of(self.seed, &[purpose, owner.sid.bytes(), &set_at])
    }

    /// What an account pays of a list price.
    pub(crate) fn discounted(&self, account: usize, list_price: i64) -> i64 {
        let off = i64::from(self.accounts[account].discount_per_mille);
        list_price - list_price / 1000 * off
    }

    /// What closing takes from an account: traffic, calls, numbers, keys and services.
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
        for service in std::mem::take(&mut self.accounts[account].services) {
            self.services[service].deleted = true;
        }
    }

    /// Makes an API key.
    pub(crate) fn create_key(
        &mut self,
        account: usize,
        kind: KeyKind,
        friendly_name: Option<&str>,
        at: Timestamp,
    ) -> usize {
        let mut rng = self.draw(account);
        let key = Key {
            sid: Sid::draw("SK", &mut rng),
            account,
            kind,
            friendly_name: friendly_name.map(str::to_owned),
            secret: rng.alphanumeric(32),
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

fn account_url(sid: Sid) -> String {
    format!("https://api.twilio.com/2010-04-01/Accounts/{sid}")
}
