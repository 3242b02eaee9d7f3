"""What Twilio refuses besides what the other areas meet: one code after the other, each by its own doing."""

import datetime

from facts import Facts
from simulator import refused

from areas.numbers import address, bought, found
from areas.traffic import SOMEBODY, URL, equipped, in_progress

fact = Facts()

GERMAN = "+4915112345678"


@fact
def calls_are_refused_for_each_parameter(sim):
    tenant, other = equipped(sim), equipped(sim)
    ends = {"to": SOMEBODY, "from_": tenant.phone}
    foreign = other.own.applications.create(friendly_name="Theirs")
    for code, fields in [
        (21205, {}),
        (21206, {"url": URL, "send_digits": "please"}),
        (21208, {"url": URL, "timeout": 601}),
        (21209, {"url": URL, "method": "PATCH"}),
        (21210, {"url": URL, "from_": other.phone}),
        (21213, {"url": URL, "from_": ""}),
        (21218, {"application_sid": "AP" + "0" * 32}),
        (21218, {"application_sid": foreign.sid}),
        (21234, {"url": URL, "machine_detection": "Perhaps"}),
        (21626, {"url": URL, "status_callback": URL, "status_callback_event": ["hiccup"]}),
        (13621, {"url": URL, "recording_status_callback": URL, "recording_status_callback_event": ["hiccup"]}),
        (13622, {"url": URL, "recording_track": "everything"}),
    ]:
        refused(400, code, lambda: tenant.own.calls.create(**(ends | fields)))
    assert tenant.own.calls.list() == []


@fact
def messages_are_refused_for_each_parameter(sim):
    tenant = equipped(sim)
    ends = {"to": SOMEBODY, "from_": tenant.phone, "body": "Hi"}
    empty = tenant.own.messaging.v1.services.create(friendly_name="Without senders")
    create = tenant.own.messages.create
    for code, fields in [
        (21212, {"from_": "nobody"}),
        (21266, {"to": tenant.phone}),
        (21617, {"body": "x" * 1601}),
        (21620, {"media_url": ["not a url"]}),
        (21623, {"media_url": [f"https://example.com/{number}.png" for number in range(11)]}),
    ]:
        refused(400, code, lambda: create(**(ends | fields)))
    refused(400, 21603, lambda: create(to=SOMEBODY, body="Hi"))
    refused(400, 21701, lambda: create(to=SOMEBODY, body="Hi", messaging_service_sid="MG" + "0" * 32))
    refused(400, 21703, lambda: create(to=SOMEBODY, body="Hi", messaging_service_sid=empty.sid))
    assert tenant.own.messages.list() == []


@fact
def a_country_may_be_closed(sim):
    sim.quirks(regions_denied=["DE"])
    tenant = equipped(sim)
    refused(400, 21215, lambda: tenant.own.calls.create(to=GERMAN, from_=tenant.phone, url=URL))
    refused(400, 21408, lambda: tenant.own.messages.create(to=GERMAN, from_=tenant.phone, body="Hallo"))
    assert tenant.own.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hi").status == "queued"


@fact
def who_said_stop_gets_no_messages_until_start(sim):
    tenant = equipped(sim)
    ends = {"direction": "inbound", "from": SOMEBODY, "to": tenant.phone}
    tenant.message(body="STOP", **ends)
    sim.advance(seconds=10)
    refused(400, 21610, lambda: tenant.own.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hi"))
    tenant.message(body="START", **ends)
    sim.advance(seconds=10)
    assert tenant.own.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hi").status == "queued"


@fact
def a_sender_s_queue_has_an_end(sim):
    sim.quirks(queued_per_sender_max=2)
    tenant = equipped(sim)
    for _ in range(2):
        tenant.own.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hi")
    refused(400, 21611, lambda: tenant.own.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hi"))


@fact
def what_is_under_way_is_neither_deleted_nor_redacted(sim):
    tenant = equipped(sim)
    call = in_progress(sim, tenant)
    refused(400, 20009, tenant.own.calls(call).delete)
    message = tenant.own.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hi")
    refused(400, 20009, tenant.own.messages(message.sid).delete)
    refused(400, 20009, lambda: tenant.own.messages(message.sid).update(body=""))


@fact
def a_scheduled_message_is_canceled_and_a_sent_one_is_not(sim):
    tenant = equipped(sim)
    [number] = tenant.own.incoming_phone_numbers.list()
    service = tenant.own.messaging.v1.services.create(friendly_name="Later")
    tenant.own.messaging.v1.services(service.sid).phone_numbers.create(phone_number_sid=number.sid)
    send_at = sim.now() + datetime.timedelta(days=1)
    fields = {"to": SOMEBODY, "body": "Later", "messaging_service_sid": service.sid}
    message = tenant.own.messages.create(schedule_type="fixed", send_at=send_at, **fields)
    assert message.status == "scheduled" and message.date_sent is None
    assert tenant.own.messages(message.sid).update(status="canceled").status == "canceled"
    sent = tenant.message()
    sim.advance(minutes=1)
    refused(400, 30409, lambda: tenant.own.messages(sent).update(status="canceled"))


@fact
def numbers_are_refused_for_each_setting(sim):
    tenant, other = sim.subaccount(), sim.subaccount()
    number = bought(tenant.own)
    foreign = other.own.applications.create(friendly_name="Theirs")
    british = found(tenant.own, "GB").phone_number
    update, buy = tenant.own.incoming_phone_numbers(number.sid).update, tenant.own.incoming_phone_numbers.create
    for code, call in [
        (21402, lambda: update(voice_url="not a url")),
        (21502, lambda: update(status_callback="not a url")),
        (21403, lambda: update(voice_method="PUT")),
        (21405, lambda: update(voice_fallback_url=URL)),
        (21406, lambda: update(sms_fallback_url=URL)),
        (21420, lambda: update(voice_application_sid=foreign.sid)),
        (21407, lambda: buy(phone_number=british, sms_url=URL)),
        (21409, lambda: buy(phone_number=british, voice_caller_id_lookup=True)),
        (21458, lambda: tenant.own.incoming_phone_numbers.toll_free.create(phone_number=british)),
    ]:
        refused(400, code, call)


@fact
def some_numbers_need_a_bundle(sim):
    tenant = sim.subaccount()
    wanted, there = found(tenant.own, "DE").phone_number, address(tenant.own, "DE")
    buy = tenant.own.incoming_phone_numbers.create
    refused(400, 21649, lambda: buy(phone_number=wanted, address_sid=there.sid))
    where = {"account_sid": tenant.sid, "iso_country": "DE", "type": "local"}
    draft = sim.post("bundles", where | {"status": "draft"})["sid"]
    refused(400, 21649, lambda: buy(phone_number=wanted, address_sid=there.sid, bundle_sid=draft))
    sim.post(f"bundles/{draft}", {"status": "twilio-approved"})
    assert buy(phone_number=wanted, address_sid=there.sid, bundle_sid=draft).bundle_sid == draft


@fact
def an_address_s_spelling_is_put_right_unless_told_otherwise(sim):
    tenant = sim.subaccount()
    sloppy = {"customer_name": "Ada", "street": "Unter  den Linden 1", "city": "Berlin", "region": "Berlin"}
    create = tenant.own.addresses.create
    made = create(iso_country="DE", postal_code="10117", **sloppy)
    assert (made.street, made.validated) == ("Unter den Linden 1", True)
    refused(400, 21629, lambda: create(iso_country="DE", postal_code="10117", auto_correct_address=False, **sloppy))
    number = bought(tenant.own)
    tenant.own.incoming_phone_numbers(number.sid).update(address_sid=made.sid)
    assert tenant.own.incoming_phone_numbers(number.sid).fetch().address_sid == made.sid


@fact
def a_sender_belongs_to_one_service(sim):
    tenant = sim.subaccount()
    number, services = tenant.number(), tenant.own.messaging.v1.services
    one, other = services.create(friendly_name="One"), services.create(friendly_name="Other")
    services(one.sid).phone_numbers.create(phone_number_sid=number["sid"])
    status = {21710: 409, 21712: 409}
    for service, code in [(one, 21710), (other, 21712)]:
        senders = services(service.sid).phone_numbers
        refused(status[code], code, lambda: senders.create(phone_number_sid=number["sid"]))


@fact
def a_policy_must_list_something(sim):
    tenant = sim.subaccount()
    create = tenant.own.iam.v1.new_api_key.create
    for allow in [[], [f"/twilio/product/resource-{number}/read" for number in range(101)]]:
        refused(400, 70001, lambda: create(account_sid=tenant.sid, key_type="restricted", policy={"allow": allow}))


@fact
def some_accounts_records_are_not_found(sim):
    tenant = sim.subaccount()
    sim.quirks(usage_not_found=[tenant.sid])
    records = tenant.acting.usage.records
    refused(404, 20404, records.list)
    refused(404, 20404, records.daily.list)
    assert records.last_month.list(category="totalprice")


@fact
def suspended_credentials_may_be_told_more(sim):
    tenant = sim.subaccount()
    tenant.resource.update(status="suspended")
    for answer, status in [("not_active", 401), ("forbidden", 403)]:
        sim.quirks(inactive_answer=answer)
        refused(status, 20005, tenant.own.messages.list)
