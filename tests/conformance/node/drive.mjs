// Drives the simulator with the official twilio-node and holds the facts of every area.
//
// Usage: drive.mjs <folder of node_modules> <base URL> <host|prefix> <account SID> <auth token> [area...]

import { createRequire } from "node:module";

import { Tally } from "./facts.mjs";
import { Receiver } from "./receiver.mjs";
import { Simulator } from "./simulator.mjs";

// The last of them fills the main account with subaccounts.
const AREAS = [
  "accounts",
  "keys",
  "numbers",
  "traffic",
  "messages",
  "callbacks",
  "refusals",
  "usage",
  "products",
  "pages",
];

const [modules, base, mode, sid, token, ...areas] = process.argv.slice(2);
// The library is installed elsewhere: nothing is written into the sources.
const twilio = createRequire(`${modules}/`)("twilio");
const receiver = await Receiver.listen(twilio);
const simulator = await new Simulator(twilio, base, mode, sid, token, receiver).begin();
const tally = new Tally();
for (const area of areas.length ? areas : AREAS) {
  const { facts } = await import(`./areas/${area}.mjs`);
  await tally.hold(area, facts, simulator);
}
receiver.close();
for (const failure of tally.failures) console.log(`FAILED ${failure}`);
console.log(`${tally.passed} checks passed`);
process.exit(tally.failures.length || !tally.passed ? 1 : 0);
