// Credentials: what each kind may do, and how keys and auth tokens are replaced without a gap.

import assert from "node:assert/strict";

import { inTurn, refused, sids } from "../simulator.mjs";

const READ_MESSAGES = "/twilio/messaging/messages/read";
const LIST_MESSAGES = "/twilio/messaging/messages/list";
const LIST_CALLS = "/twilio/voice/calls/list";

/** A client with a new restricted key of the tenant's, and the key. */
async function restricted(sim, tenant, ...allow) {
  const asked = { accountSid: tenant.sid, friendlyName: "Narrow", keyType: "restricted", policy: { allow } };
  const key = await tenant.own.iam.v1.newApiKey.create(asked);
  return [sim.client(key.sid, key.secret, tenant.sid), key];
}

async function standard(sim, tenant) {
  const key = await tenant.resource.newKeys.create({ friendlyName: "Standard" });
  return [sim.client(key.sid, key.secret, tenant.sid), key];
}

export const facts = {
  async "nobody gets in with wrong credentials"(sim) {
    const tenant = await sim.subaccount();
    for (const [user, password] of [
      [sim.sid, tenant.token],
      [tenant.sid, sim.token],
      [tenant.sid, "0".repeat(32)],
      [`AC${"0".repeat(32)}`, sim.token],
      [`SK${"0".repeat(32)}`, "secret"],
    ]) {
      await refused(401, 20003, () => sim.client(user, password, tenant.sid).messages.list());
      await refused(401, 20003, () => sim.client(user, password, tenant.sid).api.v2010.accounts(tenant.sid).fetch());
    }
  },

  async "the main token reaches every subaccount"(sim) {
    for (const tenant of await inTurn(2, () => sim.subaccount())) {
      assert.deepEqual(await tenant.acting.messages.list(), []);
      assert.equal((await tenant.resource.fetch()).sid, tenant.sid);
    }
  },

  async "a subaccount's token reaches its own account alone"(sim) {
    const [one, other] = await inTurn(2, () => sim.subaccount());
    assert.deepEqual(await one.own.messages.list(), []);
    assert.equal((await one.own.api.v2010.accounts(one.sid).fetch()).sid, one.sid);
    for (const foreign of [other.sid, sim.sid]) {
      await refused(401, 20003, () => sim.client(one.sid, one.token, foreign).messages.list());
      await refused(401, 20003, () => one.own.api.v2010.accounts(foreign).fetch());
      await refused(401, 20003, () => one.own.api.v2010.accounts(foreign).newKeys.create());
    }
  },

  async "a key shows its secret once"(sim) {
    const tenant = await sim.subaccount();
    const made = await tenant.resource.newKeys.create({ friendlyName: "First" });
    assert.equal(sim.lastStatus(), 201);
    assert.match(made.sid, /^SK[0-9a-f]{32}$/);
    assert.equal(made.secret.length, 32);
    assert.deepEqual([made.dateCreated, made.dateUpdated], Array(2).fill(await sim.now()));
    for (const shown of [await tenant.resource.keys(made.sid).fetch(), ...(await tenant.resource.keys.list())]) {
      assert.deepEqual([shown.sid, shown.friendlyName], [made.sid, "First"]);
      assert(!JSON.stringify(sim.http.lastResponse.body).includes("secret"));
    }
  },

  async "a key is renamed and deleted"(sim) {
    const tenant = await sim.subaccount();
    const [client, key] = await standard(sim, tenant);
    const kept = tenant.resource.keys(key.sid);
    assert.equal((await kept.update({ friendlyName: "Renamed" })).friendlyName, "Renamed");
    assert.deepEqual(await client.messages.list(), []);
    assert.equal(await kept.remove(), true);
    await refused(401, 20003, () => client.messages.list());
    await refused(404, 20404, () => kept.fetch());
    await refused(404, 20404, () => kept.remove());
    assert.deepEqual(await tenant.resource.keys.list(), []);
  },

  async "signing keys are keys"(sim) {
    const tenant = await sim.subaccount();
    const made = await tenant.resource.newSigningKeys.create({ friendlyName: "Signs" });
    const kept = tenant.resource.signingKeys(made.sid);
    assert.equal((await kept.fetch()).friendlyName, "Signs");
    assert.deepEqual(sids(await tenant.resource.signingKeys.list()), [made.sid]);
    assert.equal((await kept.update({ friendlyName: "Signed" })).friendlyName, "Signed");
    assert.equal(await kept.remove(), true);
    assert.deepEqual(await tenant.resource.signingKeys.list(), []);
  },

  async "a standard key manages neither accounts nor keys"(sim) {
    const tenant = await sim.subaccount();
    const [client, key] = await standard(sim, tenant);
    for (const list of [client.messages, client.calls, client.messaging.v1.services]) {
      assert.deepEqual(await list.list(), []);
    }
    const account = client.api.v2010.accounts(tenant.sid);
    await refused(401, 20003, () => account.fetch());
    await refused(401, 20003, () => account.keys.list());
    await refused(401, 20003, () => account.newKeys.create());
    await refused(401, 20003, () => account.keys(key.sid).remove());
    await refused(401, 20003, () => client.api.v2010.accounts.list());
  },

  async "a standard key of the main account does not reach subaccounts"(sim) {
    const tenant = await sim.subaccount();
    const main = sim.main.api.v2010.accounts(sim.sid);
    const key = await main.newKeys.create();
    assert(Array.isArray(await sim.client(key.sid, key.secret, sim.sid).messages.list({ limit: 1 })));
    await refused(401, 20003, () => sim.client(key.sid, key.secret, tenant.sid).messages.list());
    await main.keys(key.sid).remove();
  },

  async "a Main key manages accounts and keys"(sim) {
    const key = await sim.post("keys", { account_sid: sim.sid, kind: "main", friendly_name: "Console" });
    const client = sim.client(key.sid, key.secret, sim.sid);
    const made = await client.api.v2010.accounts.create({ friendlyName: "By a Main key" });
    const listed = await client.api.v2010.accounts.list({ friendlyName: "By a Main key" });
    assert.deepEqual(sids(listed), [made.sid]);
    const own = client.api.v2010.accounts(sim.sid);
    assert.equal(await own.keys((await own.newKeys.create()).sid).remove(), true);
    // It is the Console's to show and to delete, too.
    await refused(404, 20404, () => sim.main.api.v2010.accounts(sim.sid).keys(key.sid).remove());
    assert(!sids(await own.keys.list()).includes(key.sid));
  },

  async "a restricted key does what its policy lists"(sim) {
    const tenant = await sim.subaccount();
    const [client, key] = await restricted(sim, tenant, LIST_MESSAGES);
    assert.equal(sim.lastStatus(), 201);
    assert.deepEqual(key.policy, { allow: [LIST_MESSAGES] });
    assert.deepEqual(await client.messages.list(), []);
    const message = { to: "+15005550006", from: "+15005550006", body: "Hi" };
    await refused(401, 70051, () => client.calls.list());
    await refused(401, 70051, () => client.messages(`SM${"0".repeat(32)}`).fetch());
    await refused(401, 70051, () => client.messages.create(message));
    await refused(401, 70051, () => client.usage.records.list());
  },

  async "a policy is replaced at once"(sim) {
    const tenant = await sim.subaccount();
    const [client, key] = await restricted(sim, tenant, LIST_MESSAGES);
    const own = tenant.own.iam.v1.apiKey(key.sid);
    const policy = { allow: [LIST_CALLS, READ_MESSAGES] };
    const changed = await own.update({ friendlyName: "Other", policy });
    assert.deepEqual([changed.friendlyName, changed.policy], ["Other", policy]);
    assert.deepEqual((await own.fetch()).policy, policy);
    assert.deepEqual(await client.calls.list(), []);
    await refused(401, 70051, () => client.messages.list());
    assert.equal(await own.remove(), true);
    await refused(401, 20003, () => client.calls.list());
    await refused(404, 20404, () => own.fetch());
  },

  async "the iam API makes standard keys too"(sim) {
    const tenant = await sim.subaccount();
    const { iam } = tenant.own;
    const made = await iam.v1.newApiKey.create({ accountSid: tenant.sid, friendlyName: "Plain" });
    assert.equal(made.policy, null);
    assert.deepEqual(await sim.client(made.sid, made.secret, tenant.sid).messages.list(), []);
    const listed = await iam.v1.getApiKeys.list({ accountSid: tenant.sid });
    assert.deepEqual(sids(listed), [made.sid]);
    assert.deepEqual(sids(await tenant.resource.keys.list()), [made.sid]);
    assert.deepEqual([listed[0].dateCreated, made.dateCreated], Array(2).fill(await sim.now()));
  },

  async "the iam API shows main credentials the main account"(sim) {
    const tenant = await sim.subaccount();
    const [, key] = await standard(sim, tenant);
    const shown = await sim.main.iam.v1.getApiKeys.list({ accountSid: tenant.sid });
    assert(!sids(shown).includes(key.sid));
    await refused(404, 20404, () => sim.main.iam.v1.apiKey(key.sid).fetch());
  },

  async "keys are rotated without a gap"(sim) {
    const tenant = await sim.subaccount();
    const [old, oldKey] = await standard(sim, tenant);
    const [fresh] = await standard(sim, tenant);
    for (const client of [old, fresh]) assert.deepEqual(await client.messages.list(), []);
    await tenant.resource.keys(oldKey.sid).remove();
    await refused(401, 20003, () => old.messages.list());
    assert.deepEqual(await fresh.messages.list(), []);
    const [narrow, narrowKey] = await restricted(sim, tenant, LIST_MESSAGES);
    const [narrower] = await restricted(sim, tenant, LIST_MESSAGES);
    await tenant.own.iam.v1.apiKey(narrowKey.sid).remove();
    await refused(401, 20003, () => narrow.messages.list());
    assert.deepEqual(await narrower.messages.list(), []);
  },

  async "an auth token is rotated without a gap"(sim) {
    const tenant = await sim.subaccount();
    const quietly = { suppressEmailNotification: true };
    const made = await tenant.own.accounts.v1.secondaryAuthToken().create(quietly);
    assert.equal(sim.lastStatus(), 201);
    const secondary = made.secondaryAuthToken;
    assert.equal(made.accountSid, tenant.sid);
    assert.match(secondary, /^[0-9a-f]{32}$/);
    const bySecondary = sim.client(tenant.sid, secondary);
    for (const client of [bySecondary, tenant.own]) assert.deepEqual(await client.messages.list(), []);
    assert.equal((await tenant.resource.fetch()).authToken, tenant.token);
    const promoted = await bySecondary.accounts.v1.authTokenPromotion().update(quietly);
    assert.equal(sim.lastStatus(), 200);
    assert.deepEqual([promoted.accountSid, promoted.authToken], [tenant.sid, secondary]);
    await refused(401, 20003, () => tenant.own.messages.list());
    assert.deepEqual(await bySecondary.messages.list(), []);
    assert.equal((await tenant.resource.fetch()).authToken, secondary);
  },

  async "a secondary token can be given up"(sim) {
    const tenant = await sim.subaccount();
    const tokens = tenant.own.accounts.v1.secondaryAuthToken();
    const client = sim.client(tenant.sid, (await tokens.create()).secondaryAuthToken);
    assert.deepEqual(await client.messages.list(), []);
    assert.equal(await tokens.remove({ suppressEmailNotification: true }), true);
    await refused(401, 20003, () => client.messages.list());
    assert.deepEqual(await tenant.own.messages.list(), []);
    await refused(404, 20404, () => tokens.remove());
    await refused(404, 20404, () => tenant.own.accounts.v1.authTokenPromotion().update());
  },

  async "main credentials rotate the main account's token only"(sim) {
    const tenant = await sim.subaccount();
    const made = await tenant.acting.accounts.v1.secondaryAuthToken().create();
    assert.equal(made.accountSid, sim.sid);
    assert.equal(await sim.main.accounts.v1.secondaryAuthToken().remove(), true);
    assert.deepEqual(await tenant.own.messages.list(), []);
  },

  async "on other products main credentials show the main account's rows"(sim) {
    const tenant = await sim.subaccount();
    const own = tenant.own.messaging.v1.services;
    const trap = tenant.acting.messaging.v1.services;
    const service = await own.create({ friendlyName: "The tenant's" });
    assert((await trap.list()).every((row) => row.accountSid === sim.sid));
    await refused(404, 20404, () => trap(service.sid).fetch());
    const wrongPlace = await trap.create({ friendlyName: "Lands in the main account" });
    assert.equal(wrongPlace.accountSid, sim.sid);
    assert.deepEqual(sids(await own.list()), [service.sid]);
    assert.equal(await sim.main.messaging.v1.services(wrongPlace.sid).remove(), true);
  },

  async "the request log tells which credential asked"(sim) {
    const tenant = await sim.subaccount();
    const [client, key] = await standard(sim, tenant);
    for (const asking of [tenant.acting, tenant.own, client]) await asking.messages.list();
    const asked = (await sim.get("requests")).slice(-3);
    assert.deepEqual(
      asked.map((request) => [request.credential, request.credential_sid]),
      [
        ["main", sim.sid],
        ["subaccount", tenant.sid],
        ["key", key.sid],
      ],
    );
  },

  async "too many requests at a time are refused"(sim) {
    // On a running clock an answer can be held back; the others come while it is.
    const tenant = await sim.subaccount();
    await sim.post("faults", { path: "*/Messages.json*", count: 0, action: { type: "delay", ms: 2000 } });
    await sim.post("clock", { running: true });
    try {
      const asking = Array.from({ length: 12 }, () =>
        tenant.own.messages.page().then(
          () => 200,
          (error) => error.code,
        ),
      );
      const answers = await Promise.all(asking);
      assert.equal(answers.filter((answer) => answer === 200).length, 8, String(answers));
      assert.equal(answers.filter((answer) => answer === 20429).length, 4, String(answers));
    } finally {
      await sim.post("clock", { running: false });
    }
  },
};
