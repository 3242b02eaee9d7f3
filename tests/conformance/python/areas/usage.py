"""Usage records in all their subresources, what they add up to, how they change; and usage triggers."""

import datetime
import re
from decimal import Decimal

from facts import Facts
from simulator import LocalHttpClient, refused

fact = Facts()

DAY = datetime.timedelta(days=1)
# What contains what, of the categories that the simulator's traffic uses.
PARTS = {
    "calls": ["calls-inbound", "calls-outbound"],
    "calls-inbound": ["calls-inbound-local", "calls-inbound-mobile", "calls-inbound-tollfree"],
    "sms": ["sms-inbound", "sms-outbound"],
    "sms-inbound": ["sms-inbound-longcode", "sms-inbound-shortcode", "sms-inbound-tollfree"],
    "sms-outbound": ["sms-outbound-longcode", "sms-outbound-shortcode", "sms-outbound-tollfree"],
    "mms": ["mms-inbound", "mms-outbound"],
    "mms-inbound": ["mms-inbound-longcode", "mms-inbound-shortcode", "mms-inbound-toll-free"],
    "mms-outbound": ["mms-outbound-longcode", "mms-outbound-shortcode", "mms-outbound-tollfree"],
    "recordings": ["calls-recordings", "trunking-recordings"],
    "phonenumbers": ["phonenumbers-local", "phonenumbers-mobile", "phonenumbers-tollfree"],
}


def used(tenant, sim, category, price, days_ago=0, **more):
    """Sets a day's record of a leaf category."""
    day = (sim.now().date() - days_ago * DAY).isoformat()
    body = {"account_sid": tenant.sid, "day": day, "category": category, "price": price}
    sim.post("usage", body | more)


def total(records, **filters):
    """The price of `totalprice` over one list's rows."""
    return sum(Decimal(record.price) for record in records.list(category="totalprice", **filters))


def priced(records):
    return {record.category: Decimal(record.price) for record in records}


@fact
def a_record_says_what_was_used_and_what_it_cost(sim):
    tenant = sim.subaccount()
    used(tenant, sim, "sms-outbound-longcode", "1.2345", usage="150", count=149)
    [record] = tenant.own.usage.records.today.list(category="sms-outbound-longcode")
    today = sim.now().date()
    assert (record.account_sid, record.category) == (tenant.sid, "sms-outbound-longcode")
    assert (record.start_date, record.end_date) == (today, today)
    assert (record.count, record.usage, str(record.price)) == ("149", "150", "1.2345")
    assert (record.price_unit, record.usage_unit, record.count_unit) == ("usd", "segments", "messages")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record.as_of)
    assert record.api_version == "2010-04-01" and record.description and len(record.subresource_uris) == 8


@fact
def categories_that_were_not_used_have_rows_too(sim):
    tenant = sim.subaccount()
    rows = tenant.own.usage.records.list(page_size=1000)
    assert len(rows) > 50 and len(rows) == len({row.category for row in rows})
    assert {Decimal(row.price) for row in rows} == {0} and {"totalprice", "calls", "sms"} <= {
        row.category for row in rows
    }


@fact
def every_subresource_has_its_own_periods(sim):
    tenant = sim.subaccount()
    sim.advance(days=40)
    records, today = tenant.own.usage.records, sim.now().date()
    first, last = today.replace(day=1), today.replace(day=1) - DAY
    born = tenant.resource.fetch().date_created.date()

    def periods(listing, **filters):
        return [(row.start_date, row.end_date) for row in listing.list(category="sms", **filters)]

    assert periods(records.today) == [(today, today)]
    assert periods(records.yesterday) == [(today - DAY, today - DAY)]
    assert periods(records.this_month) == [(first, today)]
    assert periods(records.last_month) == [(last.replace(day=1), last)]
    assert periods(records) == periods(records.all_time) == [(born, today)]
    daily = periods(records.daily, start_date=today - 9 * DAY, end_date=today - 8 * DAY)
    assert daily == [(today - 8 * DAY,) * 2, (today - 9 * DAY,) * 2]
    assert len(periods(records.daily)) == 41
    monthly = periods(records.monthly, start_date=last.replace(day=1), end_date=today)
    assert monthly == [(first, today), (last.replace(day=1), last)]
    assert periods(records.yearly)[0][1] == today


@fact
def days_may_be_relative(sim):
    tenant = sim.subaccount()
    sim.advance(days=5)
    for ago in range(5):
        used(tenant, sim, "sms-inbound-longcode", str(10**ago), days_ago=ago)
    records = tenant.own.usage.records
    assert total(records, start_date="-1days", end_date="+0days") == 11
    assert "StartDate=-1days&EndDate=%2B0days" in sim.last_path(), sim.last_path()
    assert total(records, start_date="-3days", end_date="-2days") == 1100
    assert total(records, start_date="-4days") == 11111 == total(records.all_time)
    today = sim.now().date()
    assert total(records, start_date=today - 2 * DAY, end_date=today - DAY) == 110
    assert [Decimal(row.price) for row in records.daily.list(category="sms", start_date="-2days")] == [1, 10, 100]
    refused(400, 20001, lambda: records.list(start_date="tomorrow"))
    refused(400, 20001, lambda: records.list(end_date="2026-13-01"))


def totals(records, names, **filters):
    return [total(getattr(records, name) if name else records, **filters) for name in names]


@fact
def the_main_account_s_records_include_its_subaccounts_unless_told_otherwise(sim):
    sim.quirks(include_subaccounts_ignored_on_subresources=False)
    tenant = sim.subaccount()
    records, names = sim.main.usage.records, [None, "daily", "monthly", "yearly", "all_time", "today", "this_month"]
    before, alone = totals(records, names), totals(records, names, include_subaccounts=False)
    used(tenant, sim, "carrier-lookups", "5")
    after = totals(records, names)
    assert [now - then for now, then in zip(after, before)] == [5] * len(names)
    assert totals(records, names, include_subaccounts=True) == after
    assert totals(records, names, include_subaccounts=False) == alone != after
    assert "IncludeSubaccounts=false" in sim.last_path()
    assert total(tenant.acting.usage.records) == 5 == total(tenant.own.usage.records, include_subaccounts=False)


@fact
def some_subresources_may_include_subaccounts_whatever_is_asked(sim):
    sim.quirks(include_subaccounts_ignored_on_subresources=True)
    tenant = sim.subaccount()
    names = ["today", "this_month", "all_time"]
    before = totals(sim.main.usage.records, names, include_subaccounts=False)
    used(tenant, sim, "carrier-lookups", "5")
    after = totals(sim.main.usage.records, names, include_subaccounts=False)
    assert [now - then for now, then in zip(after, before)] == [5, 5, 5]


@fact
def yesterday_and_last_month_include_subaccounts_too(sim):
    tenant = sim.subaccount()
    sim.advance(days=35)
    records, names, today = sim.main.usage.records, ["yesterday", "last_month"], sim.now().date()
    before = totals(records, names)
    used(tenant, sim, "carrier-lookups", "3", days_ago=1)
    used(tenant, sim, "carrier-lookups", "4", days_ago=today.day)  # the last day of the month before
    after = totals(records, names)
    expected = [4, 4] if today.day == 1 else [3, 4]
    assert [now - then for now, then in zip(after, before)] == expected


@fact
def rollups_are_the_sums_of_their_parts(sim):
    tenant = sim.subaccount()
    profile = {"messages_per_day": 60, "calls_per_day": 20, "recorded_per_mille": 500, "mms_per_mille": 300}
    sim.post("traffic", {"account_sid": tenant.sid, "profile": profile})
    sim.advance(days=2)
    sim.control("DELETE", "traffic", {"account_sid": tenant.sid})
    sim.advance(days=1)
    prices = priced(tenant.own.usage.records.list(page_size=1000))
    for rollup, parts in PARTS.items():
        assert prices[rollup] == sum(prices[part] for part in parts), rollup
    inner = {part for parts in PARTS.values() for part in parts} | {"totalprice"}
    assert prices["totalprice"] == sum(price for name, price in prices.items() if name not in inner) > 0
    assert prices["sms-messages-carrierfees"] > 0 and prices["phonenumbers"] > 0 and prices["calls"] > 0


@fact
def a_day_s_records_agree_with_the_range_s(sim):
    tenant = sim.subaccount()
    sim.post("traffic", {"account_sid": tenant.sid, "profile": {"messages_per_day": 30, "calls_per_day": 10}})
    sim.advance(days=3)
    sim.control("DELETE", "traffic", {"account_sid": tenant.sid})
    sim.advance(days=1)
    records = tenant.own.usage.records
    whole = priced(records.list(page_size=1000))
    days = records.daily.list(page_size=1000)
    for category, price in whole.items():
        assert sum(Decimal(day.price) for day in days if day.category == category) == price, category


@fact
def a_call_s_minutes_and_a_message_s_fees_are_booked(sim):
    tenant = sim.subaccount()
    tenant.number()
    tenant.call(duration_s=61, to="+14155550142")
    tenant.message(to="+14155550142")
    tenant.message(to="+14155550142", outcome="failed")
    sim.advance(hours=2)
    rows = {row.category: row for row in tenant.own.usage.records.list(page_size=1000)}
    assert (rows["calls-outbound"].count, Decimal(rows["calls-outbound"].usage)) == ("1", 2)
    assert Decimal(rows["sms-outbound"].count) == 1 and Decimal(rows["sms-messages-carrierfees"].price) > 0
    fee = rows["failed-message-processing-fee"]
    assert (fee.count, Decimal(fee.price)) == ("1", Decimal("0.001"))


@fact
def number_rent_goes_on_while_an_account_is_suspended(sim):
    sim.quirks(rent="daily")
    tenant = sim.subaccount()
    tenant.number()
    sim.advance(days=2)
    before = total(tenant.acting.usage.records)
    tenant.resource.update(status="suspended")
    sim.advance(days=10)
    after = total(tenant.acting.usage.records)
    assert 0 < before < after and priced(tenant.acting.usage.records.list(page_size=1000))["phonenumbers"] == after


@fact
def a_record_may_be_revised_either_way(sim):
    tenant = sim.subaccount()
    sim.advance(days=1)
    for price in ["2", "2.5", "1.75", "0"]:
        sim.advance(hours=1)
        used(tenant, sim, "sms-outbound-longcode", price, days_ago=1)
        [row] = tenant.own.usage.records.yesterday.list(category="sms")
        assert Decimal(row.price) == Decimal(price) == total(tenant.own.usage.records)
        assert row.as_of.startswith(sim.now().strftime("%Y-%m-%d")), row.as_of


@fact
def usage_that_no_list_names_is_in_the_total(sim):
    tenant = sim.subaccount()
    used(tenant, sim, "quantum-entanglement-minutes", "7")
    used(tenant, sim, "sms-inbound-longcode", "1")
    assert total(tenant.own.usage.records) == 8
    [row] = tenant.own.usage.records.list(category="quantum-entanglement-minutes")
    assert Decimal(row.price) == 7


@fact
def usage_arrives_late(sim):
    sim.pace(usage_ms=[7_200_000, 7_200_000], price_ms=[1000, 1000])
    tenant = sim.subaccount()
    tenant.number()
    rent = total(tenant.own.usage.records)
    sid = tenant.message()
    sim.advance(hours=1)
    assert tenant.own.messages(sid).fetch().status == "delivered" and total(tenant.own.usage.records) == rent
    sim.advance(hours=2)
    assert total(tenant.own.usage.records) > rent


@fact
def records_are_paged(sim):
    tenant = sim.subaccount()
    sim.advance(days=3)
    daily = tenant.own.usage.records.daily
    pages = [(row.category, row.start_date) for row in daily.list(page_size=37)]
    assert pages == [(row.category, row.start_date) for row in daily.list(page_size=1000)]
    assert len(pages) == len(set(pages)) == 4 * len(tenant.own.usage.records.list())
    refused(400, 70002, lambda: daily.page(page_number=1))
    refused(400, 21481, lambda: daily.page(page_number=1, page_token="APnonsense"))


def triggered(tenant, sim, path="/trigger", **fields):
    defaults = {"trigger_value": "10", "usage_category": "sms", "trigger_by": "price"}
    return tenant.own.usage.triggers.create(callback_url=sim.receiver.url(path), **(defaults | fields))


@fact
def triggers_are_kept(sim):
    tenant = sim.subaccount()
    made = triggered(tenant, sim, trigger_value="1000", recurring="monthly", friendly_name="Too much")
    assert LocalHttpClient.last.status_code == 201 and re.fullmatch("UT[0-9a-f]{32}", made.sid)
    assert (made.trigger_value, made.trigger_by, made.recurring) == ("1000.000000", "price", "monthly")
    assert (made.usage_category, made.friendly_name, made.date_fired) == ("sms", "Too much", None)
    assert (
        Decimal(made.current_value) == 0 and made.callback_method == "POST" and "Category=sms" in made.usage_record_uri
    )
    kept = tenant.own.usage.triggers(made.sid)
    changed = kept.update(friendly_name="Much", callback_url="https://example.com/t", callback_method="GET")
    for shown in [changed, kept.fetch()]:
        assert (shown.friendly_name, shown.callback_method) == ("Much", "GET")
        assert (shown.callback_url, shown.trigger_value) == ("https://example.com/t", "1000.000000")
    assert kept.delete() is True
    refused(404, 20404, kept.fetch)


@fact
def triggers_are_listed_by_what_they_watch(sim):
    tenant = sim.subaccount()
    one = triggered(tenant, sim, recurring="daily")
    other = triggered(tenant, sim, usage_category="calls", trigger_by="count")
    triggers = tenant.own.usage.triggers
    assert {trigger.sid for trigger in triggers.list()} == {one.sid, other.sid}
    assert [trigger.sid for trigger in triggers.list(usage_category="calls")] == [other.sid]
    assert [trigger.sid for trigger in triggers.list(trigger_by="price")] == [one.sid]
    assert [trigger.sid for trigger in triggers.list(recurring="daily")] == [one.sid]
    assert other.recurring is None


@fact
def a_trigger_fires_about_a_minute_after_its_value_is_reached(sim):
    tenant = sim.subaccount()
    trigger = triggered(tenant, sim)
    used(tenant, sim, "sms-inbound-longcode", "9.99")
    sim.advance(minutes=3)
    assert sim.receiver.at("/trigger") == []
    used(tenant, sim, "sms-inbound-longcode", "10.01")
    sim.advance(minutes=3)
    [callback] = sim.receiver.at("/trigger")
    assert callback.signed_with(tenant.token)
    told = callback.form
    assert told["AccountSid"] == tenant.sid and told["UsageTriggerSid"] == trigger.sid
    assert (told["UsageCategory"], told["TriggerBy"], told["Recurring"]) == ("sms", "price", "")
    assert Decimal(told["TriggerValue"]) == 10 and Decimal(told["CurrentValue"]) == Decimal("10.01")
    assert told["IdempotencyToken"].startswith(f"{tenant.sid}-FIRES-{trigger.sid}-") and told["DateFired"]
    assert "Category=sms" in told["UsageRecordUri"]
    sim.advance(days=3)
    assert len(sim.receiver.at("/trigger")) == 1
    shown = tenant.own.usage.triggers(trigger.sid).fetch()
    assert shown.date_fired and Decimal(shown.current_value) == Decimal("10.01")


@fact
def a_recurring_trigger_fires_once_in_each_period(sim):
    tenant = sim.subaccount()
    triggered(tenant, sim, recurring="daily", trigger_value="2", trigger_by="count")
    for day in range(1, 4):
        used(tenant, sim, "sms-inbound-longcode", "1", count=5)
        sim.advance(minutes=5)
        used(tenant, sim, "sms-inbound-longcode", "2", count=9)
        sim.advance(minutes=5)
        assert len(sim.receiver.at("/trigger")) == day
        sim.advance(days=1)


@fact
def a_value_may_be_an_offset_from_what_was_used_already(sim):
    tenant = sim.subaccount()
    used(tenant, sim, "sms-inbound-longcode", "100")
    made = triggered(tenant, sim, trigger_value="+30")
    assert made.trigger_value == "130.000000", made.trigger_value
    used(tenant, sim, "sms-inbound-longcode", "129")
    sim.advance(minutes=3)
    assert sim.receiver.at("/trigger") == []
    used(tenant, sim, "sms-inbound-longcode", "130")
    sim.advance(minutes=3)
    assert len(sim.receiver.at("/trigger")) == 1


@fact
def a_trigger_s_callback_is_tried_three_times_more(sim):
    tenant = sim.subaccount()
    triggered(tenant, sim, path="/failing")
    sim.receiver.script("/failing", 500, 503, 500, 500, 500)
    used(tenant, sim, "sms-inbound-longcode", "11")
    sim.advance(minutes=10)
    arrived = sim.receiver.at("/failing")
    assert len(arrived) == 4 and len({callback.form["IdempotencyToken"] for callback in arrived}) == 1


@fact
def a_trigger_needs_an_url_and_a_number(sim):
    tenant = sim.subaccount()
    create = tenant.own.usage.triggers.create
    for fields in [
        {"trigger_value": "much"},
        {"trigger_value": "-1"},
        {"trigger_by": "weight"},
        {"recurring": "hourly"},
    ]:
        refused(400, 20001, lambda: triggered(tenant, sim, **fields))
    refused(400, 21502, lambda: create(callback_url="not a url", trigger_value="1", usage_category="sms"))
    assert tenant.own.usage.triggers.list() == []
