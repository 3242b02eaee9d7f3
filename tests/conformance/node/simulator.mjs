// The simulator as a driver holds it: official clients that differ from Twilio's users' only in the host,
// control endpoints, and a clock that stands until it is moved.

import assert from "node:assert/strict";

/** Waits for a list of promises one by one: the simulator's time is one. */
export async function inTurn(count, make) {
  const made = [];
  for (let number = 0; number < count; number += 1) made.push(await make(number));
  return made;
}

/** The library's own HTTP client, which sends to the simulator what was meant for Twilio. */
function localHttpClient(twilio, base, mode, options) {
  const local = new URL(base);
  return new (class extends twilio.RequestClient {
    request(request) {
      const asked = new URL(request.uri);
      const [product] = asked.hostname.split(".");
      const prefix = mode === "prefix" && product !== "api" ? `/${product}` : "";
      const host = mode === "host" ? { Host: asked.hostname } : {};
      const uri = `${local.origin}${prefix}${asked.pathname}${asked.search}`;
      return super.request({ ...request, uri, headers: { ...request.headers, ...host } });
    }
  })(options);
}

/** A subaccount, seen by the main account (`acting`) and by itself (`own`). */
export class Tenant {
  constructor(simulator, account) {
    this.simulator = simulator;
    this.sid = account.sid;
    this.token = account.authToken;
    this.own = simulator.client(this.sid, this.token);
    this.acting = simulator.client(simulator.sid, simulator.token, this.sid);
    this.resource = simulator.main.api.v2010.accounts(this.sid);
  }

  /** Gives it a phone number, free of whatever a purchase asks for. */
  number(phoneNumber) {
    const body = phoneNumber ? { phone_number: phoneNumber } : {};
    return this.simulator.post("numbers", { account_sid: this.sid, ...body });
  }

  /** Places a call through the control endpoint, which knows how it will end. */
  async call(fields = {}) {
    return (await this.simulator.post("calls", { account_sid: this.sid, ...fields })).sid;
  }

  async message(fields = {}) {
    return (await this.simulator.post("messages", { account_sid: this.sid, ...fields })).sid;
  }
}

/** One running simulator, asked in host or prefix mode. */
export class Simulator {
  constructor(twilio, base, mode, sid, token, receiver) {
    Object.assign(this, { twilio, base, mode, sid, token, receiver, made: 0 });
    this.http = localHttpClient(twilio, base, mode);
    this.main = this.client(sid, token);
  }

  async begin() {
    // Chance and delay are for the facts that ask for them, and calls last until they are ended.
    for (const [name, value] of Object.entries(await this.get("quirks"))) {
      if (/_(per_mille|lag_ms)$/.test(name)) await this.quirks({ [name]: Array.isArray(value) ? [0, 0] : 0 });
    }
    await this.pace({ call_seconds: [3600, 3600] });
    this.quirksAtRest = await this.get("quirks");
    this.paceAtRest = await this.get("pace");
    return this;
  }

  /** A client; of the machine's credentials, edge and region it uses none. */
  client(user, password, accountSid, httpClient = this.http) {
    return this.twilio(user, password, { accountSid, httpClient, env: {} });
  }

  /** A client with connections of its own. */
  separateClient(user, password, options) {
    return this.client(user, password, undefined, localHttpClient(this.twilio, this.base, this.mode, options));
  }

  async subaccount(name) {
    this.made += 1;
    const friendlyName = name ?? `Tenant ${this.made}`;
    return new Tenant(this, await this.main.api.v2010.accounts.create({ friendlyName }));
  }

  async control(method, what, body) {
    const response = await fetch(`${this.base}/_sim/${what}`, { method, body: body && JSON.stringify(body) });
    const text = await response.text();
    assert(response.ok, `${method} /_sim/${what} ${JSON.stringify(body)}: ${response.status} ${text.slice(0, 300)}`);
    return text ? JSON.parse(text) : undefined;
  }

  get(what) {
    return this.control("GET", what);
  }

  post(what, body) {
    return this.control("POST", what, body);
  }

  /** Moves simulated time; resolves when all that came due was done and every callback answered. */
  async advance({ days = 0, hours = 0, minutes = 0, seconds = 0, milliseconds = 0 }) {
    const whole = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    await this.post("clock", { advance_ms: whole * 1000 + milliseconds });
  }

  /** The simulated time, in whole seconds. */
  async now() {
    const { now } = await this.get("clock");
    return new Date(Math.floor(Date.parse(now.replace(/(\.\d{3})\d+/, "$1")) / 1000) * 1000);
  }

  quirks(fields) {
    return this.post("quirks", fields);
  }

  pace(fields) {
    return this.post("pace", fields);
  }

  /** The status of the latest answer. */
  lastStatus() {
    return this.http.lastResponse.statusCode;
  }

  /** Path and query of the latest request, as they were sent. */
  async lastPath() {
    return (await this.get("requests")).at(-1).path;
  }

  /** What one fact changed for itself is over for the next. */
  async settle() {
    await this.control("DELETE", "faults");
    await this.post("quirks", this.quirksAtRest);
    await this.post("pace", this.paceAtRest);
    this.receiver.forget();
  }
}

/** The call must fail with this status and code, in the exception and in the link that it bears. */
export async function refused(status, code, call) {
  let result;
  try {
    result = await call();
  } catch (error) {
    assert.deepEqual([error.status, error.code], [status, code], `${error.status} ${error.code}: ${error.message}`);
    const link = error.moreInfo ?? error.type;
    assert.equal(link, `https://www.twilio.com/docs/errors/${code}`);
    assert.match(error.constructor.name, /^(RestException|TwilioServiceException)$/);
    return error;
  }
  assert.fail(`not refused with ${code}: ${JSON.stringify(result)}`);
}

/** The SIDs of a list. */
export const sids = (list) => list.map((one) => one.sid);

/** The day of a moment, at its midnight in GMT. */
export const dayOf = (moment) => new Date(moment.toISOString().slice(0, 10));

/** A moment so many seconds later. */
export const later = (moment, seconds) => new Date(moment.getTime() + seconds * 1000);

export const DAY = 86_400;
