// Paging through 2,500 subaccounts, and the limit on how many there may be.

import assert from "node:assert/strict";

import { refused, sids } from "../simulator.mjs";

const LIMIT = 2500;

/** The work's result and how many requests it took. */
async function counted(sim, work) {
  await sim.control("DELETE", "requests");
  const result = await work();
  return [result, (await sim.get("requests")).length];
}

export const facts = {
  async "one more than the limit of open subaccounts is refused"(sim) {
    const { accounts } = sim.main.api.v2010;
    const open = (await accounts.list({ pageSize: 1000 })).filter((account) => account.status !== "closed");
    for (let number = open.length - 1; number < LIMIT; number += 1) {
      await accounts.create({ friendlyName: `Crowd ${number}` });
    }
    const error = await refused(400, 21480, () => accounts.create({ friendlyName: "One too many" }));
    assert.equal(error.message, "Reached maximum number of subaccounts");
  },

  async "a closed subaccount makes room for another"(sim) {
    const { accounts } = sim.main.api.v2010;
    const [one] = await accounts.list({ status: "active", limit: 1 });
    await accounts(one.sid).update({ status: "closed" });
    await accounts.create({ friendlyName: "In its place" });
    await refused(400, 21480, () => accounts.create({ friendlyName: "One too many" }));
  },

  async "all are listed once however large the pages"(sim) {
    const { accounts } = sim.main.api.v2010;
    const [whole, requests] = await counted(sim, async () => sids(await accounts.list({ pageSize: 1000 })));
    assert(whole.length > LIMIT && new Set(whole).size === whole.length);
    assert.equal(requests, Math.ceil(whole.length / 1000));
    const [byDefault, more] = await counted(sim, async () => sids(await accounts.list()));
    assert.deepEqual(byDefault, whole);
    assert.equal(more, Math.ceil(whole.length / 50));
    const one = [];
    await accounts.each({ pageSize: 333, callback: (account) => one.push(account.sid) });
    assert.deepEqual(one, whole);
  },

  async "a limit ends the paging"(sim) {
    const { accounts } = sim.main.api.v2010;
    const [listed, requests] = await counted(sim, () => accounts.list({ limit: 120, pageSize: 50 }));
    assert.deepEqual([listed.length, requests], [120, 3]);
    const [more, twice] = await counted(sim, () => accounts.list({ limit: 1500 }));
    assert.deepEqual([more.length, twice], [1500, 2]); // the library asks for 1,500 at once
    let seen = 0;
    await accounts.each({
      pageSize: 100,
      callback: (account, done) => {
        seen += 1;
        if (seen === 150) done();
      },
    });
    assert.equal(seen, 150);
  },

  async "pages lead to the next and the previous"(sim) {
    const { accounts } = sim.main.api.v2010;
    const first = await accounts.page({ pageSize: 200 });
    assert.equal(first.previousPageUrl, undefined);
    assert.match(first.nextPageUrl, /^https:\/\/api\.twilio\.com\/2010-04-01\/Accounts\.json\?.*Page=1&PageToken=/);
    const second = await first.nextPage();
    const [ahead, between] = [sids(first.instances), sids(second.instances)];
    assert.equal(new Set([...ahead, ...between]).size, 400);
    assert.deepEqual(sids((await second.previousPage()).instances), ahead);
    assert.deepEqual(sids((await accounts.getPage(first.nextPageUrl)).instances), between);
  },

  async "the last page leads nowhere"(sim) {
    let page = await sim.main.api.v2010.accounts.page({ pageSize: 1000 });
    while (page.nextPageUrl) page = await page.nextPage();
    assert.equal(page.nextPage(), undefined);
    assert(page.previousPageUrl);
  },

  async "a page number without its token is refused"(sim) {
    const { accounts } = sim.main.api.v2010;
    await refused(400, 70002, () => accounts.page({ pageNumber: 1, pageSize: 50 }));
    await refused(400, 70002, () => accounts.page({ pageNumber: 40, pageSize: 50 }));
    await refused(400, 21481, () => accounts.page({ pageNumber: 1, pageToken: "PAnothing", pageSize: 50 }));
    assert.equal((await accounts.page({ pageNumber: 0, pageSize: 50 })).instances.length, 50);
  },

  async "a page has between 1 and 1000 rows"(sim) {
    const { accounts } = sim.main.api.v2010;
    for (const [pageSize, rows] of [
      [1, 1],
      [1000, 1000],
      [1001, 1000],
    ]) {
      assert.equal((await accounts.page({ pageSize })).instances.length, rows);
    }
    await refused(400, 20001, () => accounts.page({ pageSize: -1 }));
  },

  async "an account that is made meanwhile shifts nothing"(sim) {
    const { accounts } = sim.main.api.v2010;
    const whole = sids(await accounts.list({ pageSize: 1000 }));
    let page = await accounts.page({ pageSize: 1000 });
    await accounts(whole.at(-2)).update({ status: "closed" });
    await accounts.create({ friendlyName: "Meanwhile" });
    const seen = [];
    for (; page; page = await page.nextPage()) seen.push(...sids(page.instances));
    assert.deepEqual(seen, whole);
  },
};
