"""Messages: sent, watched over simulated time, listed, redacted."""

import re
import time
from decimal import Decimal

from facts import Facts
from simulator import LocalHttpClient, refused

from areas.traffic import DAY, SECOND, SOMEBODY, equipped, watched

fact = Facts()

# How long real time may take to move the simulated one, on a busy machine.
PATIENCE_SECONDS = 30


@fact
def a_message_is_queued_sent_delivered_and_priced_later(sim):
    tenant = equipped(sim)
    message = tenant.own.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hello")
    assert LocalHttpClient.last.status_code == 201 and re.fullmatch("SM[0-9a-f]{32}", message.sid)
    assert (message.status, message.price, message.date_sent, message.num_segments) == ("queued", None, None, "1")
    assert (message.to, message.from_, message.body) == (SOMEBODY, tenant.phone, "Hello")
    seen = watched(sim, tenant.own.messages(message.sid).fetch, 20)
    assert [status for status in seen if status != "sending"] == ["queued", "sent", "delivered"], seen
    sim.advance(days=1)
    sent = tenant.own.messages(message.sid).fetch()
    assert Decimal(sent.price) < 0 and sent.price_unit == "USD" and sent.date_sent >= sent.date_created


@fact
def long_messages_have_segments_and_media_make_an_mms(sim):
    tenant = equipped(sim)
    create = tenant.own.messages.create
    assert create(to=SOMEBODY, from_=tenant.phone, body="x" * 161).num_segments == "2"
    assert create(to=SOMEBODY, from_=tenant.phone, body="ж" * 71).num_segments == "2"
    picture = create(to=SOMEBODY, from_=tenant.phone, body="", media_url=["https://example.com/a.png"])
    assert picture.sid.startswith("MM") and picture.num_media == "1"
    assert tenant.own.messages(picture.sid).fetch().sid == picture.sid


@fact
def a_message_needs_a_text_a_sender_and_a_receiver(sim):
    tenant, other = equipped(sim), equipped(sim)
    create = tenant.own.messages.create
    refused(400, 21602, lambda: create(to=SOMEBODY, from_=tenant.phone, body=""))
    refused(400, 21604, lambda: create(to="", from_=tenant.phone, body="Hi"))
    refused(400, 21211, lambda: create(to="nobody", from_=tenant.phone, body="Hi"))
    refused(400, 21606, lambda: create(to=SOMEBODY, from_=other.phone, body="Hi"))
    refused(400, 21609, lambda: create(to=SOMEBODY, from_=tenant.phone, body="Hi", status_callback="not a url"))
    assert tenant.own.messages.list() == []


@fact
def messages_that_do_not_arrive_say_why(sim):
    tenant = equipped(sim)
    for outcome in ["undelivered", "failed"]:
        sid = tenant.message(outcome=outcome)
        sim.advance(minutes=1)
        message = tenant.own.messages(sid).fetch()
        assert message.status == outcome and 30000 < message.error_code < 31000 and message.error_message
    unknown = "SM" + "0" * 32
    refused(404, 20404, tenant.own.messages(unknown).fetch)


@fact
def messages_are_listed_by_their_ends_and_day(sim):
    tenant = equipped(sim)
    first = tenant.message(to=SOMEBODY)
    sim.advance(days=2)
    second = tenant.message(direction="inbound", **{"from": SOMEBODY}, to=tenant.phone)
    sim.advance(minutes=1)
    messages = tenant.own.messages
    sent = messages(first).fetch().date_sent

    def listed(**filters):
        return [message.sid for message in messages.list(**filters)]

    assert listed() == [second, first] and messages(second).fetch().direction == "inbound"
    assert listed(to=SOMEBODY) == [first] and listed(from_=SOMEBODY) == [second]
    assert listed(date_sent_after=sent + DAY) == [second] and listed(date_sent_before=sent + DAY) == [first]
    assert "DateSent%3C=" in sim.last_path(), sim.last_path()
    assert listed(date_sent=sent.date()) == [first] == listed(date_sent=sent)
    assert listed(date_sent_before=sent) == [first] == listed(date_sent_before=sent.date().isoformat())  # inclusive
    assert listed(date_sent_after=sent.date()) == [second, first]
    assert listed(date_sent_after=sent - DAY, date_sent_before=sent + SECOND) == [first]


@fact
def a_message_that_was_not_sent_is_not_found_by_its_day(sim):
    tenant = equipped(sim)
    tenant.own.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hello")
    assert tenant.own.messages.list(date_sent=sim.now().date()) == []
    assert len(tenant.own.messages.list()) == 1


@fact
def a_message_is_redacted_and_deleted(sim):
    tenant = equipped(sim)
    sid = tenant.message(body="A secret")
    sim.advance(minutes=1)
    assert tenant.own.messages(sid).update(body="").body == "" == tenant.own.messages(sid).fetch().body
    assert tenant.own.messages(sid).delete() is True
    refused(404, 20404, tenant.own.messages(sid).fetch)
    assert tenant.own.messages.list() == []


@fact
def queued_messages_of_a_suspended_account_fail(sim):
    sim.pace(message_sent_ms=[60_000, 60_000])
    tenant = equipped(sim)
    message = tenant.own.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hello")
    tenant.resource.update(status="suspended")
    sim.advance(minutes=5)
    failed = tenant.acting.messages(message.sid).fetch()
    assert (failed.status, failed.error_code) == ("failed", 30002)


@fact
def on_a_running_clock_messages_arrive_by_themselves(sim):
    tenant = equipped(sim)
    sim.post("clock", {"running": True, "speed": 60})
    try:
        message = tenant.own.messages.create(
            to=SOMEBODY, from_=tenant.phone, body="Hello", status_callback=sim.receiver.url("/running")
        )
        deadline = time.monotonic() + PATIENCE_SECONDS
        told = []
        while "delivered" not in told and time.monotonic() < deadline:
            time.sleep(0.02)
            told = [callback.form["MessageStatus"] for callback in sim.receiver.at("/running")]
    finally:
        sim.post("clock", {"running": False, "speed": 1})
    assert "delivered" in told and tenant.own.messages(message.sid).fetch().status == "delivered", told
