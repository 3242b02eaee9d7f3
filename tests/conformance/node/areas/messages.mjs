// Messages: sent, watched over simulated time, listed, redacted.

import assert from "node:assert/strict";

import { DAY, dayOf, inTurn, later, refused, sids } from "../simulator.mjs";
import { SOMEBODY, equipped, watched } from "./traffic.mjs";

const writing = (tenant, fields = {}) =>
  tenant.own.messages.create({ to: SOMEBODY, from: tenant.phone, body: "Hello", ...fields });

export const facts = {
  async "a message is queued, sent, delivered and priced later"(sim) {
    const tenant = await equipped(sim);
    const message = await writing(tenant);
    assert.equal(sim.lastStatus(), 201);
    assert.match(message.sid, /^SM[0-9a-f]{32}$/);
    assert.deepEqual(
      [message.status, message.price, message.dateSent, message.numSegments],
      ["queued", null, null, "1"],
    );
    const seen = await watched(sim, tenant.own.messages(message.sid), 20);
    assert.deepEqual(
      seen.filter((status) => status !== "sending"),
      ["queued", "sent", "delivered"],
    );
    await sim.advance({ days: 1 });
    const sent = await tenant.own.messages(message.sid).fetch();
    assert(Number(sent.price) < 0 && sent.priceUnit === "USD" && sent.dateSent >= sent.dateCreated);
  },

  async "long messages have segments and media make an MMS"(sim) {
    const tenant = await equipped(sim);
    assert.equal((await writing(tenant, { body: "x".repeat(161) })).numSegments, "2");
    assert.equal((await writing(tenant, { body: "ж".repeat(71) })).numSegments, "2");
    const picture = await writing(tenant, { mediaUrl: ["https://example.com/a.png", "https://example.com/b.png"] });
    assert(picture.sid.startsWith("MM") && picture.numMedia === "2");
  },

  async "a message needs a text, a sender and a receiver"(sim) {
    const [tenant, other] = await inTurn(2, () => equipped(sim));
    await refused(400, 21602, () => writing(tenant, { body: "" }));
    await refused(400, 21604, () => writing(tenant, { to: "" }));
    await refused(400, 21211, () => writing(tenant, { to: "nobody" }));
    await refused(400, 21606, () => writing(tenant, { from: other.phone }));
    await refused(400, 21609, () => writing(tenant, { statusCallback: "not a url" }));
    assert.deepEqual(await tenant.own.messages.list(), []);
  },

  async "messages that do not arrive say why"(sim) {
    const tenant = await equipped(sim);
    for (const outcome of ["undelivered", "failed"]) {
      const sid = await tenant.message({ outcome });
      await sim.advance({ minutes: 1 });
      const message = await tenant.own.messages(sid).fetch();
      assert.equal(message.status, outcome);
      assert(message.errorCode > 30000 && message.errorCode < 31000 && message.errorMessage);
    }
    await refused(404, 20404, () => tenant.own.messages(`SM${"0".repeat(32)}`).fetch());
  },

  async "messages are listed by their ends and day"(sim) {
    const tenant = await equipped(sim);
    const first = await tenant.message({ to: SOMEBODY });
    await sim.advance({ days: 2 });
    const second = await tenant.message({ direction: "inbound", from: SOMEBODY, to: tenant.phone });
    await sim.advance({ minutes: 1 });
    const sent = (await tenant.own.messages(first).fetch()).dateSent;
    const date = sent.toISOString().slice(0, 10);
    for (const [filters, expected] of [
      [{}, [second, first]],
      [{ to: SOMEBODY }, [first]],
      [{ from: SOMEBODY }, [second]],
      [{ dateSentAfter: later(sent, DAY) }, [second]],
      [{ dateSentBefore: later(sent, DAY) }, [first]],
      [{ dateSent: date }, [first]],
      [{ dateSent: dayOf(sent) }, [first]],
      [{ dateSent: sent }, [first]],
      [{ dateSentBefore: sent }, [first]], // inclusive
      [{ dateSentBefore: date }, [first]],
      [{ dateSentAfter: dayOf(sent) }, [second, first]],
      [{ dateSentAfter: later(sent, -DAY), dateSentBefore: later(sent, 1) }, [first]],
    ]) {
      assert.deepEqual(sids(await tenant.own.messages.list(filters)), expected, JSON.stringify(filters));
    }
    assert.match(await sim.lastPath(), /DateSent%3C=.*T.*%3A.*Z/);
  },

  async "a message is redacted and deleted"(sim) {
    const tenant = await equipped(sim);
    const message = tenant.own.messages(await tenant.message({ body: "A secret" }));
    await sim.advance({ minutes: 1 });
    assert.equal((await message.update({ body: "" })).body, "");
    assert.equal((await message.fetch()).body, "");
    assert.equal(await message.remove(), true);
    await refused(404, 20404, () => message.fetch());
  },

  async "queued messages of a suspended account fail"(sim) {
    await sim.pace({ message_sent_ms: [60_000, 60_000] });
    const tenant = await equipped(sim);
    const { sid } = await writing(tenant);
    await tenant.resource.update({ status: "suspended" });
    await sim.advance({ minutes: 5 });
    const failed = await tenant.acting.messages(sid).fetch();
    assert.deepEqual([failed.status, failed.errorCode], ["failed", 30002]);
  },
};
