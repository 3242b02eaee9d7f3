// Applications, messaging services, prices, and what Twilio's monitor tells.

import assert from "node:assert/strict";

import { DAY, inTurn, later, refused, sids } from "../simulator.mjs";

export const facts = {
  async "applications are kept"(sim) {
    const [tenant, other] = await inTurn(2, () => sim.subaccount());
    const { applications } = tenant.own;
    const urls = { voiceUrl: "https://example.com/v", messageStatusCallback: "https://example.com/m" };
    const made = await applications.create({ friendlyName: "App", voiceMethod: "GET", ...urls });
    assert.equal(sim.lastStatus(), 201);
    assert.match(made.sid, /^AP[0-9a-f]{32}$/);
    assert.deepEqual([made.voiceUrl, made.voiceMethod], [urls.voiceUrl, "GET"]);
    assert.equal(made.messageStatusCallback, urls.messageStatusCallback);
    const changed = await applications(made.sid).update({ friendlyName: "Renamed", smsUrl: "https://example.com/t" });
    const listed = await applications.list({ friendlyName: "Renamed" });
    for (const shown of [changed, await applications(made.sid).fetch(), ...listed]) {
      assert.deepEqual(
        [shown.friendlyName, shown.smsUrl, shown.voiceUrl],
        ["Renamed", "https://example.com/t", urls.voiceUrl],
      );
    }
    assert.deepEqual(await applications.list({ friendlyName: "App" }), []);
    await refused(404, 20404, () => other.own.applications(made.sid).fetch());
    assert.equal(await applications(made.sid).remove(), true);
    await refused(404, 20404, () => applications(made.sid).fetch());
  },

  async "messaging services are kept"(sim) {
    const { own, sid } = await sim.subaccount();
    const { services } = own.messaging.v1;
    const asked = { friendlyName: "Alerts", statusCallback: "https://example.com/c", useInboundWebhookOnNumber: true };
    const made = await services.create(asked);
    assert.equal(sim.lastStatus(), 201);
    assert.match(made.sid, /^MG[0-9a-f]{32}$/);
    assert.deepEqual([made.accountSid, made.friendlyName, made.useInboundWebhookOnNumber], [sid, "Alerts", true]);
    assert.deepEqual(made.dateCreated, await sim.now());
    const changed = await services(made.sid).update({
      friendlyName: "Alarms",
      stickySender: false,
      validityPeriod: 600,
    });
    for (const shown of [changed, await services(made.sid).fetch(), ...(await services.list())]) {
      assert.deepEqual([shown.friendlyName, shown.stickySender, shown.validityPeriod], ["Alarms", false, 600]);
      assert.equal(shown.statusCallback, asked.statusCallback);
    }
    assert.equal(await services(made.sid).remove(), true);
    await refused(404, 20404, () => services(made.sid).fetch());
  },

  async "a service has its senders"(sim) {
    const [tenant, other] = await inTurn(2, () => sim.subaccount());
    const [number, foreign] = [await tenant.number(), await other.number()];
    const { services } = tenant.own.messaging.v1;
    const service = await services.create({ friendlyName: "S" });
    const senders = services(service.sid).phoneNumbers;
    const made = await senders.create({ phoneNumberSid: number.sid });
    assert.deepEqual([made.sid, made.serviceSid, made.phoneNumber], [number.sid, service.sid, number.phone_number]);
    assert.deepEqual(sids(await senders.list()), [number.sid]);
    assert.equal((await senders(made.sid).fetch()).countryCode, "US");
    await refused(404, 20404, () => senders.create({ phoneNumberSid: foreign.sid }));
    assert.equal(await senders(made.sid).remove(), true);
    assert.deepEqual(await senders.list(), []);
  },

  async "services are paged by absolute links"(sim) {
    const { services } = (await sim.subaccount()).own.messaging.v1;
    const made = sids(await inTurn(7, (number) => services.create({ friendlyName: `Service ${number}` })));
    const page = await services.page({ pageSize: 3 });
    assert(page.nextPageUrl.startsWith("https://messaging.twilio.com/v1/Services?"));
    assert.deepEqual(new Set(sids(await services.list({ pageSize: 3 }))), new Set(made));
    await refused(400, 70002, () => services.page({ pageNumber: 1, pageSize: 3 }));
  },

  async "voice prices are shown by country and number"(sim) {
    const { countries, numbers } = (await sim.subaccount()).own.pricing.v2.voice;
    assert((await countries.list()).some((one) => one.isoCountry === "US" && one.country === "United States"));
    const germany = await countries("DE").fetch();
    assert(germany.priceUnit === "USD" && germany.inboundCallPrices.length);
    for (const price of germany.outboundPrefixPrices) assert(Number(price.currentPrice) > 0);
    const number = await numbers("+4915112345678").fetch({ originationNumber: "+14155550100" });
    assert.deepEqual([number.destinationNumber, number.isoCountry], ["+4915112345678", "DE"]);
    assert(Number(number.outboundCallPrices[0].currentPrice) > 0);
    await refused(404, 20404, () => countries("XX").fetch());
  },

  async "messaging and number prices are shown by country"(sim) {
    const { messaging, phoneNumbers } = (await sim.subaccount()).own.pricing.v1;
    assert((await messaging.countries.list()).some((one) => one.isoCountry === "GB"));
    const britain = await messaging.countries("GB").fetch();
    assert(britain.priceUnit === "USD" && Number(britain.outboundSmsPrices[0].prices[0].current_price) > 0);
    assert((await phoneNumbers.countries.list()).some((one) => one.isoCountry === "US"));
    const { phoneNumberPrices } = await phoneNumbers.countries("US").fetch();
    const of = (type) => Number(phoneNumberPrices.find((price) => price.numberType === type).currentPrice);
    assert(of("toll free") > of("local") && of("local") > 0);
    await refused(404, 20404, () => phoneNumbers.countries("XX").fetch());
  },

  async "older voice and trunking prices are shown too"(sim) {
    const { v1, v2 } = (await sim.subaccount()).own.pricing;
    assert(
      (await v1.voice.countries.list()).length && (await v1.voice.countries("US").fetch()).outboundPrefixPrices.length,
    );
    assert.equal((await v1.voice.numbers("+14155550100").fetch()).isoCountry, "US");
    assert((await v2.countries.list()).length && (await v2.countries("US").fetch()).terminatingPrefixPrices.length);
    assert((await v2.numbers("+14155550100").fetch()).terminatingPrefixPrices.length);
  },

  async "events tell who changed what"(sim) {
    const tenant = await sim.subaccount();
    const begin = await sim.now();
    await sim.advance({ seconds: 2 });
    const key = await tenant.resource.newKeys.create({ friendlyName: "Seen" });
    await sim.advance({ seconds: 2 });
    const { events } = tenant.own.monitor.v1;
    const during = await events.list({ startDate: begin, endDate: later(await sim.now(), DAY) });
    assert(during.length && during.every((event) => event.accountSid === tenant.sid));
    const [aboutKey, ...others] = await events.list({ resourceSid: key.sid });
    assert.deepEqual(others, []);
    assert.match(aboutKey.sid, /^AE[0-9a-f]{32}$/);
    assert.match(aboutKey.eventType, /key/);
    assert(begin < aboutKey.eventDate && aboutKey.eventDate <= (await sim.now()));
    assert.equal((await events(aboutKey.sid).fetch()).eventType, aboutKey.eventType);
    assert(sids(await events.list({ eventType: aboutKey.eventType })).includes(aboutKey.sid));
    assert.deepEqual(await events.list({ endDate: later(begin, -DAY) }), []);
    assert.deepEqual(await tenant.acting.monitor.v1.events.list({ resourceSid: key.sid }), []);
  },

  async "failed callbacks are alerts"(sim) {
    const tenant = await sim.subaccount();
    await tenant.number();
    sim.receiver.script("/broken", ...Array(10).fill(500));
    const sid = await tenant.call({ outcome: "busy", status_callback: sim.receiver.url("/broken") });
    await sim.advance({ minutes: 5 });
    const { alerts } = tenant.own.monitor.v1;
    const about = (await alerts.list()).filter((alert) => alert.resourceSid === sid);
    assert(about.length);
    assert.match(about[0].sid, /^NO[0-9a-f]{32}$/);
    assert.deepEqual([about[0].errorCode, about[0].requestUrl], ["11200", sim.receiver.url("/broken")]);
    const fetched = await alerts(about[0].sid).fetch();
    assert(fetched.errorCode === "11200" && fetched.requestVariables && fetched.dateGenerated instanceof Date);
    assert.deepEqual(await alerts.list({ logLevel: "debug" }), []);
    const now = await sim.now();
    assert((await alerts.list({ startDate: later(now, -DAY), endDate: later(now, DAY) })).length);
    await refused(404, 20404, () => alerts(`NO${"0".repeat(32)}`).fetch());
  },

  async "geographic permissions are shown"(sim) {
    const tenant = await sim.subaccount();
    const { permissions } = await tenant.own.accounts.v1.messagingGeopermissions.fetch({ countryCode: "US" });
    assert.deepEqual([permissions.length, permissions[0].country_code, permissions[0].enabled], [1, "US", true]);
  },
};
