"""The simulator as a driver holds it: official clients that differ from Twilio's users' only in the host,
control endpoints, and a clock that stands until it is moved.
"""

import datetime
import json
import re
import urllib.error
import urllib.request
from urllib.parse import urlsplit, urlunsplit

from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

UTC = datetime.timezone.utc


class LocalHttpClient(TwilioHttpClient):
    """Sends what the library would send to Twilio to the simulator instead."""

    last = None  # the latest response to any client

    def __init__(self, base, mode):
        super().__init__(timeout=30)
        self.base = urlsplit(base)
        self.mode = mode

    def request(self, method, url, params=None, data=None, headers=None, **kw):
        asked = urlsplit(url)
        headers, path = dict(headers or {}), asked.path
        if self.mode == "host":
            headers["Host"] = asked.hostname
        else:
            product = asked.hostname.partition(".")[0]
            path = path if product == "api" else f"/{product}{path}"
        local = urlunsplit((self.base.scheme, self.base.netloc, path, asked.query, ""))
        response = super().request(method, local, params=params, data=data, headers=headers, **kw)
        LocalHttpClient.last = response
        return response


class Tenant:
    """A subaccount, seen by the main account (`acting`) and by itself (`own`)."""

    def __init__(self, simulator, account):
        self.sid, self.token = account.sid, account.auth_token
        self.simulator = simulator
        self.own = simulator.client(self.sid, self.token)
        self.acting = simulator.client(simulator.sid, simulator.token, self.sid)
        self.resource = simulator.main.api.v2010.accounts(self.sid)

    def number(self, phone_number=None):
        """Gives it a phone number, free of whatever a purchase asks for."""
        body = {"account_sid": self.sid}
        return self.simulator.post("numbers", body | ({"phone_number": phone_number} if phone_number else {}))

    def call(self, **fields):
        """Places a call through the control endpoint, which knows how it will end."""
        return self.simulator.post("calls", {"account_sid": self.sid} | fields)["sid"]

    def message(self, **fields):
        return self.simulator.post("messages", {"account_sid": self.sid} | fields)["sid"]


class Simulator:
    """One running simulator, asked in host or prefix mode."""

    def __init__(self, base, mode, sid, token, receiver):
        self.base, self.mode, self.sid, self.token, self.receiver = base, mode, sid, token, receiver
        self.http = LocalHttpClient(base, mode)
        self.main = self.client(sid, token)
        self.made = 0
        # Chance and delay are for the facts that ask for them, and calls last until they are ended.
        for name, value in self.get("quirks").items():
            if name.endswith(("_per_mille", "_lag_ms")):
                self.quirks(**{name: [0, 0] if isinstance(value, list) else 0})
        self.pace(call_seconds=[3600, 3600])
        self.quirks_at_rest = self.get("quirks")
        self.pace_at_rest = self.get("pace")

    def client(self, user, password, account=None):
        # An environment of its own: the machine's credentials, edge and region are not meant.
        return Client(user, password, account, http_client=self.http, environment={"none": ""})

    def separate_client(self, tenant):
        """A client with connections of its own, for a thread of its own."""
        return Client(
            tenant.sid, tenant.token, http_client=LocalHttpClient(self.base, self.mode), environment={"none": ""}
        )

    def subaccount(self, name=None):
        self.made += 1
        return Tenant(self, self.main.api.v2010.accounts.create(friendly_name=name or f"Tenant {self.made}"))

    def control(self, method, what, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.base}/_sim/{what}", data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                text = response.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} /_sim/{what} {body}: {error.code} {error.read()[:300]}") from None
        return json.loads(text) if text else None

    def get(self, what):
        return self.control("GET", what)

    def post(self, what, body):
        return self.control("POST", what, body)

    def advance(self, **span):
        """Moves simulated time; returns when all that came due was done and every callback answered."""
        milliseconds = int(datetime.timedelta(**span).total_seconds() * 1000)
        self.post("clock", {"advance_ms": milliseconds})

    def now(self):
        return parse_time(self.get("clock")["now"])

    def last_path(self):
        """Path and query of the latest request, as they were sent."""
        return self.get("requests")[-1]["path"]

    def quirks(self, **fields):
        self.post("quirks", fields)

    def pace(self, **fields):
        self.post("pace", fields)

    def settle(self):
        """What one fact changed for itself is over for the next."""
        self.control("DELETE", "faults")
        self.post("quirks", self.quirks_at_rest)
        self.post("pace", self.pace_at_rest)
        self.receiver.forget()

    def raw(self, url, method="GET", data=None, client=None):
        """A request that no method of the library makes, by the library's own means."""
        return (client or self.main).request(method, url, data=data)


def parse_time(text):
    """RFC 3339, whose fraction of a second may be longer than Python reads."""
    return datetime.datetime.fromisoformat(re.sub(r"\.\d+", "", text).replace("Z", "+00:00"))


def refused(status, code, call):
    """The call must fail with this status and code, in the exception and in the body it was made of."""
    try:
        result = call()
        if hasattr(result, "__next__"):
            result = list(result)
    except (TwilioRestException, TwilioServiceException) as error:
        assert (error.status, error.code) == (status, code), f"{error.status} {error.code}: {error}"
    except TwilioException as error:
        # Lists raise this, with the response beside the text.
        told = json.loads(error.args[1].text)
        assert (told["status"], told["code"]) == (status, code), told
    else:
        raise AssertionError(f"not refused with {code}: {result!r}")
    body = json.loads(LocalHttpClient.last.text)
    link = body.get("more_info", body.get("type"))
    assert link == f"https://www.twilio.com/docs/errors/{code}", body
    assert body["status"] == status == LocalHttpClient.last.status_code, body
    return body
