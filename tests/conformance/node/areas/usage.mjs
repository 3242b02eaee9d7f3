// Usage records in all their subresources, what they add up to, how they change; and usage triggers.

import assert from "node:assert/strict";

import { DAY, inTurn, later, refused, sids } from "../simulator.mjs";

const iso = (moment) => moment.toISOString().slice(0, 10);

/** Sets a day's record of a leaf category. */
async function used(sim, tenant, category, price, daysAgo = 0, more = {}) {
  const day = iso(later(await sim.now(), -daysAgo * DAY));
  await sim.post("usage", { account_sid: tenant.sid, day, category, price, ...more });
}

/** The price of `totalprice` over one list's rows. */
async function total(records, filters = {}) {
  const rows = await records.list({ category: "totalprice", ...filters });
  return rows.reduce((sum, row) => sum + Number(row.price), 0);
}

function triggered(sim, tenant, { path = "/trigger", ...fields } = {}) {
  const defaults = { triggerValue: "10", usageCategory: "sms", triggerBy: "price" };
  return tenant.own.usage.triggers.create({ callbackUrl: sim.receiver.url(path), ...defaults, ...fields });
}

const records = {
  async "a record says what was used and what it cost"(sim) {
    const tenant = await sim.subaccount();
    await used(sim, tenant, "sms-outbound-longcode", "1.2345", 0, { usage: "150", count: 149 });
    const [record] = await tenant.own.usage.records.today.list({ category: "sms-outbound-longcode" });
    assert.deepEqual([record.accountSid, record.category], [tenant.sid, "sms-outbound-longcode"]);
    assert.deepEqual([iso(record.startDate), iso(record.endDate)], Array(2).fill(iso(await sim.now())));
    assert.deepEqual([record.count, record.usage, String(record.price)], ["149", "150", "1.2345"]);
    assert.deepEqual([record.priceUnit, record.usageUnit, record.countUnit], ["usd", "segments", "messages"]);
    assert.match(record.asOf, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$/);
    assert.equal(Object.keys(record.subresourceUris).length, 8);
  },

  async "categories that were not used have rows too"(sim) {
    const rows = await (await sim.subaccount()).own.usage.records.list({ pageSize: 1000 });
    assert(rows.length > 50 && rows.every((row) => Number(row.price) === 0));
    assert.equal(new Set(rows.map((row) => row.category)).size, rows.length);
  },

  async "every subresource has its own periods"(sim) {
    const tenant = await sim.subaccount();
    await sim.advance({ days: 40 });
    const own = tenant.own.usage.records;
    const now = await sim.now();
    const [today, yesterday] = [iso(now), iso(later(now, -DAY))];
    const first = `${today.slice(0, 8)}01`;
    const last = iso(later(new Date(first), -DAY));
    const born = iso((await tenant.resource.fetch()).dateCreated);
    for (const [listing, expected] of [
      [own.today, [today, today]],
      [own.yesterday, [yesterday, yesterday]],
      [own.thisMonth, [first, today]],
      [own.lastMonth, [`${last.slice(0, 8)}01`, last]],
      [own.allTime, [born, today]],
      [own, [born, today]],
    ]) {
      const [row, ...others] = await listing.list({ category: "sms" });
      assert.deepEqual([iso(row.startDate), iso(row.endDate), others], [...expected, []]);
    }
    assert.equal((await own.daily.list({ category: "sms" })).length, 41);
    const monthly = await own.monthly.list({ category: "sms", startDate: new Date(last), endDate: now });
    assert.deepEqual(
      monthly.map((row) => iso(row.startDate)),
      [first, last],
    );
    assert.equal(iso((await own.yearly.list({ category: "sms" }))[0].endDate), today);
  },

  async "days may be relative"(sim) {
    const tenant = await sim.subaccount();
    await sim.advance({ days: 5 });
    await inTurn(5, (ago) => used(sim, tenant, "sms-inbound-longcode", String(10 ** ago), ago));
    const own = tenant.own.usage.records;
    assert.equal(await total(own, { startDate: "-1days", endDate: "+0days" }), 11);
    assert((await sim.lastPath()).includes("StartDate=-1days&EndDate=%2B0days"), await sim.lastPath());
    assert.equal(await total(own, { startDate: "-3days", endDate: "-2days" }), 1100);
    assert.equal(await total(own, { startDate: "-4days" }), 11111);
    const now = await sim.now();
    assert.equal(await total(own, { startDate: later(now, -2 * DAY), endDate: later(now, -DAY) }), 110);
    const daily = await own.daily.list({ category: "sms", startDate: "-2days" });
    assert.deepEqual(
      daily.map((row) => Number(row.price)),
      [1, 10, 100],
    );
    await refused(400, 20001, () => own.list({ startDate: "tomorrow" }));
  },

  async "the main account's records include its subaccounts unless told otherwise"(sim) {
    await sim.quirks({ include_subaccounts_ignored_on_subresources: false });
    const tenant = await sim.subaccount();
    const main = sim.main.usage.records;
    const listings = [main, main.daily, main.monthly, main.yearly, main.allTime, main.today, main.thisMonth];
    const totals = (filters) => inTurn(listings.length, (place) => total(listings[place], filters));
    const before = await totals();
    const alone = await totals({ includeSubaccounts: false });
    await used(sim, tenant, "carrier-lookups", "5");
    const after = await totals();
    for (const [place, sum] of after.entries()) assert(Math.abs(sum - before[place] - 5) < 1e-6, `${place}: ${sum}`);
    assert.deepEqual(await totals({ includeSubaccounts: true }), after);
    assert.deepEqual(await totals({ includeSubaccounts: false }), alone);
    assert((await sim.lastPath()).includes("IncludeSubaccounts=false"));
  },

  async "a record may be revised either way"(sim) {
    const tenant = await sim.subaccount();
    await sim.advance({ days: 1 });
    for (const price of ["2", "2.5", "1.75", "0"]) {
      await sim.advance({ hours: 1 });
      await used(sim, tenant, "sms-outbound-longcode", price, 1);
      const [row] = await tenant.own.usage.records.yesterday.list({ category: "sms" });
      assert.deepEqual([Number(row.price), await total(tenant.own.usage.records)], Array(2).fill(Number(price)));
    }
  },

  async "usage that no list names is in the total"(sim) {
    const tenant = await sim.subaccount();
    await used(sim, tenant, "quantum-entanglement-minutes", "7");
    await used(sim, tenant, "sms-inbound-longcode", "1");
    assert.equal(await total(tenant.own.usage.records), 8);
    const [row] = await tenant.own.usage.records.list({ category: "quantum-entanglement-minutes" });
    assert.equal(Number(row.price), 7);
  },

  async "number rent goes on while an account is suspended"(sim) {
    await sim.quirks({ rent: "daily" });
    const tenant = await sim.subaccount();
    await tenant.number();
    await sim.advance({ days: 2 });
    const before = await total(tenant.acting.usage.records);
    await tenant.resource.update({ status: "suspended" });
    await sim.advance({ days: 10 });
    const after = await total(tenant.acting.usage.records);
    assert(before > 0 && after > before, `${before} ${after}`);
  },

  async "a message's fees are booked"(sim) {
    const tenant = await sim.subaccount();
    await tenant.number();
    await tenant.message({ to: "+14155550142" });
    await tenant.message({ to: "+14155550142", outcome: "failed" });
    await sim.advance({ hours: 2 });
    const rows = await tenant.own.usage.records.list({ pageSize: 1000 });
    const of = (category) => rows.find((row) => row.category === category);
    assert.equal(of("sms-outbound").count, "1");
    assert(Number(of("sms-messages-carrierfees").price) > 0);
    assert.deepEqual(
      [of("failed-message-processing-fee").count, Number(of("failed-message-processing-fee").price)],
      ["1", 0.001],
    );
  },

  async "records are paged"(sim) {
    const tenant = await sim.subaccount();
    await sim.advance({ days: 3 });
    const { daily } = tenant.own.usage.records;
    const keyed = (rows) => rows.map((row) => `${row.category} ${iso(row.startDate)}`);
    const paged = keyed(await daily.list({ pageSize: 37 }));
    assert.deepEqual(paged, keyed(await daily.list({ pageSize: 1000 })));
    assert.equal(new Set(paged).size, paged.length);
    await refused(400, 70002, () => daily.page({ pageNumber: 1 }));
    await refused(400, 21481, () => daily.page({ pageNumber: 1, pageToken: "APnonsense" }));
  },
};

const triggers = {
  async "triggers are kept"(sim) {
    const tenant = await sim.subaccount();
    const made = await triggered(sim, tenant, { triggerValue: "1000", recurring: "monthly", friendlyName: "Too much" });
    assert.equal(sim.lastStatus(), 201);
    assert.match(made.sid, /^UT[0-9a-f]{32}$/);
    assert.deepEqual([made.triggerValue, made.triggerBy, made.recurring], ["1000.000000", "price", "monthly"]);
    assert.deepEqual([made.usageCategory, made.dateFired, made.callbackMethod], ["sms", null, "POST"]);
    const kept = tenant.own.usage.triggers(made.sid);
    const fields = { friendlyName: "Much", callbackUrl: "https://example.com/t", callbackMethod: "GET" };
    for (const shown of [await kept.update(fields), await kept.fetch()]) {
      assert.deepEqual(
        [shown.friendlyName, shown.callbackMethod, shown.callbackUrl],
        ["Much", "GET", fields.callbackUrl],
      );
      assert.equal(shown.triggerValue, "1000.000000");
    }
    assert.equal(await kept.remove(), true);
    await refused(404, 20404, () => kept.fetch());
  },

  async "triggers are listed by what they watch"(sim) {
    const tenant = await sim.subaccount();
    const one = await triggered(sim, tenant, { recurring: "daily" });
    const other = await triggered(sim, tenant, { usageCategory: "calls", triggerBy: "count" });
    const own = tenant.own.usage.triggers;
    assert.equal((await own.list()).length, 2);
    assert.deepEqual(sids(await own.list({ usageCategory: "calls" })), [other.sid]);
    assert.deepEqual(sids(await own.list({ triggerBy: "price" })), [one.sid]);
    assert.deepEqual(sids(await own.list({ recurring: "daily" })), [one.sid]);
  },

  async "a trigger fires about a minute after its value is reached"(sim) {
    const tenant = await sim.subaccount();
    const trigger = await triggered(sim, tenant);
    await used(sim, tenant, "sms-inbound-longcode", "9.99");
    await sim.advance({ minutes: 3 });
    assert.deepEqual(sim.receiver.at("/trigger"), []);
    await used(sim, tenant, "sms-inbound-longcode", "10.01");
    await sim.advance({ minutes: 3 });
    const arrived = sim.receiver.at("/trigger");
    assert.equal(arrived.length, 1);
    const [{ form }] = arrived;
    assert(arrived[0].signedWith(tenant.token));
    assert.deepEqual([form.AccountSid, form.UsageTriggerSid], [tenant.sid, trigger.sid]);
    assert.deepEqual([form.UsageCategory, form.TriggerBy, form.Recurring], ["sms", "price", ""]);
    assert.deepEqual([Number(form.TriggerValue), Number(form.CurrentValue)], [10, 10.01]);
    assert(form.IdempotencyToken.startsWith(`${tenant.sid}-FIRES-${trigger.sid}-`) && form.DateFired);
    await sim.advance({ days: 3 });
    assert.equal(sim.receiver.at("/trigger").length, 1);
    assert((await tenant.own.usage.triggers(trigger.sid).fetch()).dateFired instanceof Date);
  },

  async "a recurring trigger fires once in each period"(sim) {
    const tenant = await sim.subaccount();
    await triggered(sim, tenant, { recurring: "daily", triggerValue: "2", triggerBy: "count" });
    for (let day = 1; day < 4; day += 1) {
      for (const count of [5, 9]) {
        await used(sim, tenant, "sms-inbound-longcode", "1", 0, { count });
        await sim.advance({ minutes: 5 });
      }
      assert.equal(sim.receiver.at("/trigger").length, day);
      await sim.advance({ days: 1 });
    }
  },

  async "a value may be an offset from what was used already"(sim) {
    const tenant = await sim.subaccount();
    await used(sim, tenant, "sms-inbound-longcode", "100");
    assert.equal((await triggered(sim, tenant, { triggerValue: "+30" })).triggerValue, "130.000000");
  },

  async "a trigger's callback is tried three times more"(sim) {
    const tenant = await sim.subaccount();
    await triggered(sim, tenant, { path: "/failing" });
    sim.receiver.script("/failing", 500, 503, 500, 500, 500);
    await used(sim, tenant, "sms-inbound-longcode", "11");
    await sim.advance({ minutes: 10 });
    const tokens = sim.receiver.at("/failing").map(({ form }) => form.IdempotencyToken);
    assert.deepEqual([tokens.length, new Set(tokens).size], [4, 1]);
  },

  async "a trigger needs a URL and a number"(sim) {
    const tenant = await sim.subaccount();
    for (const fields of [{ triggerValue: "much" }, { triggerBy: "weight" }, { recurring: "hourly" }]) {
      await refused(400, 20001, () => triggered(sim, tenant, fields));
    }
    await refused(400, 21502, () => triggered(sim, tenant, { callbackUrl: "not a url" }));
    assert.deepEqual(await tenant.own.usage.triggers.list(), []);
  },
};

export const facts = { ...records, ...triggers };
