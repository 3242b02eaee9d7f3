//! Who asks, and what they may do.
//!
//! The main account's token acts on its children, on the v2010 API alone. Everybody else reaches only
//! their own account: a subaccount's token all of it, a standard key neither accounts nor keys, a Main key
//! both, a restricted key what its policy lists of the rest. On every other product a credential shows its own
//! account's data, whatever else the request says: the main account's, too, without any error.

use crate::config::InactiveAnswer;
use crate::sid::Sid;
use crate::world::accounts::{KeyKind, Status};
use crate::world::{MAIN, World};

use super::answer::Refusal;
use super::ask::{Ask, Product};
use super::route::{Operation, Route};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// The main account's auth token.
    Main,
    /// A subaccount's auth token.
    Subaccount(usize),
    /// An API key of any kind.
    Key(usize),
    /// The right token or key of a suspended or closed account.
    Inactive(Sid),
    None,
    /// A SID that nobody has.
    Unknown,
    /// Not the password that belongs to the SID.
    Invalid,
}

impl Credential {
    /// The account that authenticated.
    pub(crate) fn account(&self, world: &World) -> Option<usize> {
        match self {
            Self::Main => Some(MAIN),
            Self::Subaccount(account) => Some(*account),
            Self::Key(key) => Some(world.keys[*key].account),
            Self::Inactive(_) | Self::None | Self::Unknown | Self::Invalid => None,
        }
    }

    /// Whether it is the main account's token or one of its Main keys.
    pub(crate) fn manages_main(&self, world: &World) -> bool {
        match self {
            Self::Main => true,
            Self::Key(key) => {
                let key = &world.keys[*key];
                key.account == MAIN && key.kind == KeyKind::Main
            }
            _ => false,
        }
    }

    /// Whether it acts on subaccounts where a path of the v2010 API names them.
    fn reaches_children(&self, world: &World) -> bool {
        *self == Self::Main || (world.quirks.main_keys_reach_children && self.manages_main(world))
    }

    /// The SID it authenticated with.
    pub(crate) fn sid(&self, world: &World) -> Option<Sid> {
        match self {
            Self::Main => Some(world.accounts[MAIN].sid),
            Self::Subaccount(account) => Some(world.accounts[*account].sid),
            Self::Key(key) => Some(world.keys[*key].sid),
            Self::Inactive(sid) => Some(*sid),
            Self::None | Self::Unknown | Self::Invalid => None,
        }
    }

    /// Kind and SID for the log.
    pub(crate) fn describe(&self, world: &World) -> (&'static str, String) {
        let kind = match self {
            Self::Main => "main",
            Self::Subaccount(_) => "subaccount",
            Self::Key(key) => match world.keys[*key].kind {
                KeyKind::Standard => "key",
                KeyKind::Main => "main_key",
                KeyKind::Restricted(_) => "restricted_key",
            },
            Self::Inactive(_) => "inactive",
            Self::None => "none",
            Self::Unknown | Self::Invalid => "invalid",
        };
        (
            kind,
            self.sid(world)
                .map_or_else(String::new, |sid| sid.to_string()),
        )
    }
}

/// Finds out who asks. A suspended or closed account cannot act, nor can its keys.
pub(crate) fn identify(world: &World, ask: &Ask) -> Credential {
    let Some((user, password)) = &ask.basic else {
        return Credential::None;
    };
    let active = |account: usize| {
        world.accounts[account].status == Status::Active
            && world.accounts[MAIN].status == Status::Active
    };
    if let Some(account) = world.account(user) {
        return match account {
            _ if !world.authenticates(account, password) => Credential::Invalid,
            // The main account keeps its sight while it is suspended, to see what happened.
            MAIN => Credential::Main,
            _ if active(account) => Credential::Subaccount(account),
            _ => Credential::Inactive(world.accounts[account].sid),
        };
    }
    let Some(index) = world.find("SK", user) else {
        return Credential::Unknown;
    };
    let key = &world.keys[index];
    match key.secret == *password && !key.deleted {
        true if active(key.account) => Credential::Key(index),
        true => Credential::Inactive(key.sid),
        false => Credential::Invalid,
    }
}

/// Refuses whoever is nobody, and whoever may not act now.
pub(crate) fn require_any(world: &World, who: &Credential) -> Result<(), Refusal> {
    match who {
        Credential::None => Err(Refusal::unauthenticated(
            "Authentication Error - No credentials provided",
        )),
        Credential::Unknown => Err(Refusal::unauthenticated(
            "Authentication Error - invalid username",
        )),
        Credential::Invalid => Err(Refusal::unauthenticated("Authenticate")),
        Credential::Inactive(_) => Err(match world.quirks.inactive_answer {
            InactiveAnswer::Unauthenticated => Refusal::unauthenticated("Authenticate"),
            InactiveAnswer::NotActive => Refusal::not_active(),
            InactiveAnswer::Forbidden => Refusal::new(403, 20_005, "Account not active"),
        }),
        Credential::Main | Credential::Subaccount(_) | Credential::Key(_) => Ok(()),
    }
}

/// The account that a request acts on, if this credential may.
pub(crate) fn authorize(
    world: &World,
    ask: &Ask,
    who: &Credential,
    route: &Route,
    operation: &Operation,
) -> Result<usize, Refusal> {
    let denied = || Refusal::unauthenticated("Authenticate");
    let own = who.account(world).ok_or_else(denied)?;
    if let Credential::Key(key) = who {
        let kind = &world.keys[*key].kind;
        match kind {
            KeyKind::Standard if operation.manages => return Err(denied()),
            KeyKind::Standard | KeyKind::Main => {}
            KeyKind::Restricted(_) => {
                let out_of_reach = operation.manages && !world.quirks.restricted_keys_manage;
                if out_of_reach || !kind.permits(operation.permission) {
                    return Err(Refusal::authorization_failed(operation.permission));
                }
            }
        }
    }
    let Some(named) = route.account.as_deref() else {
        return Ok(own);
    };
    debug_assert_eq!(
        ask.product,
        Product::Api,
        "only v2010 paths name an account"
    );
    let target = world.account(named);
    if who.reaches_children(world) {
        target.ok_or_else(|| Refusal::not_found(ask))
    } else {
        target.filter(|target| *target == own).ok_or_else(denied)
    }
}

/// The account that the iam API acts on: the one that authenticated. What the request names as AccountSid
/// is checked for subaccounts; for the main account it changes nothing, and nothing says so.
pub(crate) fn iam_account(
    world: &World,
    ask: &Ask,
    who: &Credential,
    own: usize,
    named: &str,
) -> Result<usize, Refusal> {
    if Sid::parse("AC", named).is_none() {
        return Err(Refusal::invalid_sid());
    }
    let target = world.account(named);
    if target == Some(own) {
        return Ok(own);
    }
    if own != MAIN {
        return Err(Refusal::unauthenticated("Authenticate"));
    }
    if iam_reaches_children(world, who) {
        return target.ok_or_else(|| Refusal::not_found(ask));
    }
    Ok(MAIN)
}

/// Whether the iam API lets a credential act on the main account's subaccounts.
pub(crate) fn iam_reaches_children(world: &World, who: &Credential) -> bool {
    world.quirks.iam_acts_on_child && who.reaches_children(world)
}
