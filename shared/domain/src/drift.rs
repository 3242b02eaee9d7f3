//! Drift: what Twilio has against what our rows say, found by comparing both once an hour.
//!
//! Somebody may change a subaccount in Twilio's console, Twilio itself may suspend one, a create may land
//! late. What is found is told once; what is told already is not acted upon again, so nothing loops.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AccountSid, TenantId};
use crate::tenant::{Lifecycle, Tenant, TwilioStatus};

/// New findings of one comparison: each is told by an event, and a transaction has 100 parts. What is over is
/// new again for the next comparison.
const OPENED_MAX: usize = 60;
/// Findings that are gone, likewise; what is over stands until the next comparison.
const RESOLVED_MAX: usize = 30;
/// Findings that are kept: a row holds 400 KB.
const FINDINGS_MAX: usize = 500;

/// What differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// The main account itself is not active: Twilio lets no subaccount change.
    MainAccountInactive,
    /// A subaccount has another status than we gave it.
    StatusChanged,
    /// A subaccount was closed without us.
    ClosedAtTwilio,
    /// A tenant's subaccount is not listed any more.
    Missing,
    /// A subaccount has another name: it would not be found by it.
    Renamed,
    /// A second subaccount of a tenant's name: a create that landed late.
    Surplus,
}

impl DriftKind {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::MainAccountInactive => "main_account_inactive",
            Self::StatusChanged => "status_changed",
            Self::ClosedAtTwilio => "closed_at_twilio",
            Self::Missing => "missing",
            Self::Renamed => "renamed",
            Self::Surplus => "surplus",
        }
    }
}

/// A subaccount as Twilio lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenAccount {
    /// Its SID.
    pub account_sid: AccountSid,
    /// Its name.
    pub friendly_name: String,
    /// Its status, if it is one that we know.
    pub status: Option<TwilioStatus>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What differs.
    pub kind: DriftKind,
    /// Where.
    pub account_sid: AccountSid,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// What Twilio has.
    pub seen: String,
    /// What our row says.
    pub expected: String,
    /// When it was found first.
    pub since: Timestamp,
}

impl Finding {
    fn key(&self) -> (DriftKind, &AccountSid) {
        (self.kind, &self.account_sid)
    }
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Differences of tenants' subaccounts.
    pub findings: Vec<Finding>,
    /// Open subaccounts that nobody owns.
    pub unowned: Vec<AccountSid>,
}

/// Compares all subaccounts with all tenants. A tenant that is being worked on is left alone.
pub fn survey(seen: &[SeenAccount], tenants: &[Tenant], now: Timestamp) -> Survey {
    let accounts: BTreeMap<&AccountSid, &SeenAccount> = seen
        .iter()
        .map(|account| (&account.account_sid, account))
        .collect();
    let mut found = Survey::default();
    for tenant in tenants {
        let account = tenant
            .account_sid
            .as_ref()
            .and_then(|sid| accounts.get(sid));
        found
            .findings
            .extend(of_tenant(tenant, account.copied(), now));
    }
    let owned: BTreeSet<&AccountSid> = tenants
        .iter()
        .filter_map(|tenant| tenant.account_sid.as_ref())
        .collect();
    let owners: BTreeMap<&str, &Tenant> = tenants
        .iter()
        .map(|tenant| (tenant.id.as_str(), tenant))
        .collect();
    let open = seen
        .iter()
        .filter(|account| account.status != Some(TwilioStatus::Closed));
    for account in open.filter(|account| !owned.contains(&account.account_sid)) {
        let named = account.friendly_name.split(' ').next().unwrap_or_default();
        match owners.get(named) {
            // Its provisioning has not bound it yet, and will.
            Some(tenant) if tenant.account_sid.is_none() => {}
            Some(tenant) => found.findings.push(Finding {
                kind: DriftKind::Surplus,
                account_sid: account.account_sid.clone(),
                tenant: Some(tenant.id.clone()),
                seen: account.friendly_name.clone(),
                expected: tenant
                    .account_sid
                    .as_ref()
                    .map(AccountSid::to_string)
                    .unwrap_or_default(),
                since: now,
            }),
            None => found.unowned.push(account.account_sid.clone()),
        }
    }
    found
}

fn of_tenant(tenant: &Tenant, account: Option<&SeenAccount>, now: Timestamp) -> Vec<Finding> {
    let in_service = matches!(
        tenant.lifecycle,
        Lifecycle::Active | Lifecycle::Closing | Lifecycle::CloseBlocked
    );
    let Some(account_sid) = tenant.account_sid.as_ref().filter(|_| in_service) else {
        return Vec::new();
    };
    let finding = |kind, seen: &str, expected: &str| Finding {
        kind,
        account_sid: account_sid.clone(),
        tenant: Some(tenant.id.clone()),
        seen: seen.to_owned(),
        expected: expected.to_owned(),
        since: now,
    };
    let wanted = tenant.desired_status();
    let Some(account) = account else {
        return vec![finding(DriftKind::Missing, "", wanted.name())];
    };
    let mut found = Vec::new();
    match account.status {
        // A closing closes it last, and writes so moments later.
        Some(TwilioStatus::Closed) if tenant.lifecycle == Lifecycle::Closing => {}
        Some(TwilioStatus::Closed) => {
            found.push(finding(DriftKind::ClosedAtTwilio, "closed", wanted.name()));
        }
        // What is not settled is being worked on.
        Some(status) if tenant.twilio_status == Some(wanted) && status != wanted => {
            found.push(finding(
                DriftKind::StatusChanged,
                status.name(),
                wanted.name(),
            ));
        }
        _ => {}
    }
    if account.friendly_name != tenant.friendly_name {
        let (seen, expected) = (&account.friendly_name, &tenant.friendly_name);
        found.push(finding(DriftKind::Renamed, seen, expected));
    }
    found
}

/// What is new and what is gone since the last comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// All that stands now, with the moment it was found first.
    pub standing: Vec<Finding>,
    /// What was not there before.
    pub opened: Vec<Finding>,
    /// What is not there any more.
    pub resolved: Vec<Finding>,
}

/// Holds what was found against what was known.
pub fn change(known: &[Finding], found: Vec<Finding>) -> Change {
    let before: BTreeMap<_, _> = known.iter().map(|one| (one.key(), one.since)).collect();
    let seen: BTreeSet<(DriftKind, AccountSid)> = found
        .iter()
        .map(|one| (one.kind, one.account_sid.clone()))
        .collect();
    let (mut standing, mut opened) = (Vec::new(), Vec::new());
    for mut one in found {
        match before.get(&one.key()) {
            Some(since) => one.since = *since,
            None if opened.len() < OPENED_MAX && standing.len() < FINDINGS_MAX => {
                opened.push(one.clone());
            }
            None => continue,
        }
        standing.push(one);
    }
    let gone = known
        .iter()
        .filter(|one| !seen.contains(&(one.kind, one.account_sid.clone())));
    let mut resolved: Vec<Finding> = gone.cloned().collect();
    standing.extend(resolved.split_off(resolved.len().min(RESOLVED_MAX)));
    Change {
        standing,
        opened,
        resolved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ulid;
    use crate::tenant::tests::tenant;

    fn sid(digit: char) -> AccountSid {
        AccountSid::parse(&format!("AC{}", digit.to_string().repeat(32))).unwrap()
    }

    fn known(digit: char, lifecycle: Lifecycle) -> Tenant {
        Tenant {
            id: TenantId::from_ulid(ulid(1, u128::from(u32::from(digit)))),
            account_sid: Some(sid(digit)),
            friendly_name: format!("name {digit}"),
            lifecycle,
            twilio_status: Some(TwilioStatus::Active),
            ..tenant()
        }
    }

    fn seen(digit: char, name: &str, status: TwilioStatus) -> SeenAccount {
        SeenAccount {
            account_sid: sid(digit),
            friendly_name: name.to_owned(),
            status: Some(status),
        }
    }

    fn kinds(seen: &[SeenAccount], tenants: &[Tenant]) -> Vec<(DriftKind, AccountSid)> {
        let survey = survey(seen, tenants, Timestamp::UNIX_EPOCH);
        let found = survey.findings.into_iter();
        found.map(|one| (one.kind, one.account_sid)).collect()
    }

    #[test]
    fn a_status_name_or_account_that_is_not_as_our_row_says_is_found() {
        let tenants = ['1', '2', '3', '4', '5'].map(|digit| known(digit, Lifecycle::Active));
        let accounts = [
            seen('1', "name 1", TwilioStatus::Active),
            seen('2', "name 2", TwilioStatus::Suspended),
            seen('3', "name 3", TwilioStatus::Closed),
            seen('4', "another", TwilioStatus::Active),
        ];
        let expected = [
            (DriftKind::StatusChanged, sid('2')),
            (DriftKind::ClosedAtTwilio, sid('3')),
            (DriftKind::Renamed, sid('4')),
            (DriftKind::Missing, sid('5')),
        ];
        assert_eq!(kinds(&accounts, &tenants), expected);
    }

    #[test]
    fn what_is_being_worked_on_is_left_alone() {
        let mut unsettled = known('1', Lifecycle::Active);
        unsettled.twilio_status = None;
        let closing = known('2', Lifecycle::Closing);
        let closed = known('3', Lifecycle::Closed);
        let mut provisioning = known('4', Lifecycle::Provisioning);
        provisioning.account_sid = None;
        let late = format!("{} Acme", provisioning.id);
        let accounts = [
            seen('1', "name 1", TwilioStatus::Suspended),
            seen('2', "name 2", TwilioStatus::Closed),
            seen('4', &late, TwilioStatus::Active),
        ];
        let tenants = [unsettled, closing, closed, provisioning];
        assert_eq!(kinds(&accounts, &tenants), []);
    }

    #[test]
    fn a_second_account_of_a_tenants_name_is_surplus_and_others_are_unowned() {
        let tenant = known('1', Lifecycle::Active);
        let accounts = [
            seen('1', "name 1", TwilioStatus::Active),
            seen('2', &format!("{} Acme", tenant.id), TwilioStatus::Active),
            seen('3', "somebody's", TwilioStatus::Active),
            seen('4', "gone", TwilioStatus::Closed),
        ];
        let found = survey(&accounts, &[tenant], Timestamp::UNIX_EPOCH);
        assert_eq!(found.unowned, [sid('3')]);
        assert_eq!(found.findings.len(), 1);
        assert_eq!(found.findings[0].kind, DriftKind::Surplus);
    }

    #[test]
    fn what_has_no_room_is_new_or_gone_at_the_next_comparison() {
        let finding = |number: usize| Finding {
            kind: DriftKind::Missing,
            account_sid: AccountSid::parse(&format!("AC{number:032x}")).unwrap(),
            tenant: None,
            seen: String::new(),
            expected: String::new(),
            since: Timestamp::UNIX_EPOCH,
        };
        let all: Vec<Finding> = (0..100).map(finding).collect();
        let first = change(&[], all.clone());
        assert_eq!((first.opened.len(), first.standing.len()), (60, 60));
        let second = change(&first.standing, all.clone());
        assert_eq!((second.opened.len(), second.standing.len()), (40, 100));
        let third = change(&all, Vec::new());
        assert_eq!((third.resolved.len(), third.standing.len()), (30, 70));
    }

    #[test]
    fn what_stands_keeps_its_first_moment_and_is_new_once() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let accounts = [seen('1', "name 1", TwilioStatus::Suspended)];
        let tenants = [known('1', Lifecycle::Active)];
        let first = change(&[], survey(&accounts, &tenants, at(1)).findings);
        assert_eq!(first.opened.len(), 1);
        let second = change(&first.standing, survey(&accounts, &tenants, at(2)).findings);
        assert_eq!((second.opened.len(), second.resolved.len()), (0, 0));
        assert_eq!(second.standing[0].since, at(1));
        let third = change(&second.standing, Vec::new());
        assert_eq!(third.resolved, second.standing);
    }
}
