// Callbacks: whom they reach, what they say, who signed them, and when they are sent again.
//
// The official library's validateRequest judges every one that arrives.

import assert from "node:assert/strict";
import { createServer } from "node:net";

import { inTurn } from "../simulator.mjs";
import { SOMEBODY, URL_OF_TWIML, equipped, inProgress } from "./traffic.mjs";

const MESSAGE_FIELDS = "AccountSid MessageSid SmsSid MessageStatus SmsStatus To From ApiVersion".split(" ");
const CALL_FIELDS = "Direction Timestamp CallbackSource SequenceNumber CallSid AccountSid ApiVersion CallStatus"
  .split(" ")
  .concat(
    ["To", "From", "Called", "Caller"].flatMap((end) =>
      ["", "City", "State", "Zip", "Country"].map((part) => end + part),
    ),
  );

/** Sends a message whose callbacks go to a path, and lets it arrive. */
async function sent(sim, tenant, path, fields = {}) {
  const statusCallback = sim.receiver.url(path);
  const message = await tenant.own.messages.create({
    to: SOMEBODY,
    from: tenant.phone,
    body: "Hi",
    statusCallback,
    ...fields,
  });
  await sim.advance({ minutes: 1 });
  return message;
}

/** Makes a call whose callbacks go to a path; it is answered and ended. */
async function called(sim, tenant, path, fields = {}) {
  const ends = { to: SOMEBODY, from: tenant.phone, url: URL_OF_TWIML };
  const call = await tenant.own.calls.create({ ...ends, statusCallback: sim.receiver.url(path), ...fields });
  await sim.advance({ seconds: 20 });
  await tenant.own.calls(call.sid).update({ status: "completed" });
  await sim.advance({ minutes: 1 });
  return call;
}

const has = (callback, names) => names.every((name) => name in callback.form);
const ALL_EVENTS = ["initiated", "ringing", "answered", "completed"];

const parameters = {
  async "a message's callbacks tell each status"(sim) {
    const tenant = await equipped(sim);
    const message = await sent(sim, tenant, "/sms");
    const arrived = sim.receiver.at("/sms");
    const statuses = arrived.map((callback) => callback.form.MessageStatus);
    assert.deepEqual(
      statuses.filter((status) => !["queued", "sending"].includes(status)),
      ["sent", "delivered"],
    );
    for (const callback of arrived) {
      assert(callback.signedWith(tenant.token) && has(callback, MESSAGE_FIELDS), JSON.stringify(callback.form));
      assert.equal(callback.form.MessageSid, message.sid);
      assert.equal(callback.form.SmsStatus, callback.form.MessageStatus);
      assert(callback.token && !("Price" in callback.form));
    }
    assert.equal(new Set(arrived.map((callback) => callback.token)).size, arrived.length);
  },

  async "a failure is told with its code"(sim) {
    const tenant = await equipped(sim);
    for (const outcome of ["undelivered", "failed"]) {
      await tenant.message({ outcome, status_callback: sim.receiver.url(`/${outcome}`) });
      await sim.advance({ minutes: 1 });
      const last = sim.receiver.at(`/${outcome}`).at(-1);
      assert(last.signedWith(tenant.token) && last.form.MessageStatus === outcome);
      assert.match(last.form.ErrorCode, /^30\d{3}$/);
    }
  },

  async "only the owner's token fits a signature"(sim) {
    const tenant = await equipped(sim);
    await sent(sim, tenant, "/signed?tenant=7&name=%C3%A9");
    const callback = sim.receiver.at("/signed").at(-1);
    assert.deepEqual(callback.query, { tenant: "7", name: "é" });
    assert(callback.signedWith(tenant.token) && !callback.signedWith(sim.token));
    callback.pairs.push(["Extra", "1"]);
    assert(!callback.signedWith(tenant.token));
    callback.pairs.pop();
    callback.url += "&more=1";
    assert(!callback.signedWith(tenant.token));
  },

  async "a call's end is told by default"(sim) {
    const tenant = await equipped(sim);
    const call = await called(sim, tenant, "/voice");
    const arrived = sim.receiver.at("/voice");
    assert.equal(arrived.length, 1);
    const [{ form }] = arrived;
    assert(arrived[0].signedWith(tenant.token) && has(arrived[0], CALL_FIELDS), JSON.stringify(form));
    assert.deepEqual([form.CallStatus, form.CallSid, form.AccountSid], ["completed", call.sid, tenant.sid]);
    assert.deepEqual([form.Direction, form.CallbackSource], ["outbound-api", "call-progress-events"]);
    assert(Number(form.CallDuration) > 0 && Number(form.CallDuration) < 60);
    assert.equal(form.Duration, "1"); // in whole minutes
  },

  async "a call's steps are told where asked for"(sim) {
    const tenant = await equipped(sim);
    await called(sim, tenant, "/steps", { statusCallbackEvent: ALL_EVENTS });
    const arrived = sim.receiver.at("/steps");
    const told = arrived.map(({ form }) => [form.CallStatus, form.SequenceNumber]);
    assert.deepEqual(told, [
      ["initiated", "0"],
      ["ringing", "1"],
      ["in-progress", "2"],
      ["completed", "3"],
    ]);
    assert(arrived.every((callback) => callback.signedWith(tenant.token)));
  },

  async "a callback by GET has its parameters in the query"(sim) {
    const tenant = await equipped(sim);
    await called(sim, tenant, "/get?mine=1", { statusCallbackMethod: "GET" });
    const [callback] = sim.receiver.at("/get");
    assert.deepEqual([callback.method, callback.query.mine, callback.query.CallStatus], ["GET", "1", "completed"]);
    assert(callback.signedWith(tenant.token));
  },

  async "a recording's states are told"(sim) {
    const tenant = await equipped(sim);
    const call = await called(sim, tenant, "/call", {
      record: true,
      recordingChannels: "dual",
      recordingStatusCallback: sim.receiver.url("/recording"),
      recordingStatusCallbackEvent: ["in-progress", "completed"],
    });
    const arrived = sim.receiver.at("/recording");
    assert.deepEqual(
      arrived.map(({ form }) => form.RecordingStatus),
      ["in-progress", "completed"],
    );
    assert(arrived.every((callback) => callback.signedWith(tenant.token)));
    const [recording] = await tenant.own.recordings.list({ callSid: call.sid });
    const { form } = arrived[1];
    assert.deepEqual([form.CallSid, form.RecordingSid, form.RecordingChannels], [call.sid, recording.sid, "2"]);
    assert.deepEqual([form.RecordingSource, form.RecordingDuration], ["OutboundAPI", recording.duration]);
    assert(form.RecordingUrl.endsWith(`/Recordings/${recording.sid}`) && form.RecordingStartTime);
  },

  async "a number's own callback tells of inbound calls"(sim) {
    const tenant = await equipped(sim);
    const [number] = await tenant.own.incomingPhoneNumbers.list();
    await tenant.own.incomingPhoneNumbers(number.sid).update({ statusCallback: sim.receiver.url("/inbound") });
    await tenant.call({ direction: "inbound", to: tenant.phone, duration_s: 5 });
    await sim.advance({ minutes: 1 });
    const last = sim.receiver.at("/inbound").at(-1);
    assert.deepEqual([last.form.Direction, last.form.CallStatus], ["inbound", "completed"]);
    assert(last.signedWith(tenant.token));
  },

  async "a message's own callback wins over its service's"(sim) {
    const tenant = await equipped(sim);
    const { services } = tenant.own.messaging.v1;
    const statusCallback = sim.receiver.url("/service");
    const { sid: messagingServiceSid } = await services.create({ friendlyName: "S", statusCallback });
    const [number] = await tenant.own.incomingPhoneNumbers.list();
    await services(messagingServiceSid).phoneNumbers.create({ phoneNumberSid: number.sid });
    await tenant.own.messages.create({ to: SOMEBODY, messagingServiceSid, body: "By service" });
    await sim.advance({ minutes: 1 });
    const arrived = sim.receiver.at("/service");
    assert.deepEqual(
      [arrived.at(-1).form.MessagingServiceSid, arrived.at(-1).form.MessageStatus],
      [messagingServiceSid, "delivered"],
    );
    assert(arrived.at(-1).signedWith(tenant.token));
    const own = { statusCallback: sim.receiver.url("/own") };
    await tenant.own.messages.create({ to: SOMEBODY, messagingServiceSid, body: "Own", ...own });
    await sim.advance({ minutes: 1 });
    assert(sim.receiver.at("/own").length);
    assert.equal(sim.receiver.at("/service").length, arrived.length);
  },

  async "the promoted token signs and the secondary never does"(sim) {
    const tenant = await equipped(sim);
    const { secondaryAuthToken } = await tenant.own.accounts.v1.secondaryAuthToken().create();
    await sent(sim, tenant, "/before");
    const before = sim.receiver.at("/before");
    assert(before.length && before.every((callback) => callback.signedWith(tenant.token)));
    assert(!before.some((callback) => callback.signedWith(secondaryAuthToken)));
    await tenant.own.accounts.v1.authTokenPromotion().update();
    tenant.own = sim.client(tenant.sid, secondaryAuthToken);
    await sim.advance({ minutes: 2 });
    await sent(sim, tenant, "/after");
    const after = sim.receiver.at("/after");
    assert(after.length && after.every((callback) => callback.signedWith(secondaryAuthToken)));
    assert(!after.some((callback) => callback.signedWith(tenant.token)));
  },

  async "ending a call by hand is told too"(sim) {
    const tenant = await equipped(sim);
    const sid = await inProgress(sim, tenant, { status_callback: sim.receiver.url("/ended") });
    await tenant.resource.update({ status: "suspended" });
    await tenant.acting.calls(sid).update({ status: "completed" });
    await sim.advance({ seconds: 10 });
    const last = sim.receiver.at("/ended").at(-1);
    assert(last.form.CallStatus === "completed" && last.signedWith(tenant.token));
  },
};

const delivery = {
  async "a callback may come twice with the same token"(sim) {
    await sim.quirks({ callback_duplicate_per_mille: 1000 });
    const tenant = await equipped(sim);
    await sent(sim, tenant, "/twice");
    await sim.advance({ minutes: 1 });
    const arrived = sim.receiver.at("/twice");
    assert(arrived.length && arrived.every((callback) => callback.signedWith(tenant.token)));
    assert.equal(arrived.length, 2 * new Set(arrived.map((callback) => callback.token)).size);
  },

  async "callbacks may come out of order"(sim) {
    await sim.quirks({ callback_disorder_per_mille: 500 });
    const tenant = await equipped(sim);
    await inTurn(10, (number) => called(sim, tenant, `/disorder/${number}`, { statusCallbackEvent: ALL_EVENTS }));
    await sim.advance({ minutes: 2 });
    const orders = Array.from({ length: 10 }, (_, number) =>
      sim.receiver
        .at(`/disorder/${number}`)
        .map(({ form }) => form.SequenceNumber)
        .join(""),
    );
    assert(
      orders.every((order) => [...order].sort().join("") === "0123"),
      String(orders),
    );
    assert(
      orders.some((order) => order !== "0123"),
      String(orders),
    );
  },

  async "by default a refusal is not tried again"(sim) {
    const tenant = await equipped(sim);
    sim.receiver.script("/once", 500, 500, 500, 500);
    await called(sim, tenant, "/once");
    assert.equal(sim.receiver.at("/once").length, 1);
  },

  async "a fragment asks for retries and is neither sent nor signed"(sim) {
    const tenant = await equipped(sim);
    sim.receiver.script("/again", 500, 404, 503);
    await called(sim, tenant, "/again?a=b#rc=3&rp=4xx,5xx");
    const arrived = sim.receiver.at("/again");
    assert.deepEqual([arrived.length, new Set(arrived.map((callback) => callback.token)).size], [4, 1]);
    assert(arrived.every((callback) => callback.target === "/again?a=b" && callback.signedWith(tenant.token)));
  },

  async "what no policy names is not tried again, and five retries are the most"(sim) {
    const tenant = await equipped(sim);
    for (const [path, statuses, overrides, times] of [
      ["/only5xx", [404], "rc=3&rp=5xx", 1],
      ["/only4xx", [500], "rc=3&rp=4xx", 1],
      ["/all", [404, 500], "rc=3&rp=all", 3],
      ["/connections", [500], "rc=3&rp=ct", 1],
      ["/never", Array(20).fill(500), "rc=9&rp=5xx", 6],
    ]) {
      sim.receiver.script(path, ...statuses);
      await called(sim, tenant, `${path}#${overrides}`);
      assert.equal(sim.receiver.at(path).length, times, path);
    }
  },

  async "a receiver that does not answer is given up"(sim) {
    const tenant = await equipped(sim);
    // The default policy is failed connections only.
    for (const [path, overrides, attempts] of [
      ["/slow", "rt=300&rc=1&rp=rt", 2],
      ["/slower", "rt=300&rc=3", 1],
    ]) {
      sim.receiver.script(path, null, null);
      const call = await called(sim, tenant, `${path}#${overrides}`);
      const [logged] = (await sim.get("callbacks")).filter((one) => one.resource_sid === call.sid);
      assert.deepEqual(logged.outcomes, Array(attempts).fill({ outcome: "not_answered" }));
      assert.deepEqual([logged.attempts, logged.http_status, logged.alerts], [attempts, null, [11200]]);
    }
  },

  async "a connection that fails is tried once more"(sim) {
    const tenant = await equipped(sim);
    const unused = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => unused.once("listening", resolve));
    const closed = `http://127.0.0.1:${unused.address().port}/nobody`;
    await new Promise((resolve) => unused.close(resolve));
    for (const status_callback of [closed, `${closed}#rc=0`]) {
      await tenant.call({ outcome: "busy", status_callback });
      await sim.advance({ minutes: 2 });
    }
    const logged = (await sim.get("callbacks")).filter((one) => one.url === closed && one.status === "busy");
    assert.deepEqual(
      logged.map((one) => [one.attempts, one.http_status]),
      [
        [2, null],
        [1, null],
      ],
    );
  },

  async "the delivery log tells what became of each"(sim) {
    const tenant = await equipped(sim);
    const message = await sent(sim, tenant, "/logged#rc=1");
    const logged = (await sim.get("callbacks")).filter((one) => one.resource_sid === message.sid);
    assert.deepEqual(
      logged.map((one) => one.status),
      sim.receiver.at("/logged").map(({ form }) => form.MessageStatus),
    );
    for (const one of logged) {
      assert.deepEqual([one.account_sid, one.url], [tenant.sid, sim.receiver.url("/logged")]);
      assert.deepEqual([one.attempts, one.http_status, one.duplicate], [1, 200, false]);
    }
  },
};

export const facts = { ...parameters, ...delivery };
