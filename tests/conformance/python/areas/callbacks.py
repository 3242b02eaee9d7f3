"""Callbacks: whom they reach, what they say, who signed them, and when they are sent again.

The official library's RequestValidator judges every one that arrives.
"""

import re
import socket

from facts import Facts
from twilio.request_validator import get_signature_algorithm

from areas.traffic import SOMEBODY, URL, equipped, in_progress

fact = Facts()

MESSAGE_FIELDS = {"AccountSid", "MessageSid", "SmsSid", "MessageStatus", "SmsStatus", "To", "From", "ApiVersion"}
ENDS = {end + part for end in ["To", "From", "Called", "Caller"] for part in ["", "City", "State", "Zip", "Country"]}
CALL_FIELDS = ENDS | {
    "Direction",
    "Timestamp",
    "CallbackSource",
    "SequenceNumber",
    "CallSid",
    "AccountSid",
    "ApiVersion",
    "CallStatus",
}


def sent(sim, tenant, path, **fields):
    """Sends a message whose callbacks go to a path, and lets it arrive."""
    message = tenant.own.messages.create(
        to=SOMEBODY, from_=tenant.phone, body="Hi", status_callback=sim.receiver.url(path), **fields
    )
    sim.advance(minutes=1)
    return message


def called(sim, tenant, path, events=None, **fields):
    """Makes a call whose callbacks go to a path; it is answered and ended."""
    call = tenant.own.calls.create(
        to=SOMEBODY,
        from_=tenant.phone,
        url=URL,
        status_callback=sim.receiver.url(path),
        status_callback_event=events or [],
        **fields,
    )
    sim.advance(seconds=20)
    tenant.own.calls(call.sid).update(status="completed")
    sim.advance(minutes=1)
    return call


@fact
def a_message_s_callbacks_tell_each_status(sim):
    tenant = equipped(sim)
    message = sent(sim, tenant, "/sms")
    arrived = sim.receiver.at("/sms")
    statuses = [callback.form["MessageStatus"] for callback in arrived]
    assert [status for status in statuses if status not in ("queued", "sending")] == ["sent", "delivered"], statuses
    for callback in arrived:
        assert callback.method == "POST" and callback.signed_with(tenant.token)
        assert callback.headers["Content-Type"].startswith("application/x-www-form-urlencoded")
        assert MESSAGE_FIELDS <= set(callback.form) and "Price" not in callback.form
        assert callback.form["MessageSid"] == callback.form["SmsSid"] == message.sid
        assert callback.form["SmsStatus"] == callback.form["MessageStatus"]
        assert (callback.form["AccountSid"], callback.form["From"]) == (tenant.sid, tenant.phone)
        assert callback.token
    assert len({callback.token for callback in arrived}) == len(arrived)
    assert re.fullmatch(r"\d{10}", arrived[-1].form["RawDlrDoneDate"])


@fact
def a_failure_is_told_with_its_code(sim):
    tenant = equipped(sim)
    for outcome in ["undelivered", "failed"]:
        tenant.message(outcome=outcome, status_callback=sim.receiver.url(f"/{outcome}"))
        sim.advance(minutes=1)
        last = sim.receiver.at(f"/{outcome}")[-1]
        assert last.form["MessageStatus"] == outcome and last.signed_with(tenant.token)
        assert last.form["ErrorCode"].startswith("30") and last.form["ErrorMessage"]


@fact
def only_the_owner_s_token_fits_a_signature(sim):
    tenant = equipped(sim)
    sent(sim, tenant, "/signed?tenant=7&name=%C3%A9")
    callback = sim.receiver.at("/signed")[-1]
    assert callback.query == {"tenant": "7", "name": "é"} and callback.signed_with(tenant.token)
    assert not callback.signed_with(sim.token)
    callback.pairs.append(("Extra", "1"))
    assert not callback.signed_with(tenant.token)
    callback.pairs.pop()
    callback.url += "&more=1"
    assert not callback.signed_with(tenant.token)


@fact
def a_call_s_end_is_told_by_default(sim):
    tenant = equipped(sim)
    call = called(sim, tenant, "/voice")
    [callback] = sim.receiver.at("/voice")
    assert callback.signed_with(tenant.token) and CALL_FIELDS <= set(callback.form), set(callback.form)
    told = callback.form
    assert (told["CallStatus"], told["CallSid"], told["AccountSid"]) == ("completed", call.sid, tenant.sid)
    assert (told["Direction"], told["CallbackSource"]) == ("outbound-api", "call-progress-events")
    assert told["To"] == told["Called"] == SOMEBODY and told["From"] == told["Caller"] == tenant.phone
    seconds = int(told["CallDuration"])
    assert 0 < seconds < 60 and told["Duration"] == "1"  # in whole minutes
    assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} \+0000", told["Timestamp"])


@fact
def a_call_s_steps_are_told_where_asked_for(sim):
    tenant = equipped(sim)
    called(sim, tenant, "/steps", ["initiated", "ringing", "answered", "completed"])
    arrived = sim.receiver.at("/steps")
    statuses = [callback.form["CallStatus"] for callback in arrived]
    assert statuses == ["initiated", "ringing", "in-progress", "completed"]
    assert [callback.form["SequenceNumber"] for callback in arrived] == ["0", "1", "2", "3"]
    assert all(callback.signed_with(tenant.token) for callback in arrived)
    assert ["CallDuration" in callback.form for callback in arrived] == [False, False, False, True]


@fact
def a_busy_line_is_told_without_a_duration(sim):
    tenant = equipped(sim)
    tenant.call(outcome="busy", status_callback=sim.receiver.url("/busy"))
    sim.advance(minutes=2)
    last = sim.receiver.at("/busy")[-1]
    assert (last.form["CallStatus"], last.form["Duration"], last.form["CallDuration"]) == ("busy", "0", "0")


@fact
def a_callback_by_get_has_its_parameters_in_the_query(sim):
    tenant = equipped(sim)
    called(sim, tenant, "/get?mine=1", ["answered", "completed"], status_callback_method="GET")
    arrived = sim.receiver.at("/get")
    assert [callback.query["CallStatus"] for callback in arrived] == ["in-progress", "completed"]
    for callback in arrived:
        assert callback.method == "GET" and callback.query["mine"] == "1" and callback.pairs == []
        assert callback.signed_with(tenant.token)


@fact
def a_recording_s_states_are_told(sim):
    tenant = equipped(sim)
    call = called(
        sim,
        tenant,
        "/call",
        record=True,
        recording_channels="dual",
        recording_status_callback=sim.receiver.url("/recording"),
        recording_status_callback_event=["in-progress", "completed"],
    )
    first, last = sim.receiver.at("/recording")
    assert first.signed_with(tenant.token) and last.signed_with(tenant.token)
    assert [one.form["RecordingStatus"] for one in (first, last)] == ["in-progress", "completed"]
    told = last.form
    [recording] = tenant.own.recordings.list(call_sid=call.sid)
    assert (told["AccountSid"], told["CallSid"], told["RecordingSid"]) == (tenant.sid, call.sid, recording.sid)
    assert told["RecordingUrl"].endswith(f"/Recordings/{recording.sid}") and told["RecordingChannels"] == "2"
    assert told["RecordingSource"] == "OutboundAPI" and told["RecordingDuration"] == recording.duration
    assert told["RecordingStartTime"] and told["RecordingTrack"]
    [ended] = sim.receiver.at("/call")
    assert ended.form["RecordingSid"] == recording.sid and ended.form["RecordingDuration"] == recording.duration


@fact
def a_number_s_own_callback_tells_of_inbound_calls(sim):
    tenant = equipped(sim)
    [number] = tenant.own.incoming_phone_numbers.list()
    tenant.own.incoming_phone_numbers(number.sid).update(status_callback=sim.receiver.url("/inbound"))
    tenant.call(direction="inbound", to=tenant.phone, duration_s=5)
    sim.advance(minutes=1)
    last = sim.receiver.at("/inbound")[-1]
    assert (last.form["Direction"], last.form["CallStatus"]) == ("inbound", "completed")
    assert last.signed_with(tenant.token)


@fact
def a_message_s_own_callback_wins_over_its_service_s(sim):
    tenant = equipped(sim)
    service = tenant.own.messaging.v1.services.create(friendly_name="S", status_callback=sim.receiver.url("/service"))
    [number] = tenant.own.incoming_phone_numbers.list()
    tenant.own.messaging.v1.services(service.sid).phone_numbers.create(phone_number_sid=number.sid)
    message = tenant.own.messages.create(to=SOMEBODY, messaging_service_sid=service.sid, body="By service")
    sim.advance(minutes=1)
    arrived = sim.receiver.at("/service")
    assert arrived[-1].form["MessageSid"] == message.sid and arrived[-1].form["MessagingServiceSid"] == service.sid
    assert arrived[-1].form["MessageStatus"] == "delivered" and arrived[-1].signed_with(tenant.token)
    before = len(arrived)
    tenant.own.messages.create(
        to=SOMEBODY, messaging_service_sid=service.sid, body="Own", status_callback=sim.receiver.url("/own")
    )
    sim.advance(minutes=1)
    assert sim.receiver.at("/own") and len(sim.receiver.at("/service")) == before


@fact
def the_promoted_token_signs_and_the_secondary_never_does(sim):
    tenant = equipped(sim)
    secondary = tenant.own.accounts.v1.secondary_auth_token().create().secondary_auth_token
    sent(sim, tenant, "/before")
    assert all(callback.signed_with(tenant.token) for callback in sim.receiver.at("/before"))
    assert not any(callback.signed_with(secondary) for callback in sim.receiver.at("/before"))
    tenant.own.accounts.v1.auth_token_promotion().update()
    tenant.own = sim.client(tenant.sid, secondary)
    sim.advance(minutes=2)
    sent(sim, tenant, "/after")
    assert sim.receiver.at("/after") and all(callback.signed_with(secondary) for callback in sim.receiver.at("/after"))
    assert not any(callback.signed_with(tenant.token) for callback in sim.receiver.at("/after"))


@fact
def a_shared_key_signs_in_the_token_s_place(sim):
    tenant = equipped(sim)
    for algorithm in ["HMAC_SHA256", "HMAC_SHA1"]:
        key = {"id": f"webhooks_sharedkey_{algorithm.lower()}", "secret": "a secret of two", "algorithm": algorithm}
        sim.post(f"accounts/{tenant.sid}", {"shared_key": key})
        sent(sim, tenant, f"/{algorithm}")
        callback = sim.receiver.at(f"/{algorithm}")[-1]
        settings = callback.headers["X-Twilio-Webhooks-Signature-Settings"]
        assert settings == f"key={key['id']},algorithm={algorithm}", settings
        assert callback.signed_with(key["secret"], get_signature_algorithm(settings))
        assert not callback.signed_with(tenant.token) and not callback.signed_with(tenant.token, algorithm)
    sim.post(f"accounts/{tenant.sid}", {"shared_key": None})
    sent(sim, tenant, "/token")
    assert sim.receiver.at("/token")[-1].signed_with(tenant.token)


@fact
def a_callback_may_come_twice_with_the_same_token(sim):
    sim.quirks(callback_duplicate_per_mille=1000)
    tenant = equipped(sim)
    sent(sim, tenant, "/twice")
    sim.advance(minutes=1)
    arrived = sim.receiver.at("/twice")
    tokens = [callback.token for callback in arrived]
    assert len(tokens) == 2 * len(set(tokens)) and all(callback.signed_with(tenant.token) for callback in arrived)


@fact
def callbacks_may_come_out_of_order(sim):
    sim.quirks(callback_disorder_per_mille=500)
    tenant = equipped(sim)
    for number in range(10):
        called(sim, tenant, f"/disorder/{number}", ["initiated", "ringing", "answered", "completed"])
    sim.advance(minutes=2)
    orders = []
    for number in range(10):
        arrived = sim.receiver.at(f"/disorder/{number}")
        orders.append([int(callback.form["SequenceNumber"]) for callback in arrived])
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders), orders
    assert any(order != [0, 1, 2, 3] for order in orders), orders


@fact
def by_default_a_refusal_is_not_tried_again(sim):
    tenant = equipped(sim)
    sim.receiver.script("/once", 500, 500, 500, 500, 500)
    tenant.call(duration_s=1, status_callback=sim.receiver.url("/once"))
    sim.advance(minutes=2)
    tokens = [callback.token for callback in sim.receiver.at("/once")]
    assert tokens and len(tokens) == len(set(tokens))


@fact
def a_fragment_asks_for_retries_and_is_neither_sent_nor_signed(sim):
    tenant = equipped(sim)
    sim.receiver.script("/again", 500, 404, 503)
    called(sim, tenant, "/again?a=b#rc=3&rp=4xx,5xx")
    arrived = sim.receiver.at("/again")
    assert len(arrived) == 4 and len({callback.token for callback in arrived}) == 1
    assert all(callback.target == "/again?a=b" and callback.signed_with(tenant.token) for callback in arrived)


@fact
def there_are_at_most_five_retries(sim):
    tenant = equipped(sim)
    sim.receiver.script("/never", *[500] * 20)
    called(sim, tenant, "/never#rc=9&rp=5xx")
    assert len(sim.receiver.at("/never")) == 6


@fact
def what_no_policy_names_is_not_tried_again(sim):
    tenant = equipped(sim)
    for path, statuses, policy, times in [
        ("/only5xx", [404], "5xx", 1),
        ("/only4xx", [500], "4xx", 1),
        ("/all", [404, 500], "all", 3),
        ("/none", [500], "ct", 1),
    ]:
        sim.receiver.script(path, *statuses)
        called(sim, tenant, f"{path}#rc=3&rp={policy}")
        assert len(sim.receiver.at(path)) == times, path


@fact
def a_receiver_that_does_not_answer_is_given_up(sim):
    tenant = equipped(sim)
    # The default policy is failed connections only.
    for path, overrides, attempts in [("/slow", "rt=300&rc=1&rp=rt", 2), ("/slower", "rt=300&rc=3", 1)]:
        sim.receiver.script(path, None, None)
        call = called(sim, tenant, f"{path}#{overrides}")
        [logged] = [one for one in sim.get("callbacks") if one["resource_sid"] == call.sid]
        outcomes = [one["outcome"] for one in logged["outcomes"]]
        assert (logged["attempts"], outcomes) == (attempts, ["not_answered"] * attempts), logged
        assert logged["http_status"] is None and logged["alerts"] == [11200]


@fact
def a_connection_that_fails_is_tried_once_more(sim):
    tenant = equipped(sim)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}/nobody"
        tenant.call(outcome="busy", status_callback=closed)
        sim.advance(minutes=2)
        tenant.call(outcome="busy", status_callback=closed + "#rc=0")
        sim.advance(minutes=2)
    logged = [one for one in sim.get("callbacks") if one["url"] == closed]
    last = [one["attempts"] for one in logged if one["status"] == "busy"]
    assert last == [2, 1] and all(one["http_status"] is None for one in logged), logged


@fact
def the_delivery_log_tells_what_became_of_each(sim):
    tenant = equipped(sim)
    message = sent(sim, tenant, "/logged#rc=1")
    logged = [one for one in sim.get("callbacks") if one["resource_sid"] == message.sid]
    assert [one["status"] for one in logged] == [one.form["MessageStatus"] for one in sim.receiver.at("/logged")]
    for one in logged:
        assert (one["account_sid"], one["url"]) == (tenant.sid, sim.receiver.url("/logged"))
        assert (one["attempts"], one["http_status"], one["duplicate"]) == (1, 200, False)


@fact
def ending_a_call_by_hand_is_told_too(sim):
    tenant = equipped(sim)
    sid = in_progress(sim, tenant, status_callback=sim.receiver.url("/ended"))
    tenant.resource.update(status="suspended")
    tenant.acting.calls(sid).update(status="completed")
    sim.advance(seconds=10)
    last = sim.receiver.at("/ended")[-1]
    assert last.form["CallStatus"] == "completed" and last.signed_with(tenant.token)
