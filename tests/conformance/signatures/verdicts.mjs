// What twilio-node says of each vector: {"name": ..., "valid": ...}, one line each; nothing of those by
// another algorithm than HMAC_SHA1, which it does not know. What it throws on is not valid.
//
//   NODE_PATH=<its node_modules> node verdicts.mjs VECTORS >VERDICTS

import { readFileSync, writeSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";

// The modules stand outside this folder; import does not look where NODE_PATH says, require does.
const places = (process.env.NODE_PATH ?? "").split(delimiter).filter(Boolean);
const require = createRequire(join(places[0] ?? process.cwd(), "here.js"));
const { validateRequest, validateRequestWithBody } = require("twilio");

// An address is configured with its fragment and arrives without: either may be what is checked.
const received = (url) => new Set([url, url.split("#")[0]]);

function isValid(vector, url) {
  const { auth_token: token, signature, body } = vector;
  if (vector.content_type === "json") return validateRequestWithBody(token, signature, url, body);
  const values = new Map();
  for (const [name, value] of vector.params) values.set(name, [...(values.get(name) ?? []), value]);
  const params = Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? all[0] : all]));
  return validateRequest(token, signature, url, params);
}

const lines = [];
for (const vector of JSON.parse(readFileSync(process.argv[2], "utf8")).vectors) {
  if (vector.algorithm !== "HMAC_SHA1") continue;
  const valid = [...received(vector.url)].some((url) => {
    try {
      return isValid(vector, url);
    } catch {
      return false;
    }
  });
  lines.push(JSON.stringify({ name: vector.name, valid }));
}
let rest = Buffer.from(lines.join("\n") + "\n");
while (rest.length > 0) rest = rest.subarray(writeSync(1, rest));
