//! The two tickets that move numbers between Twilio accounts of different owners, and what to do besides.
//!
//! Twilio acts only when the owner of each account asks for the same: so the texts name the same numbers, the
//! same two accounts and both parties, and each can be read without the other.

use serde::Serialize;

use super::entry::one_line;
use super::{Item, ItemState, Kind, Migration};
use crate::ids::AccountSid;

/// Who asks, as it stands in both tickets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// The operator's name.
    pub operator_name: String,
    /// Where the operator can be asked.
    pub operator_email: Option<String>,
    /// The operator's main account, whose subaccount gains the numbers.
    pub main_sid: AccountSid,
}

/// What each side sends to Twilio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tickets {
    /// The operator's.
    pub gaining: String,
    /// The client's, sent from the e-mail address of its own account.
    pub losing: String,
}

/// Something to do by hand, and the numbers that are known to need it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckListEntry {
    /// Stable code.
    pub code: &'static str,
    /// What to do.
    pub text: &'static str,
    /// Numbers that are known to need it; none: find out.
    pub numbers: Vec<String>,
}

/// Both tickets' texts. A split needs none, and there is none before the gaining subaccount is there.
pub fn tickets(migration: &Migration, parties: &Parties) -> Option<Tickets> {
    let gaining_sid = migration.gaining_sid.as_ref()?;
    if migration.kind == Kind::Split {
        return None;
    }
    let client = one_line(&migration.client_name);
    let operator = one_line(&parties.operator_name);
    let client_email = migration.client_email.as_deref().map(one_line);
    let client_email = client_email.unwrap_or_default();
    let contact = parties.operator_email.as_deref().map(one_line);
    let contact = contact.map_or_else(String::new, |email| format!(" ({email})"));
    let asked: Vec<&Item> = migration
        .items
        .iter()
        .filter(|item| is_asked(item))
        .collect();
    let numbers: Vec<String> = asked
        .iter()
        .map(|item| format!("  {}", one_line(&item.phone_number)))
        .collect();
    let facts = format!(
        "Numbers ({count}):\n{list}\n\n\
         Losing account:  {losing} (owner: {client}, registered under {client_email})\n\
         Gaining account: {gaining_sid} (subaccount of {main}, owner: {operator})\n",
        count = numbers.len(),
        list = numbers.join("\n"),
        losing = migration.losing_sid,
        main = parties.main_sid,
    );
    let gaining = format!(
        "Subject: Move phone numbers into our subaccount {gaining_sid}\n\n\
         Hello Twilio support,\n\n\
         we are {operator}{contact}, the owner of the main account {main}. Our client {client} has a Twilio account \
         of its own and wants to go on with us. Please move the phone numbers below from the client's account into \
         our subaccount.\n\n{facts}\n\
         {client} sends you the same request from {client_email}, the e-mail address of its account.\n\
         Reference: {id}\n\n\
         Thank you,\n{operator}\n",
        main = parties.main_sid,
        id = migration.id,
    );
    let losing = format!(
        "Subject: Move our phone numbers to account {gaining_sid}\n\n\
         Hello Twilio support,\n\n\
         we are {client}, the owner of the Twilio account {losing}, which is registered under {client_email}. We \
         agree that our phone numbers below are moved out of our account into the account named as gaining, which \
         belongs to {operator}. They are ours, and we ask for this ourselves.\n\n{facts}\n\
         {operator}{contact} sends you the same request for the gaining side.\n\
         Reference: {id}\n\n\
         Thank you,\n{client}\n",
        losing = migration.losing_sid,
        id = migration.id,
    );
    Some(Tickets { gaining, losing })
}

/// Numbers that are there already, or cannot come yet, are not asked for.
fn is_asked(item: &Item) -> bool {
    matches!(item.state, ItemState::PreflightOk | ItemState::Requested)
}

/// What no API moves along with a number.
pub fn check_list(migration: &Migration) -> Vec<CheckListEntry> {
    let of = |has: fn(&Item) -> bool| {
        let known = migration.items.iter().filter(|item| has(item));
        known.map(|item| item.phone_number.clone()).collect()
    };
    let mut list = vec![
        CheckListEntry {
            code: "address",
            text: "Numbers that need an address need one in the gaining subaccount before they can move.",
            numbers: of(|item| item.marks.needs_address),
        },
        CheckListEntry {
            code: "bundle",
            text: "Regulatory papers stay behind: submit them for the gaining subaccount and have them approved.",
            numbers: of(|item| item.marks.needs_bundle),
        },
        CheckListEntry {
            code: "whatsapp",
            text: "WhatsApp senders do not move: register them anew from the gaining subaccount.",
            numbers: of(|item| item.marks.whatsapp_sender),
        },
        CheckListEntry {
            code: "hosted",
            text: "Hosted numbers move by a ticket of their own, with a new letter of authorization.",
            numbers: of(|item| item.marks.hosted),
        },
        CheckListEntry {
            code: "messaging_registration",
            text: "Brands, campaigns and toll-free verifications end with the move: register them anew, and send \
                   no messages to the United States until that is done.",
            numbers: of(|item| item.marks.campaign),
        },
    ];
    if migration.kind == Kind::Split {
        list.push(CheckListEntry {
            code: "shared_token",
            text: "Rotate the shared subaccount's auth token once its last member has left: all of them know it.",
            numbers: Vec::new(),
        });
    }
    list
}
