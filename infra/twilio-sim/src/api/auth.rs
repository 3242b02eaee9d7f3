//! Who asks, and what they may do.
//!
//! The main account's token acts on its children, on the v2010 API alone. Everybody else reaches only
//! their own account: a subaccount's token all of it, a standard key neither accounts nor keys, a Main key
//! both, a restricted key what its policy lists. On every other product a credential shows its own
//! account's data, whatever else the request says: the main account's, too, without any error.

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
    None,
    Invalid,
}

impl Credential {
    /// The account that authenticated.
    pub(crate) fn account(&self, world: &World) -> Option<usize> {
        match self {
            Self::Main => Some(MAIN),
            Self::Subaccount(account) => Some(*account),
            Self::Key(key) => Some(world.keys[*key].account),
            Self::None | Self::Invalid => None,
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

    /// Kind and SID for the log.
    pub(crate) fn describe(&self, world: &World) -> (&'static str, String) {
        match self {
            Self::Main => ("main", world.accounts[MAIN].sid.to_string()),
            Self::Subaccount(account) => ("subaccount", world.accounts[*account].sid.to_string()),
            Self::Key(key) => (
                match world.keys[*key].kind {
                    KeyKind::Standard => "key",
                    KeyKind::Main => "main_key",
                    KeyKind::Restricted(_) => "restricted_key",
                },
                world.keys[*key].sid.to_string(),
            ),
            Self::None => ("none", String::new()),
            Self::Invalid => ("invalid", String::new()),
        }
    }
}

/// Finds out who asks. A suspended or closed account cannot authenticate, nor can its keys.
pub(crate) fn identify(world: &World, ask: &Ask) -> Credential {
    let Some((user, password)) = &ask.basic else {
        return Credential::None;
    };
    let active = |account: usize| {
        world.accounts[account].status == Status::Active
            && world.accounts[MAIN].status == Status::Active
    };
    if let Some(account) = world.find("AC", user) {
        // The main account keeps its sight while it is suspended, to see what happened.
        return match account {
            _ if world.accounts[account].token != *password => Credential::Invalid,
            MAIN => Credential::Main,
            _ if active(account) => Credential::Subaccount(account),
            _ => Credential::Invalid,
        };
    }
    match world.find("SK", user) {
        Some(key)
            if world.keys[key].secret == *password
                && !world.keys[key].deleted
                && active(world.keys[key].account) =>
        {
            Credential::Key(key)
        }
        _ => Credential::Invalid,
    }
}

/// Refuses whoever is nobody.
pub(crate) fn require_any(who: &Credential) -> Result<(), Refusal> {
    match who {
        Credential::None => Err(Refusal::unauthenticated(
            "Authentication Error - No credentials provided",
        )),
        Credential::Invalid => Err(Refusal::unauthenticated("Authenticate")),
        _ => Ok(()),
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
        let permitted = match &world.keys[*key].kind {
            KeyKind::Standard => !operation.manages,
            KeyKind::Main => true,
            KeyKind::Restricted(policy) => {
                if !policy.iter().any(|one| one == operation.permission) {
                    return Err(Refusal::authorization_failed());
                }
                true
            }
        };
        if !permitted {
            return Err(denied());
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
    let target = world.find("AC", named);
    match who {
        Credential::Main => target.ok_or_else(|| Refusal::not_found(ask)),
        _ => target.filter(|target| *target == own).ok_or_else(denied),
    }
}
