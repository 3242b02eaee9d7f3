// Accounts: made, named, listed, suspended, closed; and what every refusal looks like.

import assert from "node:assert/strict";

import { DAY, inTurn, later, refused, sids } from "../simulator.mjs";

const API = "https://api.twilio.com/2010-04-01";

export const facts = {
  async "a new subaccount is active and belongs to the main account"(sim) {
    const made = await sim.main.api.v2010.accounts.create({ friendlyName: "Alpha" });
    assert.equal(sim.lastStatus(), 201);
    assert.match(made.sid, /^AC[0-9a-f]{32}$/);
    assert.match(made.authToken, /^[0-9a-f]{32}$/);
    assert.deepEqual([made.friendlyName, made.status, made.type], ["Alpha", "active", "Full"]);
    assert.equal(made.ownerAccountSid, sim.sid);
    assert.deepEqual([made.dateCreated, made.dateUpdated], Array(2).fill(await sim.now()));
    assert.equal(Object.keys(made.subresourceUris).length, 20);
    const again = await sim.main.api.v2010.accounts(made.sid).fetch();
    assert.deepEqual([again.sid, again.authToken], [made.sid, made.authToken]);
  },

  async "an unnamed subaccount is named after the moment"(sim) {
    const made = await sim.main.api.v2010.accounts.create();
    assert.match(made.friendlyName, /^SubAccount Created at \d{4}-\d\d-\d\d \d\d:\d\d [ap]m$/);
  },

  async "names are not unique and their filter is exact"(sim) {
    const made = sids(await inTurn(2, () => sim.subaccount("Twin")));
    await sim.subaccount("Twin peaks");
    const listed = sids(await sim.main.api.v2010.accounts.list({ friendlyName: "Twin" }));
    assert.deepEqual(listed, made.reverse());
    assert.deepEqual(await sim.main.api.v2010.accounts.list({ friendlyName: "twin" }), []);
  },

  async "a name has at most 64 characters"(sim) {
    const { accounts } = sim.main.api.v2010;
    assert.equal((await accounts.create({ friendlyName: "é".repeat(64) })).friendlyName, "é".repeat(64));
    await refused(400, 20002, () => accounts.create({ friendlyName: "n".repeat(65) }));
  },

  async "a subaccount is renamed"(sim) {
    const tenant = await sim.subaccount("Before");
    await sim.advance({ seconds: 5 });
    const renamed = await tenant.resource.update({ friendlyName: "After" });
    assert.equal(sim.lastStatus(), 200);
    assert.equal(renamed.friendlyName, (await tenant.resource.fetch()).friendlyName);
    assert.equal(renamed.friendlyName, "After");
    assert.deepEqual(renamed.dateUpdated, later(renamed.dateCreated, 5));
  },

  async "the main account is a row of its own list"(sim) {
    const rows = (await sim.main.api.v2010.accounts.list()).filter((row) => row.sid === row.ownerAccountSid);
    assert.deepEqual(sids(rows), [sim.sid]);
  },

  async "lists filter by status"(sim) {
    const tenants = await inTurn(3, () => sim.subaccount("Filtered"));
    await tenants[1].resource.update({ status: "suspended" });
    await tenants[2].resource.update({ status: "closed" });
    for (const [place, status] of ["active", "suspended", "closed"].entries()) {
      const listed = await sim.main.api.v2010.accounts.list({ friendlyName: "Filtered", status });
      assert.deepEqual(sids(listed), [tenants[place].sid]);
    }
  },

  async "an unknown account is not found"(sim) {
    const unknown = `AC${"f".repeat(32)}`;
    const error = await refused(404, 20404, () => sim.main.api.v2010.accounts(unknown).fetch());
    assert.equal(error.message, `The requested resource /2010-04-01/Accounts/${unknown}.json was not found`);
    await refused(404, 20404, () => sim.main.api.v2010.accounts(unknown).calls.list());
    await refused(404, 20404, () => sim.main.api.v2010.accounts(unknown).update({ status: "closed" }));
  },

  async "suspension can be taken back"(sim) {
    const tenant = await sim.subaccount();
    for (const status of ["suspended", "active", "suspended", "suspended", "active"]) {
      assert.equal((await tenant.resource.update({ status })).status, status);
      assert.equal((await tenant.resource.fetch()).status, status);
    }
  },

  async "closing is final"(sim) {
    const tenant = await sim.subaccount();
    assert.equal((await tenant.resource.update({ status: "closed" })).status, "closed");
    for (const status of ["active", "suspended"]) {
      await refused(400, 21479, () => tenant.resource.update({ status }));
    }
    assert.equal((await tenant.resource.fetch()).status, "closed");
  },

  async "a closed account is deleted after 30 days"(sim) {
    const tenant = await sim.subaccount("Gone in a month");
    await tenant.resource.update({ status: "closed" });
    await sim.advance({ days: 29, hours: 23 });
    assert.equal((await tenant.resource.fetch()).status, "closed");
    await sim.advance({ hours: 2 });
    await refused(404, 20404, () => tenant.resource.fetch());
    assert.deepEqual(await sim.main.api.v2010.accounts.list({ friendlyName: "Gone in a month" }), []);
  },

  async "a status must be one of three"(sim) {
    const tenant = await sim.subaccount();
    for (const status of ["sleeping", "ACTIVE ", "deleted"]) {
      await refused(400, 21475, () => tenant.resource.update({ status }));
    }
  },

  async "the main account has no status to change"(sim) {
    for (const status of ["suspended", "closed"]) {
      await refused(400, 21477, () => sim.main.api.v2010.accounts(sim.sid).update({ status }));
    }
  },

  async "what Twilio suspended only Twilio reactivates"(sim) {
    const tenant = await sim.subaccount();
    await sim.post(`accounts/${tenant.sid}`, { status: "suspended", by_twilio: true });
    await refused(400, 21478, () => tenant.resource.update({ status: "active" }));
    await sim.post(`accounts/${tenant.sid}`, { status: "active", by_twilio: false });
    assert.equal((await tenant.resource.update({ status: "active" })).status, "active");
  },

  async "a suspended main account suspends its subaccounts"(sim) {
    const tenant = await sim.subaccount();
    await sim.post(`accounts/${sim.sid}`, { status: "suspended" });
    try {
      await refused(400, 21476, () => tenant.resource.update({ status: "active" }));
      await refused(400, 21476, () => tenant.resource.update({ status: "suspended" }));
      await refused(401, 20003, () => tenant.own.api.v2010.accounts(tenant.sid).fetch());
    } finally {
      await sim.post(`accounts/${sim.sid}`, { status: "active" });
    }
    assert.equal((await tenant.own.api.v2010.accounts(tenant.sid).fetch()).status, "active");
  },

  async "a subaccount makes no subaccounts and does not change its own status"(sim) {
    const tenant = await sim.subaccount();
    const own = tenant.own.api.v2010.accounts;
    await refused(400, 21101, () => own.create({ friendlyName: "Grandchild" }));
    await refused(401, 20003, () => own(tenant.sid).update({ status: "suspended" }));
    assert.equal((await tenant.resource.fetch()).status, "active");
    assert.deepEqual(sids(await own.list()), [tenant.sid]);
  },

  async "only the main account has a balance"(sim) {
    const balance = await sim.main.api.v2010.accounts(sim.sid).balance.fetch();
    assert.deepEqual([balance.accountSid, balance.currency], [sim.sid, "USD"]);
    assert(Number(balance.balance) > 0);
    const tenant = await sim.subaccount();
    await refused(404, 20404, () => tenant.resource.balance.fetch());
  },

  async "a suspended account's own credentials fail and the main ones work"(sim) {
    const tenant = await sim.subaccount();
    await tenant.resource.update({ status: "suspended" });
    await refused(401, 20003, () => tenant.own.messages.list());
    assert.deepEqual(await tenant.acting.messages.list(), []);
    await tenant.resource.update({ status: "active" });
    assert.deepEqual(await tenant.own.messages.list(), []);
  },

  async "a new account may be in lists only later"(sim) {
    await sim.quirks({ account_list_lag_ms: 5000 });
    const tenant = await sim.subaccount("Late");
    const listed = () => sim.main.api.v2010.accounts.list({ friendlyName: "Late" });
    assert.deepEqual(await listed(), []);
    assert.equal((await tenant.resource.fetch()).friendlyName, "Late");
    await sim.advance({ seconds: 6 });
    assert.equal((await listed()).length, 1);
  },

  async "the name filter may be ignored"(sim) {
    await sim.subaccount("Somebody");
    await sim.quirks({ friendly_name_filter_ignored: true });
    assert((await sim.main.api.v2010.accounts.list({ friendlyName: "Nobody at all" })).length > 1);
  },

  async "answers bear Twilio's headers"(sim) {
    const { statusCode, headers } = await sim.main.api.v2010.accounts(sim.sid).fetchWithHttpInfo();
    assert.equal(statusCode, 200);
    assert.match(headers["twilio-request-id"], /^RQ[0-9a-f]{32}$/);
    assert.equal(headers["twilio-concurrent-requests"], "1");
    assert.deepEqual([headers["x-home-region"], headers["x-shenanigans"]], ["us1", "none"]);
    assert.equal(headers["x-api-domain"], "api.twilio.com");
  },

  async "without its suffix the API answers in XML"(sim) {
    const { body } = await sim.main.request({ method: "get", uri: `${API}/Accounts/${sim.sid}` });
    assert(body.startsWith("<?xml") && body.includes("<RestException>"), body);
  },

  async "a method that a resource does not have is refused"(sim) {
    const uri = `${API}/Accounts/${sim.sid}/Balance.json`;
    const { statusCode, body } = await sim.main.request({ method: "post", uri });
    assert.deepEqual([statusCode, body.code], [405, 20004]);
  },

  async "scripted failures reach the library as Twilio's would"(sim) {
    const tenant = await sim.subaccount();
    for (const [status, code] of [
      [429, 20429],
      [500, 20500],
      [503, 20503],
      [403, 20403],
    ]) {
      await sim.post("faults", { path: `*/Accounts/${tenant.sid}.json`, action: { type: "status", status } });
      await refused(status, code, () => tenant.resource.fetch());
    }
    assert.equal((await tenant.resource.fetch()).sid, tenant.sid);
  },

  async "the library's own retry gets through a crowd"(sim) {
    const tenant = await sim.subaccount();
    const client = sim.separateClient(sim.sid, sim.token, { autoRetry: true, maxRetryDelay: 5 });
    const action = { type: "status", status: 429 };
    await sim.post("faults", { path: `*/Accounts/${tenant.sid}.json`, count: 2, action });
    assert.equal((await client.api.v2010.accounts(tenant.sid).fetch()).sid, tenant.sid);
    assert.equal((await sim.get("faults"))[0].struck, 2);
  },

  async "the newest account comes first"(sim) {
    const made = sids(await inTurn(3, () => sim.subaccount("Order")));
    assert.deepEqual(sids(await sim.main.api.v2010.accounts.list({ friendlyName: "Order" })), made.reverse());
    assert((await sim.now()) - (await sim.main.api.v2010.accounts(made[0]).fetch()).dateCreated < DAY * 1000);
  },
};
