// Where the simulator's callbacks arrive: a plain HTTP server that keeps what it got and answers as told.

import { createServer } from "node:http";

/** One request as it arrived. */
class Callback {
  constructor(twilio, base, request, body) {
    this.twilio = twilio;
    this.method = request.method;
    this.target = request.url;
    this.headers = request.headers;
    this.url = base + request.url;
    const { pathname, searchParams } = new URL(this.url);
    this.path = pathname;
    this.query = Object.fromEntries(searchParams);
    this.pairs = [...new URLSearchParams(body)];
    this.form = Object.fromEntries(this.pairs);
    this.token = request.headers["i-twilio-idempotency-token"];
    this.signature = request.headers["x-twilio-signature"] ?? "";
  }

  /** What the official library says of it. */
  signedWith(token) {
    const params = {};
    for (const [name, value] of this.pairs) {
      params[name] = name in params ? [params[name], value].flat() : value;
    }
    return this.twilio.validateRequest(token, this.signature, this.url, params);
  }
}

/** Listens on 127.0.0.1 until it is closed. */
export class Receiver {
  requests = [];
  scripts = new Map();

  static async listen(twilio) {
    const receiver = new Receiver();
    // A caller that hangs up in the middle of its request is none of the driver's failures.
    receiver.server = createServer((request, response) =>
      receiver.take(twilio, request, response).catch(() => response.destroy()),
    );
    await new Promise((resolve) => receiver.server.listen(0, "127.0.0.1", resolve));
    receiver.base = `http://127.0.0.1:${receiver.server.address().port}`;
    return receiver;
  }

  async take(twilio, request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const callback = new Callback(twilio, this.base, request, Buffer.concat(chunks).toString());
    this.requests.push(callback);
    const script = this.scripts.get(callback.path) ?? [];
    const status = script.length ? script.shift() : 200;
    if (status === null) return; // the caller's patience ends it
    response.writeHead(status, { "Content-Length": "0" }).end();
  }

  url(path) {
    return this.base + path;
  }

  /** The next answers on a path; null answers never. After them: 200. */
  script(path, ...statuses) {
    this.scripts.set(path, statuses);
  }

  /** What arrived on a path, in order. */
  at(path) {
    return this.requests.filter((callback) => callback.path === path);
  }

  forget() {
    this.requests = [];
    this.scripts.clear();
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
