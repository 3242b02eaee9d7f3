"""Calls, conferences and recordings: made, watched over simulated time, listed, ended."""

import datetime
import re
from decimal import Decimal

from facts import Facts
from simulator import LocalHttpClient, refused

fact = Facts()

SOMEBODY, SOMEBODY_ELSE = "+14155550142", "+442079460123"
URL = "https://example.com/twiml"
LIVE = ["queued", "ringing", "in-progress"]
SECOND, DAY = datetime.timedelta(seconds=1), datetime.timedelta(days=1)


def equipped(sim):
    """A tenant with a number."""
    tenant = sim.subaccount()
    tenant.phone = tenant.number()["phone_number"]
    return tenant


def watched(sim, fetch, seconds=60):
    """Every status that a resource shows on its way, in order."""
    seen = []
    for _ in range(seconds * 5):
        status = fetch().status
        if not seen or seen[-1] != status:
            seen.append(status)
        sim.advance(milliseconds=200)
    return seen


def in_progress(sim, tenant, **fields):
    """The SID of a call that has been answered and goes on for an hour."""
    sid = tenant.call(duration_s=3600, **fields)
    sim.advance(seconds=30)
    assert tenant.acting.calls(sid).fetch().status == "in-progress"
    return sid


@fact
def a_call_begins_queued_and_without_a_price(sim):
    tenant = equipped(sim)
    call = tenant.own.calls.create(to=SOMEBODY, from_=tenant.phone, url=URL)
    assert LocalHttpClient.last.status_code == 201 and re.fullmatch("CA[0-9a-f]{32}", call.sid)
    assert (call.status, call.direction, call.price, call.price_unit) == ("queued", "outbound-api", None, "USD")
    assert (call.to, call._from, call.account_sid) == (SOMEBODY, tenant.phone, tenant.sid)
    assert call.start_time is None and call.end_time is None and call.duration is None
    assert call.date_created == sim.now() and call.subresource_uris["recordings"].endswith("/Recordings.json")


@fact
def a_call_rings_is_answered_ends_and_is_priced_later(sim):
    tenant = equipped(sim)
    sid = tenant.call(duration_s=20)
    seen = watched(sim, tenant.own.calls(sid).fetch)
    assert [status for status in seen if status != "initiated"] == ["queued", "ringing", "in-progress", "completed"], (
        seen
    )
    sim.advance(days=1)
    call = tenant.own.calls(sid).fetch()
    assert call.duration == "20" and call.end_time - call.start_time >= 20 * SECOND, vars(call)
    assert re.fullmatch(r"-\d+\.\d+", call.price) and Decimal(call.price) < 0 and call.price_unit == "USD"


@fact
def a_price_may_take_a_day(sim):
    sim.pace(price_ms=[80_000_000, 80_000_000])
    tenant = equipped(sim)
    sid = tenant.call(duration_s=10)
    sim.advance(hours=1)
    assert (tenant.own.calls(sid).fetch().status, tenant.own.calls(sid).fetch().price) == ("completed", None)
    sim.advance(days=1)
    assert tenant.own.calls(sid).fetch().price is not None


@fact
def calls_that_nobody_takes_have_no_duration(sim):
    tenant = equipped(sim)
    for outcome in ["busy", "no-answer", "failed"]:
        sid = tenant.call(outcome=outcome)
        sim.advance(minutes=2)
        call = tenant.own.calls(sid).fetch()
        assert call.status == outcome and call.duration in (None, "0")


@fact
def a_call_needs_two_numbers_and_good_urls(sim):
    tenant = equipped(sim)
    create = tenant.own.calls.create
    refused(400, 21201, lambda: create(to="", from_=tenant.phone, url=URL))
    refused(400, 21211, lambda: create(to="nobody", from_=tenant.phone, url=URL))
    refused(400, 21211, lambda: create(to="12", from_=tenant.phone, url=URL))
    refused(400, 21212, lambda: create(to=SOMEBODY, from_="nobody", url=URL))
    refused(400, 21502, lambda: create(to=SOMEBODY, from_=tenant.phone, url=URL, status_callback="not a url"))
    assert tenant.own.calls.list() == []


@fact
def a_live_call_is_ended_and_an_ended_one_refuses(sim):
    tenant = equipped(sim)
    sid = in_progress(sim, tenant)
    assert tenant.acting.calls(sid).update(status="completed").status == "completed"
    assert LocalHttpClient.last.status_code == 200
    refused(400, 21220, lambda: tenant.acting.calls(sid).update(status="completed"))
    refused(400, 21220, lambda: tenant.acting.calls(sid).update(status="canceled"))
    sim.advance(seconds=1)
    assert tenant.own.calls(sid).fetch().status == "completed"


@fact
def a_call_that_is_not_answered_yet_is_canceled(sim):
    tenant = equipped(sim)
    sid = tenant.call()
    assert tenant.own.calls(sid).update(status="canceled").status == "canceled"
    refused(400, 21220, lambda: tenant.own.calls(sid).update(status="completed"))
    running = in_progress(sim, tenant)
    tenant.own.calls(running).update(status="canceled")
    assert tenant.own.calls(running).fetch().status == "in-progress"  # too late


@fact
def calls_are_listed_by_their_ends_and_status(sim):
    tenant = equipped(sim)
    running = in_progress(sim, tenant, to=SOMEBODY)
    done = tenant.call(to=SOMEBODY_ELSE, duration_s=1)
    sim.advance(minutes=1)
    inbound = tenant.call(direction="inbound", **{"from": SOMEBODY}, to=tenant.phone, duration_s=5)
    calls = tenant.own.calls
    assert [call.sid for call in calls.list()] == [inbound, done, running]
    assert [call.sid for call in calls.list(status="in-progress")] == [running]
    assert [call.sid for call in calls.list(status="completed")] == [done]
    assert [call.sid for call in calls.list(to=SOMEBODY)] == [running]
    assert [call.sid for call in calls.list(from_=SOMEBODY)] == [inbound]
    assert [call.sid for call in calls.list(from_=tenant.phone, to=SOMEBODY_ELSE)] == [done]
    assert calls(inbound).fetch().direction == "inbound"


@fact
def calls_are_listed_by_when_they_began_and_ended(sim):
    tenant = equipped(sim)
    first = tenant.call(duration_s=10)
    sim.advance(days=2)
    second = tenant.call(duration_s=10)
    sim.advance(minutes=2)
    calls, began = tenant.own.calls, tenant.own.calls(second).fetch().start_time
    ended = tenant.own.calls(second).fetch().end_time

    def listed(**filters):
        return [call.sid for call in calls.list(**filters)]

    assert listed(start_time_after=began) == [second]  # on or after
    sent = began.strftime("StartTime%%3E=%Y-%m-%dT%H%%3A%M%%3A%SZ")
    assert sent in sim.last_path(), sim.last_path()
    assert listed(start_time_after=began + SECOND) == []
    assert listed(start_time_before=began) == [first]  # before
    assert listed(start_time_before=began + SECOND) == [second, first]
    assert listed(start_time=began) == [second]
    assert (
        listed(start_time_after=(began - DAY).date()) == [second] == listed(start_time_after=began.date().isoformat())
    )
    assert listed(start_time_before=began.date()) == [first]
    assert listed(start_time=began.date().isoformat()) == [second]
    assert listed(start_time_after=began - 3 * DAY, start_time_before=began - DAY) == [first]
    assert listed(end_time_after=ended) == [second] and listed(end_time_before=ended) == [first]
    assert listed(end_time=ended.date().isoformat()) == [second]
    refused(400, 20001, lambda: calls.list(start_time="yesterday"))


@fact
def the_legs_of_a_call_name_their_parent(sim):
    tenant = equipped(sim)
    parent = in_progress(sim, tenant)
    legs = [tenant.call(parent_call_sid=parent, duration_s=30) for _ in range(2)]
    assert [call.sid for call in tenant.own.calls.list(parent_call_sid=parent)] == legs[::-1]
    assert tenant.own.calls(legs[0]).fetch().parent_call_sid == parent
    assert tenant.own.calls(parent).fetch().parent_call_sid is None


@fact
def a_new_call_may_be_listed_only_later(sim):
    sim.quirks(call_list_lag_ms=3000)
    tenant = equipped(sim)
    sid = tenant.call(duration_s=600)
    assert tenant.own.calls.list() == [] and tenant.own.calls(sid).fetch().sid == sid
    sim.advance(seconds=4)
    assert [call.sid for call in tenant.own.calls.list()] == [sid]


@fact
def the_record_of_a_call_is_deleted_once_it_ended(sim):
    tenant = equipped(sim)
    sid = tenant.call(duration_s=1)
    sim.advance(minutes=1)
    assert tenant.own.calls(sid).delete() is True
    refused(404, 20404, tenant.own.calls(sid).fetch)
    refused(404, 20404, tenant.own.calls("CA" + "0" * 32).fetch)


@fact
def suspension_leaves_live_calls_running_and_lets_none_begin(sim):
    tenant = equipped(sim)
    running = {in_progress(sim, tenant), tenant.call(duration_s=3600)}
    tenant.resource.update(status="suspended")
    sim.advance(minutes=10)
    for create in [
        lambda: tenant.acting.calls.create(to=SOMEBODY, from_=tenant.phone, url=URL),
        lambda: tenant.acting.messages.create(to=SOMEBODY, from_=tenant.phone, body="Hi"),
    ]:
        refused(401, 20005, create)
    live = [call.sid for status in LIVE for call in tenant.acting.calls.list(status=status)]
    assert set(live) == running
    for sid in live:
        assert tenant.acting.calls(sid).update(status="completed").status == "completed"
    assert [call for status in LIVE for call in tenant.acting.calls.list(status=status)] == []


@fact
def closing_ends_what_runs(sim):
    tenant = equipped(sim)
    sid = in_progress(sim, tenant)
    tenant.resource.update(status="closed")
    assert tenant.acting.calls(sid).fetch().status == "completed"


@fact
def callers_meet_in_a_conference_that_is_ended(sim):
    tenant = equipped(sim)
    room = "<Response><Dial><Conference>Room 7</Conference></Dial></Response>"
    for to in [SOMEBODY, SOMEBODY_ELSE]:
        tenant.own.calls.create(to=to, from_=tenant.phone, twiml=room)
    sim.advance(seconds=20)
    conferences = tenant.own.conferences
    listed = conferences.list(friendly_name="Room 7", status="in-progress")
    assert len(listed) == 1 and re.fullmatch("CF[0-9a-f]{32}", listed[0].sid)
    conference = listed[0]
    assert conferences(conference.sid).fetch().friendly_name == "Room 7" and conference.region
    assert {call.status for call in tenant.own.calls.list()} == {"in-progress"}
    ended = conferences(conference.sid).update(status="completed")
    assert (ended.status, ended.reason_conference_ended) == ("completed", "conference-ended-via-api")
    sim.advance(seconds=10)
    assert {call.status for call in tenant.own.calls.list()} == {"completed"}
    today = sim.now().date()
    assert [one.sid for one in conferences.list(date_created=today)] == [conference.sid]
    assert conferences.list(date_created_before=today - DAY) == [] == conferences.list(status="in-progress")
    assert [one.sid for one in conferences.list(date_updated_after=today)] == [conference.sid]


@fact
def a_call_is_recorded_from_its_beginning(sim):
    tenant = equipped(sim)
    call = tenant.own.calls.create(to=SOMEBODY, from_=tenant.phone, url=URL, record=True)
    sim.advance(seconds=20)
    tenant.own.calls(call.sid).update(status="completed")
    sim.advance(minutes=2)
    recordings = tenant.own.recordings.list(call_sid=call.sid)
    assert len(recordings) == 1 and re.fullmatch("RE[0-9a-f]{32}", recordings[0].sid)
    recording = tenant.own.recordings(recordings[0].sid).fetch()
    assert (recording.status, recording.source, recording.call_sid) == ("completed", "OutboundAPI", call.sid)
    assert int(recording.duration) > 0 and recording.channels == 1 and recording.start_time
    assert [one.sid for one in tenant.own.calls(call.sid).recordings.list()] == [recording.sid]
    assert tenant.own.calls(call.sid).recordings(recording.sid).fetch().sid == recording.sid


@fact
def a_live_call_s_recording_is_begun_paused_and_stopped(sim):
    tenant = equipped(sim)
    sid = in_progress(sim, tenant)
    recordings = tenant.own.calls(sid).recordings
    made = recordings.create(recording_channels="dual")
    assert LocalHttpClient.last.status_code == 201 and (made.status, made.channels) == ("in-progress", 2)
    assert made.source == "StartCallRecordingAPI"
    sim.advance(seconds=10)
    assert recordings(made.sid).update(status="paused").status == "paused"
    assert recordings(made.sid).update(status="in-progress").status == "in-progress"
    assert recordings(made.sid).update(status="stopped").status == "stopped"
    sim.advance(minutes=1)
    assert recordings(made.sid).fetch().status == "completed"
    tenant.own.calls(sid).update(status="completed")
    refused(400, 21220, recordings.create)


@fact
def recordings_are_listed_by_day_and_deleted(sim):
    tenant = equipped(sim)
    made = []
    for _ in range(2):
        call = tenant.own.calls.create(to=SOMEBODY, from_=tenant.phone, url=URL, record=True)
        sim.advance(seconds=20)
        tenant.own.calls(call.sid).update(status="completed")
        sim.advance(minutes=5)
        made.append(tenant.own.recordings.list(call_sid=call.sid)[0])
        sim.advance(days=1)
    recordings, first = tenant.own.recordings, made[0].date_created
    assert [one.sid for one in recordings.list()] == [made[1].sid, made[0].sid]
    assert [one.sid for one in recordings.list(date_created_after=first + DAY / 2)] == [made[1].sid]
    assert [one.sid for one in recordings.list(date_created_before=first + DAY / 2)] == [made[0].sid]
    assert recordings(made[0].sid).delete() is True
    refused(404, 20404, recordings(made[0].sid).fetch)
    assert [one.sid for one in recordings.list()] == [made[1].sid]
    assert {one.sid for one in recordings.list(include_soft_deleted=True)} == {made[0].sid, made[1].sid}
    assert recordings(made[0].sid).fetch(include_soft_deleted=True).status == "deleted"


@fact
def generated_traffic_follows_its_profile(sim):
    tenant = sim.subaccount()
    sim.post("traffic", {"account_sid": tenant.sid, "profile": {"messages_per_day": 40, "calls_per_day": 10}})
    sim.advance(days=2)
    sim.control("DELETE", "traffic", {"account_sid": tenant.sid})
    messages, calls = len(tenant.own.messages.list()), len(tenant.own.calls.list())
    assert 40 <= messages <= 120 and 10 <= calls <= 30, (messages, calls)
    sim.advance(days=1)
    assert len(tenant.own.messages.list()) == messages
