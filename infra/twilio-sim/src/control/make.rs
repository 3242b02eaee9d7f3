//! What a driver makes by hand: traffic and populations, and the ends of calls and messages.

use serde::{Deserialize, Serialize};

use crate::config::{Population, TrafficProfile};
use crate::sim::{Sim, SimError};
use crate::world::World;
use crate::world::tariff;

use super::{Reply, ok};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TrafficStart {
    account_sid: String,
    #[serde(default)]
    profile: TrafficProfile,
}

#[derive(Serialize)]
struct Started {
    account_sid: String,
    numbers: Vec<String>,
}

pub(super) fn start_traffic(sim: &Sim, asked: TrafficStart) -> Reply {
    let numbers = sim.start_traffic(&asked.account_sid, asked.profile)?;
    Ok(ok(&Started {
        account_sid: asked.account_sid,
        numbers,
    }))
}

#[derive(Serialize)]
struct Populated {
    subaccounts: usize,
    first_sid: Option<String>,
    last_sid: Option<String>,
}

pub(super) fn populate(sim: &Sim, asked: &Population) -> Reply {
    let sids = sim.populate(asked)?;
    Ok(ok(&Populated {
        subaccounts: sids.len(),
        first_sid: sids.first().cloned(),
        last_sid: sids.last().cloned(),
    }))
}

#[derive(Serialize)]
pub(super) struct Made {
    pub(super) sid: String,
}

pub(super) fn is_inbound(direction: Option<&str>) -> Result<bool, SimError> {
    match direction {
        None | Some("outbound-api") => Ok(false),
        Some("inbound") => Ok(true),
        Some(_) => Err(SimError::Invalid("direction")),
    }
}

/// Who takes part in a call or message, as far as the driver says.
pub(super) struct Ends {
    pub(super) inbound: bool,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    /// What is a number here, or an address.
    pub(super) takes: fn(&str) -> bool,
}

impl Ends {
    /// `(from, to)`: what was asked, else a number of the account's and somebody's.
    pub(super) fn find(
        self,
        world: &mut World,
        account: usize,
    ) -> Result<(String, String), SimError> {
        let given = [&self.from, &self.to];
        if !given.into_iter().flatten().all(|end| (self.takes)(end)) {
            return Err(SimError::Invalid("phone number"));
        }
        let (own, other) = if self.inbound {
            (self.to, self.from)
        } else {
            (self.from, self.to)
        };
        let own = match (own, world.accounts[account].numbers.first()) {
            (Some(own), _) => own,
            (None, Some(number)) => world.numbers[*number].e164.clone(),
            (None, None) => return Err(SimError::Invalid("number: the account holds none")),
        };
        let other = match other {
            Some(other) => other,
            None => tariff::draw_number(&tariff::COUNTRIES[0], &mut world.draw(account)),
        };
        Ok(if self.inbound {
            (other, own)
        } else {
            (own, other)
        })
    }
}
