"""Writes a file of signed and mis-signed callbacks, the same for the same seed, to hold implementations
of Twilio's signature against each other. It says nothing about validity: the official libraries do.

    python generate.py FILE [--count N] [--sha256 N] [--seed N]
"""

import argparse
import base64
import hashlib
import hmac
import json
import random
import re
import string
import urllib.parse

HASHES = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
WORDS = ["sent", "delivered", "queued", "tollgate", "CallSid", "a", "b", "B", "key", "Body", "To", "ToCity", "x1"]
UNICODE = ["é", "e\u0301", "ß", "Ω", "你好", "ｋ", "～", "\u2028", "\ufeff", "\uffff", "😀", "👍🏽", "𝒳", "\U0010ffff"]
ODD_TEXT = [" ", "  ", "\t", "\r\n", "\n", "\0", "+", "%", "%20", "%2B", "&", "=", "&amp;", "'", '"', "<b>", "\\", "/", "?", "#"]
ESCAPES = ["%20", "+", "%2B", "%2f", "%2F", "%27", "'", '"', "%22", "%", "%zz", "%e", "%C3%A9", "%c3%a9", "%ff", "!*()~", "<", ">", "|", "[", "]", "{", "}", "`", "^", "\\", ";", ":", "@", ",", "$", "="]
HOSTS = ["hooks.example.com", "hooks.example.com", "hooks.example.com", "a.io", "abc123.lambda-url.us-east-1.on.aws", "abcdef.execute-api.us-east-1.amazonaws.com", "localhost", "127.0.0.1", "10.0.0.7", "[::1]", "[2001:db8::7]", "Hooks.Example.COM", "host.", "xn--bcher-kva.example", "bücher.example", "under_score.example"]
PORTS = [":443", ":80", ":8443", ":8080", ":3000", ":1", ":65535"]
ODD_PORTS = [":", ":0", ":0443", ":00080", ":99999", ":http", ":1:2"]


def sid(rng, prefix):
    return prefix + "".join(rng.choices("0123456789abcdef", k=32))


def text(rng, length_max=12):
    kind = rng.random()
    if kind < 0.45:
        return "".join(rng.choices(string.ascii_letters + string.digits + "._-", k=rng.randint(1, length_max)))
    if kind < 0.6:
        return rng.choice(WORDS)
    if kind < 0.7:
        return ""
    pieces = [rng.choice(rng.choice([UNICODE, ODD_TEXT, WORDS, list(string.printable)])) for _ in range(rng.randint(1, 6))]
    return "".join(pieces)


def sms(rng):
    status = rng.choice(["queued", "sent", "delivered", "undelivered", "failed"])
    message = sid(rng, "SM")
    fields = [("SmsSid", message), ("SmsStatus", status), ("MessageStatus", status), ("To", "+1555" + "".join(rng.choices(string.digits, k=7))), ("MessageSid", message), ("AccountSid", sid(rng, "AC")), ("From", "+15017250604"), ("ApiVersion", "2010-04-01")]
    if rng.random() < 0.3:
        fields.append(("Body", text(rng, 60)))
    if rng.random() < 0.2:
        fields += [("ErrorCode", "30003"), ("RawDlrDoneDate", "2608011531")]
    return fields


def voice(rng):
    fields = [("CallSid", sid(rng, "CA")), ("AccountSid", sid(rng, "AC")), ("CallStatus", rng.choice(["initiated", "ringing", "in-progress", "completed", "busy"])), ("SequenceNumber", str(rng.randint(0, 4))), ("Timestamp", "Sat, 01 Aug 2026 15:30:00 +0000"), ("CallbackSource", "call-progress-events"), ("Direction", "outbound-api")]
    for side in ["To", "From", "Called", "Caller"]:
        fields.append((side, "+1555" + "".join(rng.choices(string.digits, k=7))))
        fields += [(side + part, rng.choice(["", value])) for part, value in [("City", "SAN FRANCISCO"), ("State", "CA"), ("Zip", "94105"), ("Country", "US")]]
    return fields


def any_fields(rng):
    fields = [(text(rng, 8), text(rng)) for _ in range(rng.randint(0, 8))]
    if fields and rng.random() < 0.4:
        # The same name again: with the same value, another one, or none.
        name, value = rng.choice(fields)
        fields += [(name, rng.choice([value, text(rng), ""])) for _ in range(rng.randint(1, 4))]
    if fields and rng.random() < 0.2:
        # Names of which one begins with the other.
        fields += [(fields[0][0] + rng.choice(["x", "0", "😀", " "]), text(rng)), (fields[0][0][:-1], text(rng))]
    if rng.random() < 0.03:
        fields += [(rng.choice(["__proto__", "constructor", "length", "toString", "10", "9", "bodySHA256"]), text(rng))]
    return fields


def form_fields(rng):
    fields = rng.choice([sms, sms, voice, any_fields, any_fields])(rng)
    rng.shuffle(fields)
    return fields


def path(rng):
    if rng.random() < 0.6:
        return rng.choice(["", "/", "/twilio/sms", "/twilio/sms/", "/webhooks/ten_1/calls", "/Prod/Twilio/SMS.php", "/a/b/c"])
    pieces = ["/"]
    for _ in range(rng.randint(1, 6)):
        pieces.append(rng.choice([rng.choice(WORDS), rng.choice(ESCAPES), rng.choice(["/", "//", "/./", "/../", "é", "你", "😀", "-", ".", " "])]))
    return "".join(pieces)


def query(rng):
    if rng.random() < 0.4:
        return None
    if rng.random() < 0.05:
        return rng.choice(["", "?", "&", "=", "a", "a=", "=b", "a=1&&b=2", "&a=1&", "a=b=c", "x?y=z"])
    pairs = []
    for _ in range(rng.randint(1, 5)):
        name = rng.choice(["t", "z", "a", "tenant", "cb", "A", "10", "9", "é"])
        pieces = [rng.choice([rng.choice(WORDS), rng.choice(WORDS), rng.choice(ESCAPES), rng.choice(UNICODE)]) for _ in range(rng.randint(0, 3))]
        pairs.append(name + rng.choice(["=", "=", "=", "=", ""]) + "".join(pieces))
    if rng.random() < 0.2:
        pairs.append(rng.choice(pairs))
    return "&".join(pairs)


def address(rng, ordinary):
    if ordinary:
        url = rng.choice(["https://", "https://", "http://"]) + rng.choice(["hooks.example.com", "127.0.0.1"]) + rng.choice(["", "", "", ":8443", ":443"])
        asked = query(rng) or None
        return url + path(rng).rstrip(";") + ("" if asked is None else "?" + asked)
    scheme = rng.choices(["https", "http", "HTTPS", "Http", "wss", "ftp"], [80, 15, 2, 1, 1, 1])[0]
    user = rng.choices(["", "user@", "user:pass@", "us%40er:p%3Aw@", "u@v:w@", ":@"], [94, 2, 2, 1, 0.5, 0.5])[0]
    port = "" if rng.random() < 0.7 else rng.choice(PORTS) if rng.random() < 0.93 else rng.choice(ODD_PORTS)
    url = f"{scheme}://{user}{rng.choice(HOSTS)}{port}{path(rng)}"
    asked = query(rng)
    return url if asked is None else f"{url}?{asked}"


def with_hash(rng, url, body, ordinary):
    """The address of a JSON callback; sometimes as it should not be."""
    right = hashlib.sha256(body.encode()).hexdigest()
    stated = rng.choices([right, right.upper(), right[:-1], right + "0", "", "%3" + right[:1] + right[1:], hashlib.sha256(b"other").hexdigest()], [88, 2, 2, 2, 2, 1, 3])[0]
    name = rng.choices(["bodySHA256", "bodysha256", "body%53HA256", "%62odySHA256", None], [93, 2, 2, 1, 2])[0]
    if name is None:
        return url
    pairs = [f"{name}={stated}"]
    if rng.random() < 0.04 and not ordinary:
        pairs.insert(rng.randint(0, 1), f"bodySHA256={rng.choice([right, 'x', ''])}")
    before, mark, asked = url.partition("?")
    parts = asked.split("&") if asked else []
    at = rng.randint(0, len(parts))
    return before + "?" + "&".join(parts[:at] + pairs + parts[at:])


def dirty(rng, url):
    """With characters that no client sends but that parsers of addresses have opinions on."""
    at = rng.randint(0, len(url))
    return rng.choice([" " + url, "\t" + url, url + " ", url + "\n", url[:at] + "\n" + url[at:], url[:at] + "\t" + url[at:], url[:at] + "\r" + url[at:], "\x01" + url, url[:at] + "\x7f" + url[at:], url.replace("://", ":/"), url.replace("://", ":///"), url.partition("://")[2]])


def cut(url):
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", url, re.DOTALL)
    return found.groups() if found else (None, None, None)


def without_port(url):
    scheme, authority, rest = cut(url)
    if scheme is None:
        return url
    bare = re.sub(r"(?<=[^:\[]):[0-9]*$", "", authority) if not authority.endswith("]") else authority
    return f"{scheme}://{bare}{rest}"


def with_port(url, port=None):
    scheme, authority, rest = cut(without_port(url))
    if scheme is None:
        return url
    return f"{scheme}://{authority}{port or (':443' if scheme.lower() == 'https' else ':80')}{rest}"


def in_query(url, change):
    before, mark, asked = url.partition("?")
    return before + mark + change(asked)


def lower_scheme(url):
    scheme, mark, rest = url.partition("://")
    return scheme.lower() + mark + rest


def reencoded(asked):
    pairs = urllib.parse.parse_qsl(asked, keep_blank_values=True)
    return urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote, safe="!~*'()")


PORTS_ONLY = [lambda rng, url: without_port(url), lambda rng, url: with_port(url)]
# Spellings that some implementation or some proxy makes of an address.
SPELLINGS = PORTS_ONLY * 2 + [
    lambda rng, url: lower_scheme(url),
    lambda rng, url: lower_scheme(with_port(url)),
    lambda rng, url: lower_scheme(re.sub("[\t\r\n]", "", url.lstrip(" \t\r\n\x01"))),
    lambda rng, url: lower_scheme(with_port(re.sub("[\t\r\n]", "", url.strip(" \t\r\n\x01")))),
    lambda rng, url: in_query(url, lambda asked: asked.replace("'", "%27")),
    lambda rng, url: in_query(without_port(url), lambda asked: urllib.parse.quote(asked, safe="%!$&()*+,-./:;=?@[\\]^_`{|}~")),
    lambda rng, url: in_query(with_port(url), lambda asked: urllib.parse.quote(asked, safe="%!$&()*+,-./:;=?@[\\]^_`{|}~")),
    lambda rng, url: in_query(url, lambda asked: asked.replace("%27", "'")),
    lambda rng, url: in_query(url, reencoded),
    lambda rng, url: url.rstrip("?"),
]
# Spellings that nobody should believe, though each differs by little.
FORGERIES = [
    lambda rng, url: with_port(url, rng.choice([":444", ":81", ":8443", ":1", ":0", ":"])),
    lambda rng, url: url.replace("https://", "http://") if url.startswith("https") else url.replace("http://", "https://"),
    lambda rng, url: in_query(url, lambda asked: "&".join(reversed(asked.split("&")))),
    lambda rng, url: in_query(url, lambda asked: asked.replace("+", "%20")),
    lambda rng, url: in_query(url, urllib.parse.unquote),
    lambda rng, url: url + "/",
    lambda rng, url: url + "?",
    lambda rng, url: url + "&a=1",
    lambda rng, url: url.rstrip("/"),
    lambda rng, url: url.lower(),
    lambda rng, url: url.upper(),
    lambda rng, url: url.partition("?")[0],
    lambda rng, url: url.replace("hooks.", "hook."),
    lambda rng, url: url.replace("//", "//user@", 1),
    lambda rng, url: re.sub("//.*@", "//", url),
    lambda rng, url: url.replace("/twilio/", "/twilio/../twilio/"),
]


def utf16(pair):
    return tuple(part.encode("utf-16-be", "surrogatepass") for part in pair)


def sign(secret, url, fields, algorithm, order=None):
    signed = url + "".join(name + value for name, value in sorted(set(fields), key=order))
    return base64.b64encode(hmac.new(secret.encode(), signed.encode(), HASHES[algorithm]).digest()).decode()


def changed_fields(rng, fields):
    """The fields as they do not arrive: each accident and forgery by itself."""
    fields = list(fields)
    if not fields:
        return [("Body", "")]
    at = rng.randrange(len(fields))
    name, value = fields[at]
    kind = rng.randrange(9)
    if kind == 0:
        del fields[at]
    elif kind == 1:
        fields[at] = (name, value + rng.choice([" ", "0", "\0", "x"]))
    elif kind == 2:
        fields[at] = (name, value.strip() + rng.choice(["", "\n"]))
    elif kind == 3:
        fields.append((name, value))  # no change: each pair counts once
    elif kind == 4:
        fields.append((name, value + "2"))
    elif kind == 5 and value:
        fields[at] = (name + value[:1], value[1:])  # the same text, cut elsewhere
    elif kind == 6:
        fields[at] = (name.swapcase(), value)
    elif kind == 7:
        fields[at] = (value, name)
    else:
        fields.append((rng.choice(WORDS), ""))
    return fields


def damaged(rng, signature):
    kind = rng.randrange(8)
    at = rng.randrange(len(signature))
    if kind == 0:
        return ""
    if kind == 1:
        return signature.rstrip("=")
    if kind == 2:
        return signature.replace("+", "-").replace("/", "_")
    if kind == 3:
        return signature + rng.choice(["=", " ", "\n", "A"])
    if kind == 4:
        return signature[:at] + rng.choice(string.ascii_letters) + signature[at + 1 :]
    if kind == 5:
        return signature.swapcase()
    if kind == 6:
        # The bits beyond the last byte: another text of the same bytes.
        letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
        last = letters.index(signature[-2])
        return signature[:-2] + letters[last ^ 1] + signature[-1:]
    return " " + signature


def secret_of(rng):
    kind = rng.random()
    if kind < 0.9:
        return "".join(rng.choices("0123456789abcdef", k=32))
    if kind < 0.97:
        return "whsec_" + "".join(rng.choices("0123456789abcdef", k=64))
    return rng.choice(["", "12345", "ключ", "s3cr3t ", "x" * 200])


def vector(rng, number, algorithm):
    # What only one library judges has to be free of what the two disagree on: odd addresses and orders.
    ordinary = algorithm != "HMAC_SHA1"
    kind = rng.choices(["form", "get", "json"], [65, 12, 23])[0]
    url, fields, body = address(rng, ordinary), [], None
    if kind == "form":
        fields = form_fields(rng)
    elif kind == "json":
        members = {text(rng, 8): rng.choice([text(rng), rng.randint(0, 9999), None, True, [1, 2]]) for _ in range(rng.randint(0, 4))}
        body = json.dumps(members, ensure_ascii=rng.random() < 0.5, separators=rng.choice([(",", ":"), (", ", ": ")]))
        body = rng.choices([body, body + "\n", "[]", ""], [90, 6, 2, 0 if ordinary else 2])[0]
        url = with_hash(rng, url, body, ordinary)
    if rng.random() < 0.02 and not ordinary:
        url = dirty(rng, url)
    configured = url
    if rng.random() < 0.06:
        configured += rng.choice(["#rc=3&rp=all", "#rt=5000", "#", "#ct=1?x", "#a#b", "#é'"])

    secret, signed_url, signed_fields = secret_of(rng), url, fields
    fate = rng.random()
    if fate < 0.22:
        signed_url = rng.choice(PORTS_ONLY if ordinary else SPELLINGS)(rng, url)
    elif fate < 0.30:
        signed_url = rng.choice(FORGERIES)(rng, url)
    elif fate < 0.32 and not ordinary:
        signed_url = configured
    order = utf16 if rng.random() < 0.15 and not ordinary else None
    signature = sign(secret, signed_url, signed_fields, algorithm, order)

    fate = rng.random()
    if fate < 0.12:
        fields = changed_fields(rng, fields)
    elif fate < 0.19:
        signature = damaged(rng, signature)
    elif fate < 0.23:
        secret = secret_of(rng) if rng.random() < 0.7 else secret.upper()
    elif fate < 0.25:
        configured = configured.replace(rng.choice("abcehst"), rng.choice("xyz"), 1)
    elif fate < 0.27 and body:
        body = rng.choice([body + " ", body.strip(), body[:-1], body.replace('"', "'")])
    elif fate < 0.29:
        algorithm = {"HMAC_SHA1": "HMAC_SHA1", "HMAC_SHA256": rng.choice(["HMAC_SHA512", "hmac_sha256", "SHA256", "HMAC_SHA256 "])}[algorithm]
    return {
        "name": str(number),
        "url": configured,
        "method": "GET" if kind == "get" else "POST",
        "content_type": "json" if kind == "json" else "form",
        "params": None if kind == "json" else fields,
        "body": body,
        "auth_token": secret,
        "algorithm": algorithm,
        "signature": signature,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--count", type=int, default=150_000, help="vectors by HMAC_SHA1")
    parser.add_argument("--sha256", type=int, default=20_000, help="vectors by HMAC_SHA256")
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    algorithms = ["HMAC_SHA1"] * options.count + ["HMAC_SHA256"] * options.sha256
    with open(options.file, "w", encoding="ascii") as out:
        out.write('{"vectors": [\n')
        for number, algorithm in enumerate(algorithms):
            out.write(("" if number == 0 else ",\n") + json.dumps(vector(rng, number, algorithm)))
        out.write("\n]}\n")


if __name__ == "__main__":
    main()
