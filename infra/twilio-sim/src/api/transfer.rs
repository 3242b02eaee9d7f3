//! Who may move a phone number where: between the main account and its subaccounts, asked for by the main
//! account's own token, at the path of the account that holds the number.

use crate::sid::Sid;
use crate::world::World;
use crate::world::accounts::Status;

use super::answer::Refusal;
use super::ask::Ask;
use super::auth::Credential;
use super::route::Target;

/// The account that a request moves a number to; none when it stays where it is.
pub(super) fn gaining_account(
    world: &World,
    ask: &Ask,
    target: &Target<'_>,
    number: usize,
) -> Result<Option<usize>, Refusal> {
    let Some(named) = ask.form("AccountSid") else {
        return Ok(None);
    };
    let sid = Sid::parse("AC", named).ok_or_else(|| Refusal::bad(21_470, "Invalid AccountSid"))?;
    let number = &world.numbers[number];
    if world.accounts[number.account].sid == sid {
        return Ok(None);
    }
    // Before anything is told about the other account.
    if *target.who != Credential::Main {
        return Err(Refusal::bad(
            21_474,
            "API User must be the parent account to transfer phone numbers.",
        ));
    }
    if world.is_stranger(&sid) {
        return Err(Refusal::bad(
            21_473,
            "AccountSid you are transferring to is not related to the originating owner of the phone number",
        ));
    }
    let gaining = world
        .account(named)
        .ok_or_else(|| Refusal::bad(21_471, "Account does not exist"))?;
    if world.accounts[gaining].status != Status::Active {
        return Err(Refusal::bad(21_472, "Account is not active"));
    }
    let bound = number.hosted || number.whatsapp_sender.is_some();
    if bound && world.quirks.transfer_refused_with_sender {
        return Err(Refusal::bad(
            20_001,
            "The phone number has a sender that must be moved first",
        ));
    }
    Ok(Some(gaining))
}
