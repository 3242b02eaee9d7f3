// What Twilio refuses besides what the other areas meet: one code after the other, each by its own doing.

import assert from "node:assert/strict";

import { DAY, later, refused } from "../simulator.mjs";
import { SOMEBODY, URL_OF_TWIML as url, equipped, inProgress } from "./traffic.mjs";

const GERMAN = "+4915112345678";

export const facts = {
  async "calls are refused for each parameter"(sim) {
    const [tenant, other] = [await equipped(sim), await equipped(sim)];
    const ends = { to: SOMEBODY, from: tenant.phone };
    for (const [code, fields] of [
      [21205, {}],
      [21206, { url, sendDigits: "please" }],
      [21208, { url, timeout: 601 }],
      [21209, { url, method: "PATCH" }],
      [21210, { url, from: other.phone }],
      [21218, { applicationSid: `AP${"0".repeat(32)}` }],
      [21234, { url, machineDetection: "Perhaps" }],
      [21626, { url, statusCallback: url, statusCallbackEvent: ["hiccup"] }],
      [13621, { url, recordingStatusCallback: url, recordingStatusCallbackEvent: ["hiccup"] }],
      [13622, { url, recordingTrack: "everything" }],
    ]) {
      await refused(400, code, () => tenant.own.calls.create({ ...ends, ...fields }));
    }
    assert.deepEqual(await tenant.own.calls.list(), []);
  },

  async "messages are refused for each parameter"(sim) {
    const tenant = await equipped(sim);
    const ends = { to: SOMEBODY, from: tenant.phone, body: "Hi" };
    const empty = await tenant.own.messaging.v1.services.create({ friendlyName: "Without senders" });
    for (const [code, fields] of [
      [21212, { from: "nobody" }],
      [21266, { to: tenant.phone }],
      [21603, { from: undefined }],
      [21617, { body: "x".repeat(1601) }],
      [21620, { mediaUrl: ["not a url"] }],
      [21623, { mediaUrl: Array.from({ length: 11 }, (_, number) => `https://example.com/${number}.png`) }],
      [21701, { from: undefined, messagingServiceSid: `MG${"0".repeat(32)}` }],
      [21703, { from: undefined, messagingServiceSid: empty.sid }],
    ]) {
      await refused(400, code, () => tenant.own.messages.create({ ...ends, ...fields }));
    }
    assert.deepEqual(await tenant.own.messages.list(), []);
  },

  async "a country may be closed"(sim) {
    await sim.quirks({ regions_denied: ["DE"] });
    const { own, phone } = await equipped(sim);
    await refused(400, 21215, () => own.calls.create({ to: GERMAN, from: phone, url }));
    await refused(400, 21408, () => own.messages.create({ to: GERMAN, from: phone, body: "Hallo" }));
  },

  async "who said STOP gets no messages until START"(sim) {
    const tenant = await equipped(sim);
    const ends = { direction: "inbound", from: SOMEBODY, to: tenant.phone };
    const create = () => tenant.own.messages.create({ to: SOMEBODY, from: tenant.phone, body: "Hi" });
    await tenant.message({ body: "STOP", ...ends });
    await sim.advance({ seconds: 10 });
    await refused(400, 21610, create);
    await tenant.message({ body: "START", ...ends });
    await sim.advance({ seconds: 10 });
    assert.equal((await create()).status, "queued");
  },

  async "what is under way is neither deleted nor redacted"(sim) {
    const tenant = await equipped(sim);
    const call = await inProgress(sim, tenant);
    await refused(400, 20009, () => tenant.own.calls(call).remove());
    const { sid } = await tenant.own.messages.create({ to: SOMEBODY, from: tenant.phone, body: "Hi" });
    await refused(400, 20009, () => tenant.own.messages(sid).remove());
    await refused(400, 20009, () => tenant.own.messages(sid).update({ body: "" }));
  },

  async "a scheduled message is canceled and a sent one is not"(sim) {
    const tenant = await equipped(sim);
    const { services } = tenant.own.messaging.v1;
    const [number] = await tenant.own.incomingPhoneNumbers.list();
    const service = await services.create({ friendlyName: "Later" });
    await services(service.sid).phoneNumbers.create({ phoneNumberSid: number.sid });
    const message = await tenant.own.messages.create({
      to: SOMEBODY,
      body: "Later",
      messagingServiceSid: service.sid,
      scheduleType: "fixed",
      sendAt: later(await sim.now(), DAY),
    });
    assert.deepEqual([message.status, message.dateSent], ["scheduled", null]);
    assert.equal((await tenant.own.messages(message.sid).update({ status: "canceled" })).status, "canceled");
    const sent = await tenant.message();
    await sim.advance({ minutes: 1 });
    await refused(400, 30409, () => tenant.own.messages(sent).update({ status: "canceled" }));
  },

  async "numbers are refused for each setting"(sim) {
    const { own } = await sim.subaccount();
    const search = async (country) =>
      (await own.availablePhoneNumbers(country).local.list({ limit: 1 }))[0].phoneNumber;
    const number = await own.incomingPhoneNumbers.create({ phoneNumber: await search("US") });
    for (const [code, fields] of [
      [21402, { voiceUrl: "not a url" }],
      [21502, { statusCallback: "not a url" }],
      [21403, { voiceMethod: "PUT" }],
      [21405, { voiceFallbackUrl: url }],
      [21406, { smsFallbackUrl: url }],
      [21420, { voiceApplicationSid: `AP${"0".repeat(32)}` }],
    ]) {
      await refused(400, code, () => own.incomingPhoneNumbers(number.sid).update(fields));
    }
    const phoneNumber = await search("GB");
    await refused(400, 21407, () => own.incomingPhoneNumbers.create({ phoneNumber, smsUrl: url }));
    await refused(400, 21409, () => own.incomingPhoneNumbers.create({ phoneNumber, voiceCallerIdLookup: true }));
    await refused(400, 21458, () => own.incomingPhoneNumbers.tollFree.create({ phoneNumber }));
  },

  async "a policy must list something"(sim) {
    const { own, sid: accountSid } = await sim.subaccount();
    for (const allow of [[], Array.from({ length: 101 }, (_, number) => `/twilio/product/resource-${number}/read`)]) {
      const asked = { accountSid, keyType: "restricted", policy: { allow } };
      await refused(400, 70001, () => own.iam.v1.newApiKey.create(asked));
    }
  },

  async "some accounts' records are not found"(sim) {
    const tenant = await sim.subaccount();
    await sim.quirks({ usage_not_found: [tenant.sid] });
    const { records } = tenant.acting.usage;
    await refused(404, 20404, () => records.list());
    await refused(404, 20404, () => records.daily.list());
    assert((await records.lastMonth.list({ category: "totalprice" })).length);
  },
};
