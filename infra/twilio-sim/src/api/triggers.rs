//! Usage triggers: made, listed, fetched, renamed and deleted. Their threshold never changes.

use crate::amount;
use crate::callbacks::Hook;
use crate::json::Obj;
use crate::world::World;
use crate::world::triggers::{By, Recurring, TriggerDraft, VALUE_DECIMALS, record_uri};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use super::filters::write_date;
use super::paging;
use super::route::{Operation, Target, delete, get, post};

/// Twilio's limits, from its page on usage triggers.
const TRIGGERS_MAX: usize = 1000;
const NAME_MAX: usize = 64;

pub(super) const OPERATIONS: &[Operation] = &[
    get(
        "/Accounts/{AccountSid}/Usage/Triggers",
        "/twilio/usage/triggers/list",
        list,
    ),
    post(
        "/Accounts/{AccountSid}/Usage/Triggers",
        "/twilio/usage/triggers/create",
        create,
    ),
    get(
        "/Accounts/{AccountSid}/Usage/Triggers/{Sid}",
        "/twilio/usage/triggers/read",
        fetch,
    ),
    post(
        "/Accounts/{AccountSid}/Usage/Triggers/{Sid}",
        "/twilio/usage/triggers/update",
        update,
    ),
    delete(
        "/Accounts/{AccountSid}/Usage/Triggers/{Sid}",
        "/twilio/usage/triggers/delete",
        remove,
    ),
];

fn list(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let recurring = choice(ask.query("Recurring"), "Recurring", Recurring::parse)?;
    let by = choice(ask.query("TriggerBy"), "TriggerBy", By::parse)?;
    let category = ask.query("UsageCategory");
    let fits = |index: &usize| {
        let trigger = &world.triggers.all[*index];
        recurring.is_none_or(|recurring| trigger.recurring == Some(recurring))
            && by.is_none_or(|by| trigger.by == by)
            && category.is_none_or(|name| world.catalogue.get(trigger.category).name == name)
    };
    let items: Vec<usize> = world
        .triggers
        .of(target.account)
        .iter()
        .rev()
        .copied()
        .filter(fits)
        .collect();
    let current: Vec<(usize, i64)> = items
        .iter()
        .map(|index| (*index, world.current_value(ask.now, *index)))
        .collect();
    let current_of = |index: usize| {
        let found = current.binary_search_by(|(known, _)| index.cmp(known));
        found.map_or(0, |at| current[at].1)
    };
    paging::by_sid(
        world,
        ask,
        "usage_triggers",
        &items,
        |index| world.triggers.all[index].sid,
        |out, index| write(world, out, index, current_of(index)),
    )
}

fn create(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let url = callback_url(ask)?.ok_or_else(|| Refusal::bad(21_502, "Invalid callback url"))?;
    let get = method_is_get(ask)?.unwrap_or(false);
    let (value, from_now) = value(ask.form("TriggerValue"))?;
    let category = ask
        .form("UsageCategory")
        .and_then(|name| world.catalogue.id(name))
        .ok_or_else(|| invalid("UsageCategory"))?;
    let by = choice(ask.form("TriggerBy"), "TriggerBy", By::parse)?.unwrap_or(By::Usage);
    let recurring = choice(ask.form("Recurring"), "Recurring", Recurring::parse)?;
    let draft = TriggerDraft {
        friendly_name: name(ask)?.map(str::to_owned),
        hook: Hook { url, get },
        category,
        by,
        value,
        from_now,
        recurring,
    };
    let index = world
        .create_trigger(ask.now, target.account, draft, TRIGGERS_MAX)
        .ok_or_else(|| Refusal::bad(20_001, "Maximum number of usage triggers reached"))?;
    Ok(shown(world, ask, 201, index))
}

fn fetch(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    Ok(shown(world, ask, 200, index))
}

fn update(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    let (url, get, name) = (callback_url(ask)?, method_is_get(ask)?, name(ask)?);
    let trigger = &mut world.triggers.all[index];
    if let Some(url) = url {
        trigger.hook.url = url;
    }
    if let Some(get) = get {
        trigger.hook.get = get;
    }
    if let Some(name) = name {
        trigger.friendly_name = Some(name.to_owned());
    }
    trigger.updated_at = ask.now;
    Ok(shown(world, ask, 200, index))
}

fn remove(world: &mut World, ask: &Ask, target: &Target<'_>) -> Result<Answer, Refusal> {
    let index = find(world, ask, target)?;
    world.delete_trigger(index);
    Ok(Answer::no_content())
}

fn find(world: &World, ask: &Ask, target: &Target<'_>) -> Result<usize, Refusal> {
    let found = world.find("UT", target.id(0)).filter(|index| {
        let trigger = &world.triggers.all[*index];
        trigger.account == target.account && !trigger.deleted
    });
    found.ok_or_else(|| Refusal::not_found(ask))
}

fn invalid(name: &str) -> Refusal {
    Refusal::bad(20_001, &format!("Invalid {name}"))
}

fn choice<T>(
    text: Option<&str>,
    name: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Refusal> {
    text.map(|text| parse(text).ok_or_else(|| invalid(name)))
        .transpose()
}

fn callback_url(ask: &Ask) -> Result<Option<String>, Refusal> {
    let Some(url) = ask.form("CallbackUrl") else {
        return Ok(None);
    };
    let is_web = url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !is_web {
        return Err(Refusal::bad(21_502, "Invalid callback url"));
    }
    Ok(Some(url.to_owned()))
}

fn method_is_get(ask: &Ask) -> Result<Option<bool>, Refusal> {
    let parse = |text: &str| match text {
        "GET" => Some(true),
        "POST" => Some(false),
        _ => None,
    };
    choice(ask.form("CallbackMethod"), "CallbackMethod", parse)
}

fn name(ask: &Ask) -> Result<Option<&str>, Refusal> {
    match ask.form("FriendlyName") {
        Some(name) if name.chars().count() > NAME_MAX => {
            Err(Refusal::bad(20_002, "Invalid FriendlyName"))
        }
        name => Ok(name),
    }
}

/// The threshold, and whether it counts from now. A plus that was not escaped arrives as a space: such a
/// value is absolute, which is what makes forgetting the escape dangerous.
fn value(text: Option<&str>) -> Result<(i64, bool), Refusal> {
    let text = text.ok_or_else(|| invalid("TriggerValue"))?;
    let (plain, from_now) = match text.strip_prefix('+') {
        Some(offset) => (offset, true),
        None => (text.trim(), false),
    };
    match amount::parse(plain) {
        Some(value) if value > 0 => Ok((value, from_now)),
        _ => Err(invalid("TriggerValue")),
    }
}

fn shown(world: &mut World, ask: &Ask, status: u16, index: usize) -> Answer {
    let current = world.current_value(ask.now, index);
    Answer::object(status, |out| write(world, out, index, current))
}

fn write(world: &World, out: &mut Vec<u8>, index: usize, current: i64) {
    let trigger = &world.triggers.all[index];
    let account = world.accounts[trigger.account].sid;
    let category = &world.catalogue.get(trigger.category).name;
    let base = format!("/2010-04-01/Accounts/{account}/Usage");
    let mut object = Obj::open(out);
    object
        .plain("account_sid", account.as_str())
        .plain("api_version", "2010-04-01")
        .plain(
            "callback_method",
            if trigger.hook.get { "GET" } else { "POST" },
        )
        .str("callback_url", &trigger.hook.url)
        .plain("current_value", &amount::text(current));
    write_date(&mut object, "date_created", Some(trigger.created_at));
    write_date(&mut object, "date_fired", trigger.fired_at);
    write_date(&mut object, "date_updated", Some(trigger.updated_at));
    object
        .opt("friendly_name", trigger.friendly_name.as_deref())
        .opt("recurring", trigger.recurring.map(Recurring::as_str))
        .plain("sid", trigger.sid.as_str())
        .plain("trigger_by", trigger.by.as_str())
        .plain(
            "trigger_value",
            &amount::fixed_text(trigger.value, VALUE_DECIMALS),
        )
        .str("uri", &format!("{base}/Triggers/{}.json", trigger.sid))
        .str("usage_category", category)
        .str("usage_record_uri", &record_uri(account, category));
    object.close();
}
