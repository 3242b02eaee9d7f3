"""The developer's loop: `local serve` beneath, `cargo lambda watch` in front, real function binaries.

A plan and a tenant are made (201), a callback signed as Twilio would sign it is taken (204), a forged
one is refused (403). Everything is learnt over the wire, as a developer would: names and addresses
from .env.local, credentials from the secrets of the local stack.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import re
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from processes import ROOT, WORK, free_port, server

PLAN = {"name": "Standard", "currency": "USD", "default_multiplier": "1.3"}
FIRST_ANSWER_S = 300  # a function starts with its first request


def request(method, url, body=None, headers=None, seconds=60):
    """Status and text of the answer, whatever the status."""
    call = urllib.request.Request(url, data=body, headers=headers or {}, method=method)
    try:
        with urllib.request.urlopen(call, timeout=seconds) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.read().decode(errors="replace")


def expect(what, wanted, answer):
    status, text = answer
    if status != wanted:
        sys.exit(f"{what}: {status} instead of {wanted}: {text[:600]}")
    print(f"{what}: {status}", flush=True)
    return text


def find(pattern, text, what):
    match = re.search(pattern, text)
    return match.group(0) if match else sys.exit(f"no {what} in {text[:600]}")


def wait_for_env_file(folder, begin):
    """Where `serve` left it: in the folder it was started in, or at the root."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in (folder / ".env.local", ROOT / ".env.local"):
            if path.exists() and path.stat().st_mtime >= begin - 1:
                lines = [line.strip() for line in path.read_text().splitlines()]
                pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
                return path, {name.strip(): value.strip().strip("\"'") for name, value in pairs}
        time.sleep(0.2)
    sys.exit("serve wrote no .env.local")


def secret(env, name):
    """Reads a secret of the local stack, which asks for no signature."""
    endpoint = env.get("AWS_ENDPOINT_URL_SECRETS_MANAGER") or env["AWS_ENDPOINT_URL"]
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "secretsmanager.GetSecretValue"}
    body = json.dumps({"SecretId": f"tollgate/{env['TOLLGATE_STAGE']}/{name}"}).encode()
    status, text = request("POST", endpoint, body, headers)
    return json.loads(text)["SecretString"] if status == 200 else sys.exit(f"secret {name}: {status} {text}")


def auth_token(env, account_sid):
    """The subaccount's own token, from the simulator with main credentials."""
    main = json.loads(secret(env, "twilio-main"))
    basic = base64.b64encode(f"{main['accountSid']}:{main['authToken']}".encode()).decode()
    url = f"{env['TWILIO_API_BASE']}/2010-04-01/Accounts/{account_sid}.json"
    text = expect("subaccount at the simulator", 200, request("GET", url, headers={"Authorization": f"Basic {basic}"}))
    return json.loads(text)["auth_token"]


def signature(token, url, fields):
    signed = url + "".join(name + fields[name] for name in sorted(fields))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def make_tenant(front, bearer):
    def post(path, body, key):
        headers = {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json", "Idempotency-Key": key}
        return request("POST", front + path, json.dumps(body).encode(), headers, FIRST_ANSWER_S)

    plan = expect("POST /v1/plans", 201, post("/v1/plans", PLAN, "watch-plan"))
    body = {"name": "Acme", "plan_id": find(r"plan_[0-9A-Z]{26}", plan, "plan id")}
    made = expect("POST /v1/tenants", 201, post("/v1/tenants", body, "watch-tenant"))
    tenant = find(r"ten_[0-9A-Z]{26}", made, "tenant id")
    headers = {"Authorization": f"Bearer {bearer}"}
    shown = expect("GET /v1/tenants/{id}", 200, request("GET", f"{front}/v1/tenants/{tenant}", headers=headers))
    return tenant, find(r"AC[0-9a-f]{32}", shown, "AccountSid")


def send_callback(front, env, tenant, token, fields, seconds=60):
    path = f"/twilio/{tenant}/messages"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": signature(token, env["TOLLGATE_PUBLIC_BASE_URL"] + path, fields),
    }
    return request("POST", front + path, urllib.parse.urlencode(fields).encode(), headers, seconds)


def main():
    folder = WORK / "watch"
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.time()
    port, front_port = free_port(), free_port()
    serve = ["cargo", "run", "--quiet", "--manifest-path", str(ROOT / "Cargo.toml"), "-p", "local", "--"]
    serve += ["serve", "--port", str(port)]
    with contextlib.ExitStack() as running:
        running.enter_context(server("serve", serve, port, cwd=folder))
        env_file, env = wait_for_env_file(folder, begin)
        watch = ["cargo", "lambda", "watch", "-A", "127.0.0.1", "-P", str(front_port), "--ignore-changes"]
        watch += ["--env-file", str(env_file)]
        running.enter_context(server("watch", watch, front_port))
        front = f"http://127.0.0.1:{front_port}"

        tenant, account_sid = make_tenant(front, secret(env, "operator-key"))
        fields = {
            "AccountSid": account_sid,
            "ApiVersion": "2010-04-01",
            "From": "+15005550006",
            "MessageSid": "SM" + "0" * 31 + "1",
            "MessageStatus": "delivered",
            "SmsSid": "SM" + "0" * 31 + "1",
            "SmsStatus": "delivered",
            "To": "+15005550009",
        }
        token = auth_token(env, account_sid)
        answer = send_callback(front, env, tenant, token, fields, FIRST_ANSWER_S)
        expect("signed callback", 204, answer)
        expect("the same again", 204, send_callback(front, env, tenant, token, fields))
        forged = "f" * len(token) if token != "f" * len(token) else "e" * len(token)
        expect("forged callback", 403, send_callback(front, env, tenant, forged, fields))


if __name__ == "__main__":
    main()
