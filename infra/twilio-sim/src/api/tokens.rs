//! Auth tokens of the account that authenticates: a secondary one, its promotion and its deletion.

use jiff::Timestamp;

use crate::json::Obj;
use crate::sid::Sid;
use crate::world::World;

use super::answer::{Answer, Refusal};
use super::ask::{Ask, Product};
use super::filters::write_iso;
use super::route::{Operation, Target, delete as remove, post};

pub(super) const OPERATIONS: &[Operation] = &[
    post(SECONDARY, "/twilio/iam/auth-tokens/create", create)
        .of(Product::Accounts)
        .managing(),
    remove(SECONDARY, "/twilio/iam/auth-tokens/delete", delete)
        .of(Product::Accounts)
        .managing(),
    post(PROMOTE, "/twilio/iam/auth-tokens/update", promote)
        .of(Product::Accounts)
        .managing(),
];

const SECONDARY: &str = "/v1/AuthTokens/Secondary";
const PROMOTE: &str = "/v1/AuthTokens/Promote";

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    check_flag(ask)?;
    let sid = world.accounts[target.account].sid;
    let made = world
        .create_secondary_token(target.account, ask.now)
        .ok_or_else(|| Refusal::bad(70_002, "A secondary auth token already exists"))?;
    let times = (made.created_at, made.created_at);
    Ok(Answer::object(201, |out| {
        write(
            out,
            sid,
            "secondary_auth_token",
            &made.token,
            times,
            SECONDARY,
        );
    }))
}

fn promote(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    check_flag(ask)?;
    let account = target.account;
    let created_at = world
        .promote_token(account, ask.now)
        .ok_or_else(|| Refusal::not_found(ask))?;
    let owner = &world.accounts[account];
    Ok(Answer::object(200, |out| {
        let times = (created_at, ask.now);
        write(out, owner.sid, "auth_token", &owner.token, times, PROMOTE);
    }))
}

fn delete(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    check_flag(ask)?;
    if !world.delete_secondary_token(target.account) {
        return Err(Refusal::not_found(ask));
    }
    Ok(Answer::no_content())
}

/// The simulator mails nobody; what is asked about mails is only checked.
fn check_flag(ask: &Ask) -> Result<(), Refusal> {
    const NAME: &str = "SuppressEmailNotification";
    match ask.form(NAME).or_else(|| ask.query(NAME)) {
        None => Ok(()),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(()),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(()),
        Some(_) => Err(Refusal::invalid(NAME)),
    }
}

fn write(
    out: &mut Vec<u8>,
    account: Sid,
    name: &str,
    token: &str,
    (created_at, updated_at): (Timestamp, Timestamp),
    path: &str,
) {
    let mut object = Obj::open(out);
    object.str("account_sid", account.as_str()).str(name, token);
    write_iso(&mut object, "date_created", Some(created_at));
    write_iso(&mut object, "date_updated", Some(updated_at));
    object.str("url", &format!("https://accounts.twilio.com{path}"));
    object.close();
}
