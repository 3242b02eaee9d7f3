// Calls, conferences and recordings: made, watched over simulated time, listed, ended.

import assert from "node:assert/strict";

import { DAY, dayOf, inTurn, later, refused, sids } from "../simulator.mjs";

export const SOMEBODY = "+14155550142";
const SOMEBODY_ELSE = "+442079460123";
export const URL_OF_TWIML = "https://example.com/twiml";
const LIVE = ["queued", "ringing", "in-progress"];

/** A tenant with a number. */
export async function equipped(sim) {
  const tenant = await sim.subaccount();
  tenant.phone = (await tenant.number()).phone_number;
  return tenant;
}

/** The SID of a call that has been answered and goes on for an hour. */
export async function inProgress(sim, tenant, fields = {}) {
  const sid = await tenant.call({ duration_s: 3600, ...fields });
  await sim.advance({ seconds: 30 });
  assert.equal((await tenant.acting.calls(sid).fetch()).status, "in-progress");
  return sid;
}

/** Every status that a resource shows on its way, in order. */
export async function watched(sim, resource, seconds) {
  const seen = [];
  for (let tick = 0; tick < seconds * 5; tick += 1) {
    const { status } = await resource.fetch();
    if (seen.at(-1) !== status) seen.push(status);
    await sim.advance({ milliseconds: 200 });
  }
  return seen;
}

const calling = (tenant, fields = {}) =>
  tenant.own.calls.create({ to: SOMEBODY, from: tenant.phone, url: URL_OF_TWIML, ...fields });

const calls = {
  async "a call begins queued and without a price"(sim) {
    const tenant = await equipped(sim);
    const call = await calling(tenant);
    assert.equal(sim.lastStatus(), 201);
    assert.match(call.sid, /^CA[0-9a-f]{32}$/);
    assert.deepEqual(
      [call.status, call.direction, call.price, call.priceUnit],
      ["queued", "outbound-api", null, "USD"],
    );
    assert.deepEqual([call.to, call.from, call.accountSid], [SOMEBODY, tenant.phone, tenant.sid]);
    assert.deepEqual([call.endTime, call.duration], [null, null]);
    assert.deepEqual(call.dateCreated, await sim.now());
  },

  async "a call rings, is answered, ends and is priced later"(sim) {
    const tenant = await equipped(sim);
    const sid = await tenant.call({ duration_s: 20 });
    const seen = await watched(sim, tenant.own.calls(sid), 60);
    assert.deepEqual(
      seen.filter((status) => status !== "initiated"),
      ["queued", "ringing", "in-progress", "completed"],
    );
    await sim.advance({ days: 1 });
    const call = await tenant.own.calls(sid).fetch();
    assert.equal(call.duration, "20");
    assert(call.endTime >= later(call.startTime, 20));
    assert.match(call.price, /^-\d+\.\d+$/);
    assert(Number(call.price) < 0);
  },

  async "a price may take a day"(sim) {
    await sim.pace({ price_ms: [80_000_000, 80_000_000] });
    const tenant = await equipped(sim);
    const sid = await tenant.call({ duration_s: 10 });
    await sim.advance({ hours: 1 });
    const call = await tenant.own.calls(sid).fetch();
    assert.deepEqual([call.status, call.price], ["completed", null]);
    await sim.advance({ days: 1 });
    assert((await tenant.own.calls(sid).fetch()).price);
  },

  async "calls that nobody takes have no duration"(sim) {
    const tenant = await equipped(sim);
    for (const outcome of ["busy", "no-answer", "failed"]) {
      const sid = await tenant.call({ outcome });
      await sim.advance({ minutes: 2 });
      const call = await tenant.own.calls(sid).fetch();
      assert.equal(call.status, outcome);
      assert([null, "0"].includes(call.duration));
    }
  },

  async "a call needs two numbers and good URLs"(sim) {
    const tenant = await equipped(sim);
    await refused(400, 21201, () => calling(tenant, { to: "" }));
    await refused(400, 21211, () => calling(tenant, { to: "nobody" }));
    await refused(400, 21212, () => calling(tenant, { from: "nobody" }));
    await refused(400, 21502, () => calling(tenant, { statusCallback: "not a url" }));
    assert.deepEqual(await tenant.own.calls.list(), []);
  },

  async "a live call is ended and an ended one refuses"(sim) {
    const tenant = await equipped(sim);
    const call = tenant.acting.calls(await inProgress(sim, tenant));
    assert.equal((await call.update({ status: "completed" })).status, "completed");
    assert.equal(sim.lastStatus(), 200);
    await refused(400, 21220, () => call.update({ status: "completed" }));
    await refused(400, 21220, () => call.update({ status: "canceled" }));
  },

  async "a call that is not answered yet is canceled"(sim) {
    const tenant = await equipped(sim);
    const sid = await tenant.call();
    assert.equal((await tenant.own.calls(sid).update({ status: "canceled" })).status, "canceled");
    await refused(400, 21220, () => tenant.own.calls(sid).update({ status: "completed" }));
  },

  async "calls are listed by their ends and status"(sim) {
    const tenant = await equipped(sim);
    const running = await inProgress(sim, tenant, { to: SOMEBODY });
    const done = await tenant.call({ to: SOMEBODY_ELSE, duration_s: 1 });
    await sim.advance({ minutes: 1 });
    const inbound = await tenant.call({ direction: "inbound", from: SOMEBODY, to: tenant.phone, duration_s: 5 });
    for (const [filters, expected] of [
      [{}, [inbound, done, running]],
      [{ status: "in-progress" }, [running]],
      [{ status: "completed" }, [done]],
      [{ to: SOMEBODY }, [running]],
      [{ from: SOMEBODY }, [inbound]],
      [{ from: tenant.phone, to: SOMEBODY_ELSE }, [done]],
    ]) {
      assert.deepEqual(sids(await tenant.own.calls.list(filters)), expected, JSON.stringify(filters));
    }
  },

  async "calls are listed by when they began and ended"(sim) {
    const tenant = await equipped(sim);
    const first = await tenant.call({ duration_s: 10 });
    await sim.advance({ days: 2 });
    const second = await tenant.call({ duration_s: 10 });
    await sim.advance({ minutes: 2 });
    const { startTime, endTime } = await tenant.own.calls(second).fetch();
    const date = startTime.toISOString().slice(0, 10);
    const listed = async (filters) => sids(await tenant.own.calls.list(filters));
    assert.deepEqual(await listed({ startTimeAfter: startTime }), [second]); // on or after
    const sent = `StartTime%3E=${encodeURIComponent(startTime.toISOString().slice(0, 19))}Z`;
    assert((await sim.lastPath()).includes(sent), await sim.lastPath());
    for (const [filters, expected] of [
      [{ startTimeAfter: later(startTime, 1) }, []],
      [{ startTimeBefore: startTime }, [first]], // before
      [{ startTimeBefore: later(startTime, 1) }, [second, first]],
      [{ startTime }, [second]],
      [{ startTime: date }, [second]],
      [{ startTime: dayOf(startTime) }, [second]],
      [{ startTimeAfter: date }, [second]],
      [{ startTimeBefore: date }, [first]],
      [{ startTimeAfter: later(startTime, -3 * DAY), startTimeBefore: later(startTime, -DAY) }, [first]],
      [{ endTimeAfter: endTime }, [second]],
      [{ endTimeBefore: endTime }, [first]],
      [{ endTime: endTime.toISOString().slice(0, 10) }, [second]],
    ]) {
      assert.deepEqual(await listed(filters), expected, JSON.stringify(filters));
    }
    await refused(400, 20001, () => listed({ startTime: "yesterday" }));
  },

  async "the legs of a call name their parent"(sim) {
    const tenant = await equipped(sim);
    const parent = await inProgress(sim, tenant);
    const legs = await inTurn(2, () => tenant.call({ parent_call_sid: parent, duration_s: 30 }));
    assert.deepEqual(sids(await tenant.own.calls.list({ parentCallSid: parent })), [legs[1], legs[0]]);
    assert.equal((await tenant.own.calls(legs[0]).fetch()).parentCallSid, parent);
  },

  async "a new call may be listed only later"(sim) {
    await sim.quirks({ call_list_lag_ms: 3000 });
    const tenant = await equipped(sim);
    const sid = await tenant.call({ duration_s: 600 });
    assert.deepEqual(await tenant.own.calls.list(), []);
    assert.equal((await tenant.own.calls(sid).fetch()).sid, sid);
    await sim.advance({ seconds: 4 });
    assert.deepEqual(sids(await tenant.own.calls.list()), [sid]);
  },

  async "the record of a call is deleted once it ended"(sim) {
    const tenant = await equipped(sim);
    const call = tenant.own.calls(await tenant.call({ duration_s: 1 }));
    await sim.advance({ minutes: 1 });
    assert.equal(await call.remove(), true);
    await refused(404, 20404, () => call.fetch());
  },

  async "suspension leaves live calls running and lets none begin"(sim) {
    const tenant = await equipped(sim);
    const running = [await inProgress(sim, tenant), await tenant.call({ duration_s: 3600 })];
    await tenant.resource.update({ status: "suspended" });
    await sim.advance({ minutes: 10 });
    const ends = { to: SOMEBODY, from: tenant.phone };
    await refused(401, 20005, () => tenant.acting.calls.create({ ...ends, url: URL_OF_TWIML }));
    await refused(401, 20005, () => tenant.acting.messages.create({ ...ends, body: "Hi" }));
    const live = async () => {
      const lists = await inTurn(LIVE.length, (place) => tenant.acting.calls.list({ status: LIVE[place] }));
      return sids(lists.flat());
    };
    assert.deepEqual(new Set(await live()), new Set(running));
    for (const sid of running) {
      assert.equal((await tenant.acting.calls(sid).update({ status: "completed" })).status, "completed");
    }
    assert.deepEqual(await live(), []);
  },

  async "closing ends what runs"(sim) {
    const tenant = await equipped(sim);
    const sid = await inProgress(sim, tenant);
    await tenant.resource.update({ status: "closed" });
    assert.equal((await tenant.acting.calls(sid).fetch()).status, "completed");
  },
};

const recordings = {
  async "callers meet in a conference that is ended"(sim) {
    const tenant = await equipped(sim);
    const { conferences } = tenant.own;
    const twiml = "<Response><Dial><Conference>Room 7</Conference></Dial></Response>";
    for (const to of [SOMEBODY, SOMEBODY_ELSE]) await tenant.own.calls.create({ to, from: tenant.phone, twiml });
    await sim.advance({ seconds: 20 });
    const listed = await conferences.list({ friendlyName: "Room 7", status: "in-progress" });
    assert.equal(listed.length, 1);
    const [conference] = listed;
    assert.match(conference.sid, /^CF[0-9a-f]{32}$/);
    assert.equal((await conferences(conference.sid).fetch()).friendlyName, "Room 7");
    const ended = await conferences(conference.sid).update({ status: "completed" });
    assert.deepEqual([ended.status, ended.reasonConferenceEnded], ["completed", "conference-ended-via-api"]);
    await sim.advance({ seconds: 10 });
    assert((await tenant.own.calls.list()).every((call) => call.status === "completed"));
    const today = await sim.now();
    assert.deepEqual(sids(await conferences.list({ dateCreated: today })), [conference.sid]);
    assert.deepEqual(await conferences.list({ dateCreatedBefore: later(today, -DAY) }), []);
    assert.deepEqual(sids(await conferences.list({ dateUpdatedAfter: today })), [conference.sid]);
  },

  async "a call is recorded from its beginning"(sim) {
    const tenant = await equipped(sim);
    const call = await calling(tenant, { record: true });
    await sim.advance({ seconds: 20 });
    await tenant.own.calls(call.sid).update({ status: "completed" });
    await sim.advance({ minutes: 2 });
    const listed = await tenant.own.recordings.list({ callSid: call.sid });
    assert.equal(listed.length, 1);
    const recording = await tenant.own.recordings(listed[0].sid).fetch();
    assert.deepEqual(
      [recording.status, recording.source, recording.callSid, recording.channels],
      ["completed", "OutboundAPI", call.sid, 1],
    );
    assert(Number(recording.duration) > 0);
    assert.deepEqual(sids(await tenant.own.calls(call.sid).recordings.list()), [recording.sid]);
  },

  async "a live call's recording is begun, paused and stopped"(sim) {
    const tenant = await equipped(sim);
    const sid = await inProgress(sim, tenant);
    const own = tenant.own.calls(sid).recordings;
    const made = await own.create({ recordingChannels: "dual" });
    assert.equal(sim.lastStatus(), 201);
    assert.deepEqual([made.status, made.channels, made.source], ["in-progress", 2, "StartCallRecordingAPI"]);
    await sim.advance({ seconds: 10 });
    for (const status of ["paused", "in-progress", "stopped"]) {
      assert.equal((await own(made.sid).update({ status })).status, status);
    }
    await sim.advance({ minutes: 1 });
    assert.equal((await own(made.sid).fetch()).status, "completed");
    assert.equal(await own(made.sid).remove(), true);
    await refused(404, 20404, () => own(made.sid).fetch());
    await tenant.own.calls(sid).update({ status: "completed" });
    await refused(400, 21220, () => own.create());
  },

  async "recordings are listed by day and deleted"(sim) {
    const tenant = await equipped(sim);
    const made = await inTurn(2, async () => {
      const call = await calling(tenant, { record: true });
      await sim.advance({ seconds: 20 });
      await tenant.own.calls(call.sid).update({ status: "completed" });
      await sim.advance({ minutes: 5 });
      const [recording] = await tenant.own.recordings.list({ callSid: call.sid });
      await sim.advance({ days: 1 });
      return recording;
    });
    const own = tenant.own.recordings;
    const between = later(made[0].dateCreated, DAY / 2);
    assert.deepEqual(sids(await own.list()), [made[1].sid, made[0].sid]);
    assert.deepEqual(sids(await own.list({ dateCreatedAfter: between })), [made[1].sid]);
    assert.deepEqual(sids(await own.list({ dateCreatedBefore: between })), [made[0].sid]);
    assert.equal(await own(made[0].sid).remove(), true);
    await refused(404, 20404, () => own(made[0].sid).fetch());
    assert.deepEqual(sids(await own.list()), [made[1].sid]);
    assert.equal((await own.list({ includeSoftDeleted: true })).length, 2);
    assert.equal((await own(made[0].sid).fetch({ includeSoftDeleted: true })).status, "deleted");
  },
};

export const facts = { ...calls, ...recordings };
