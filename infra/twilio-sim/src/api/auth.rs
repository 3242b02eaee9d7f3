//! Who asks, and what they may do: the main token acts on children, a subaccount's own token only on
//! itself, a standard key on its account's traffic but never on accounts or keys.

use crate::world::accounts::Status;
use crate::world::{MAIN, World};

use super::answer::Refusal;
use super::ask::Ask;
use super::route::Route;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    Main,
    Subaccount(usize),
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

    /// Kind and SID for the log.
    pub(crate) fn describe(&self, world: &World) -> (&'static str, String) {
        match self {
            Self::Main => ("main", world.accounts[MAIN].sid.to_string()),
            Self::Subaccount(account) => ("subaccount", world.accounts[*account].sid.to_string()),
            Self::Key(key) => ("key", world.keys[*key].sid.to_string()),
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
    let active = |account: usize| world.accounts[account].status == Status::Active;
    if let Some(account) = world.find("AC", user) {
        // The main account keeps its sight while it is suspended, to see what happened.
        return match account {
            _ if world.accounts[account].token != *password => Credential::Invalid,
            MAIN => Credential::Main,
            _ if active(account) && active(MAIN) => Credential::Subaccount(account),
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

/// The account of the path, if this credential may act on it.
pub(crate) fn authorize(
    world: &World,
    ask: &Ask,
    who: &Credential,
    route: &Route,
) -> Result<usize, Refusal> {
    let target = route
        .account
        .as_deref()
        .and_then(|sid| world.find("AC", sid));
    let denied = || Refusal::unauthenticated("Authenticate");
    match who {
        Credential::Main => target.ok_or_else(|| Refusal::not_found(ask)),
        Credential::Subaccount(own) => target.filter(|target| target == own).ok_or_else(denied),
        Credential::Key(key) => {
            let own = world.keys[*key].account;
            target
                .filter(|target| *target == own && !route.manages())
                .ok_or_else(denied)
        }
        Credential::None | Credential::Invalid => Err(denied()),
    }
}
