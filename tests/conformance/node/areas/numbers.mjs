// Phone numbers: searched, bought, set up, transferred and given back; the addresses that they need.

import assert from "node:assert/strict";

import { inTurn, refused, sids } from "../simulator.mjs";

const PLACES = {
  US: { city: "San Francisco", region: "CA", postalCode: "94103" },
  DE: { city: "Berlin", region: "Berlin", postalCode: "10115" },
  FR: { city: "Paris", region: "Paris", postalCode: "75001" },
  IN: { city: "New Delhi", region: "Delhi", postalCode: "110001" },
};

/** The first number that a search shows. */
async function found(client, country, kind = "local", filters = {}) {
  const numbers = await client.availablePhoneNumbers(country)[kind].list({ limit: 20, ...filters });
  assert(numbers.length, `no ${kind} numbers in ${country}`);
  return numbers[0];
}

async function bought(client, country = "US", kind = "local", fields = {}) {
  const { phoneNumber } = await found(client, country, kind);
  return client.incomingPhoneNumbers.create({ phoneNumber, ...fields });
}

/** A number on sale that asks its buyer for such an address. */
async function needing(client, requirement) {
  for (const { countryCode } of await client.availablePhoneNumbers.list()) {
    for (const number of await client.availablePhoneNumbers(countryCode).local.list({ limit: 1 })) {
      if (number.addressRequirements === requirement) return number;
    }
  }
  return assert.fail(`no local number anywhere asks for ${requirement}`);
}

function address(client, isoCountry) {
  const names = { customerName: "Ada", street: "1 Main St", friendlyName: `In ${isoCountry}` };
  return client.addresses.create({ isoCountry, ...names, ...PLACES[isoCountry] });
}

export const facts = {
  async "countries name the types of numbers they have"(sim) {
    const countries = await sim.main.availablePhoneNumbers.list();
    const us = countries.find((one) => one.countryCode === "US");
    assert.equal(us.country, "United States");
    assert(us.subresourceUris.local && us.subresourceUris.toll_free);
    assert.equal((await sim.main.availablePhoneNumbers("GB").fetch()).countryCode, "GB");
    await refused(404, 20404, () => sim.main.availablePhoneNumbers("XX").fetch());
  },

  async "a search shows what can be bought"(sim) {
    const shown = await sim.main.availablePhoneNumbers("US").local.list({ limit: 10 });
    assert.equal(new Set(shown.map((one) => one.phoneNumber)).size, 10);
    for (const number of shown) {
      assert.match(number.phoneNumber, /^\+1\d{10}$/);
      assert.deepEqual([number.isoCountry, number.addressRequirements, number.beta], ["US", "none", false]);
      assert(number.capabilities.voice === true && number.region && number.rateCenter);
    }
  },

  async "searches are filtered"(sim) {
    const { local } = sim.main.availablePhoneNumbers("US");
    const near = await local.list({ areaCode: 415 });
    assert(near.length && near.every((one) => one.phoneNumber.startsWith("+1415")));
    assert((await local.list({ contains: "55", limit: 5 })).every((one) => one.phoneNumber.includes("55")));
    const able = await local.list({ smsEnabled: true, voiceEnabled: true, limit: 5 });
    assert(able.length && able.every((one) => one.capabilities.sms));
    assert((await local.list({ inRegion: "CA", limit: 5 })).every((one) => one.region === "CA"));
    const french = sim.main.availablePhoneNumbers("FR").local;
    assert.deepEqual(await french.list({ excludeAllAddressRequired: true }), []);
    assert((await french.list({ excludeForeignAddressRequired: true })).length);
  },

  async "every type of number has its own search"(sim) {
    for (const [country, kind, prefix] of [
      ["US", "tollFree", /^\+18\d\d/],
      ["GB", "mobile", /^\+447/],
      ["GB", "national", /^\+44/],
      ["GB", "sharedCost", /^\+44/],
      ["DE", "voip", /^\+49/],
      ["FR", "machineToMachine", /^\+33/],
    ]) {
      assert.match((await found(sim.main, country, kind)).phoneNumber, prefix);
    }
  },

  async "a number is bought and no longer offered"(sim) {
    const [tenant, other] = await inTurn(2, () => sim.subaccount());
    const { phoneNumber } = await found(tenant.acting, "US");
    const number = await tenant.acting.incomingPhoneNumbers.create({ phoneNumber, friendlyName: "Front desk" });
    assert.equal(sim.lastStatus(), 201);
    assert.match(number.sid, /^PN[0-9a-f]{32}$/);
    assert.deepEqual(
      [number.phoneNumber, number.accountSid, number.friendlyName, number.status, number.origin],
      [phoneNumber, tenant.sid, "Front desk", "in-use", "twilio"],
    );
    assert.deepEqual(number.dateCreated, await sim.now());
    const offered = await tenant.acting.availablePhoneNumbers("US").local.list();
    assert(!offered.some((one) => one.phoneNumber === phoneNumber));
    await refused(400, 21422, () => other.acting.incomingPhoneNumbers.create({ phoneNumber }));
  },

  async "a number is bought by its area code"(sim) {
    const { incomingPhoneNumbers } = (await sim.subaccount()).own;
    assert.match((await incomingPhoneNumbers.create({ areaCode: "206" })).phoneNumber, /^\+1206/);
    await refused(400, 21451, () => incomingPhoneNumbers.create({ areaCode: "20" }));
    await refused(400, 21451, () => incomingPhoneNumbers.create({ areaCode: "abc" }));
    await refused(400, 21452, () => incomingPhoneNumbers.create({ areaCode: "999" }));
  },

  async "what is no number is not bought"(sim) {
    const { incomingPhoneNumbers } = (await sim.subaccount()).own;
    for (const phoneNumber of ["415", "+1415555", "hello", "+14150"]) {
      await refused(400, 21421, () => incomingPhoneNumbers.create({ phoneNumber }));
    }
  },

  async "numbers are listed by type, name and text"(sim) {
    const { own } = await sim.subaccount();
    const numbers = own.incomingPhoneNumbers;
    const { phoneNumber } = await found(own, "US");
    const local = await numbers.local.create({ phoneNumber, friendlyName: "Desk" });
    const free = await numbers.tollFree.create({ phoneNumber: (await found(own, "US", "tollFree")).phoneNumber });
    assert.deepEqual(sids(await numbers.list()), [free.sid, local.sid]);
    assert.deepEqual(sids(await numbers.local.list()), [local.sid]);
    assert.deepEqual(sids(await numbers.tollFree.list()), [free.sid]);
    assert.deepEqual(await numbers.mobile.list(), []);
    assert.deepEqual(sids(await numbers.list({ friendlyName: "Desk" })), [local.sid]);
    assert.deepEqual(sids(await numbers.list({ phoneNumber: free.phoneNumber })), [free.sid]);
    assert.equal((await numbers.list({ beta: false })).length, 2);
    assert.equal((await numbers.list({ origin: "twilio" })).length, 2);
  },

  async "a number is set up"(sim) {
    const { acting } = await sim.subaccount();
    const number = await bought(acting, "US", "local", { voiceUrl: "https://example.com/v", smsMethod: "GET" });
    assert.deepEqual([number.voiceUrl, number.voiceMethod, number.smsMethod], ["https://example.com/v", "POST", "GET"]);
    const application = await acting.applications.create({ friendlyName: "App", smsUrl: "https://example.com/app" });
    const kept = acting.incomingPhoneNumbers(number.sid);
    const changed = await kept.update({
      friendlyName: "Renamed",
      smsUrl: "https://example.com/s",
      smsFallbackUrl: "https://example.com/f",
      statusCallback: "https://example.com/c",
      smsApplicationSid: application.sid,
      voiceUrl: "",
    });
    assert.equal(sim.lastStatus(), 200);
    for (const shown of [changed, await kept.fetch()]) {
      assert.deepEqual([shown.friendlyName, shown.smsUrl], ["Renamed", "https://example.com/s"]);
      assert.deepEqual([shown.statusCallback, shown.smsApplicationSid], ["https://example.com/c", application.sid]);
      assert(!shown.voiceUrl);
    }
  },

  async "a released number is gone"(sim) {
    const { own } = await sim.subaccount();
    const number = await bought(own);
    assert.equal(await own.incomingPhoneNumbers(number.sid).remove(), true);
    await refused(404, 20404, () => own.incomingPhoneNumbers(number.sid).fetch());
    await refused(404, 20404, () => own.incomingPhoneNumbers(number.sid).remove());
    assert.deepEqual(await own.incomingPhoneNumbers.list(), []);
  },

  async "addresses are kept"(sim) {
    const { own } = await sim.subaccount();
    const made = await address(own, "US");
    assert.equal(sim.lastStatus(), 201);
    assert.match(made.sid, /^AD[0-9a-f]{32}$/);
    const kept = own.addresses(made.sid);
    assert.equal((await kept.update({ street: "2 Main St" })).street, "2 Main St");
    assert.equal((await kept.fetch()).street, "2 Main St");
    assert.deepEqual(sids(await own.addresses.list({ customerName: "Ada", isoCountry: "US" })), [made.sid]);
    assert.deepEqual(await own.addresses.list({ isoCountry: "DE" }), []);
    assert.deepEqual(await kept.dependentPhoneNumbers.list(), []);
    assert.equal(await kept.remove(), true);
    await refused(404, 20404, () => kept.fetch());
  },

  async "some numbers need an address"(sim) {
    const { own } = await sim.subaccount();
    const { phoneNumber } = await needing(own, "any");
    const buy = (fields) => own.incomingPhoneNumbers.create({ phoneNumber, ...fields });
    await refused(400, 21631, () => buy({}));
    const somewhere = await address(own, "US");
    await refused(400, 21631, () => buy({}));
    await refused(400, 21613, () => buy({ addressSid: `AD${"0".repeat(32)}` }));
    const number = await buy({ addressSid: somewhere.sid });
    assert.deepEqual([number.addressRequirements, number.addressSid], ["any", somewhere.sid]);
    const dependents = await own.addresses(somewhere.sid).dependentPhoneNumbers.list();
    assert.deepEqual(
      dependents.map((one) => one.phoneNumber),
      [phoneNumber],
    );
    await refused(400, 21625, () => own.incomingPhoneNumbers(number.sid).update({ addressSid: "" }));
  },

  async "some numbers need a local or a foreign address"(sim) {
    const { own, sid } = await sim.subaccount();
    const local = await needing(own, "local");
    const foreign = await needing(own, "foreign");
    const buy = ({ phoneNumber }, { sid }, fields = {}) =>
      own.incomingPhoneNumbers.create({ phoneNumber, addressSid: sid, ...fields });
    const abroad = await address(own, "US");
    await refused(400, 21615, () => buy(local, abroad));
    const there = await address(own, local.isoCountry);
    const bundle = await sim.post("bundles", { account_sid: sid, iso_country: local.isoCountry, type: "local" });
    assert.equal((await buy(local, there, { bundleSid: bundle.sid })).addressSid, there.sid);
    const native = await address(own, foreign.isoCountry);
    await refused(400, 21624, () => buy(foreign, native));
    assert.equal((await buy(foreign, abroad)).addressSid, abroad.sid);
  },

  async "a number moves between accounts with its old URLs"(sim) {
    const [one, other] = await inTurn(2, () => sim.subaccount());
    const urls = { voiceUrl: "https://example.com/old", smsUrl: "https://example.com/sms" };
    const number = await bought(sim.main, "US", "local", urls);
    for (const [losing, accountSid] of [
      [sim.main, one.sid],
      [one.acting, other.sid],
      [other.acting, sim.sid],
    ]) {
      const moved = await losing.incomingPhoneNumbers(number.sid).update({ accountSid });
      assert.deepEqual(
        [moved.sid, moved.accountSid, moved.phoneNumber, moved.voiceUrl, moved.smsUrl],
        [number.sid, accountSid, number.phoneNumber, urls.voiceUrl, urls.smsUrl],
      );
      await refused(404, 20404, () => losing.incomingPhoneNumbers(number.sid).fetch());
    }
    assert.equal(await sim.main.incomingPhoneNumbers(number.sid).remove(), true);
  },

  async "a transfer says what is wrong with its target"(sim) {
    const [tenant, closed, suspended] = await inTurn(3, () => sim.subaccount());
    await closed.resource.update({ status: "closed" });
    await suspended.resource.update({ status: "suspended" });
    const number = await bought(tenant.acting);
    const move = (accountSid) => tenant.acting.incomingPhoneNumbers(number.sid).update({ accountSid });
    await refused(400, 21470, () => move("nonsense"));
    await refused(400, 21471, () => move(`AC${"e".repeat(32)}`));
    await refused(400, 21472, () => move(closed.sid));
    await refused(400, 21472, () => move(suspended.sid));
    const stranger = await sim.post("foreign_accounts", {});
    await refused(400, 21473, () => move(stranger.sid));
  },

  async "a WhatsApp sender stays where it is"(sim) {
    const [one, other] = await inTurn(2, () => sim.subaccount());
    const number = await sim.post("numbers", { account_sid: one.sid, whatsapp_sender: true });
    await one.acting.incomingPhoneNumbers(number.sid).update({ accountSid: other.sid });
    const shown = (await sim.get("numbers")).find((held) => held.sid === number.sid);
    assert.deepEqual([shown.account_sid, shown.whatsapp_sender_of], [other.sid, one.sid]);
  },

  async "only the main account transfers"(sim) {
    const [tenant, other] = await inTurn(2, () => sim.subaccount());
    const number = await bought(tenant.own);
    const move = (client) => client.incomingPhoneNumbers(number.sid).update({ accountSid: other.sid });
    await refused(400, 21474, () => move(tenant.own));
    const key = await tenant.resource.newKeys.create();
    await refused(400, 21474, () => move(sim.client(key.sid, key.secret, tenant.sid)));
  },

  async "an address must be the gaining account's"(sim) {
    const [losing, gaining] = await inTurn(2, () => sim.subaccount());
    const { phoneNumber } = await needing(losing.acting, "any");
    const theirs = await address(losing.acting, "US");
    const number = await losing.acting.incomingPhoneNumbers.create({ phoneNumber, addressSid: theirs.sid });
    const move = (addressSid) =>
      losing.acting.incomingPhoneNumbers(number.sid).update({ accountSid: gaining.sid, addressSid });
    await refused(400, 21613, () => move(undefined));
    await refused(400, 21613, () => move(theirs.sid));
    const ours = await address(gaining.acting, "DE");
    await refused(400, 21631, () => move(undefined));
    const moved = await move(ours.sid);
    assert.deepEqual([moved.accountSid, moved.addressSid], [gaining.sid, ours.sid]);
  },

  async "suspended accounts keep their numbers and buy none"(sim) {
    const tenant = await sim.subaccount();
    const number = await bought(tenant.acting);
    await tenant.resource.update({ status: "suspended" });
    await refused(401, 20005, () => bought(tenant.acting));
    assert.deepEqual(sids(await tenant.acting.incomingPhoneNumbers.list()), [number.sid]);
  },

  async "closing an account releases its numbers"(sim) {
    const [tenant, other] = await inTurn(2, () => sim.subaccount());
    const { phoneNumber, sid } = await bought(tenant.acting);
    await tenant.resource.update({ status: "closed" });
    assert.deepEqual(await tenant.acting.incomingPhoneNumbers.list(), []);
    assert.notEqual((await other.acting.incomingPhoneNumbers.create({ phoneNumber })).sid, sid);
  },
};
