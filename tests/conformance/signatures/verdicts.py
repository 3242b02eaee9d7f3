"""What twilio-python says of each vector: `{"name": ..., "valid": ...}`, one line each. What it raises on is
not valid: a receiver that fails does not believe the request.

    python verdicts.py VECTORS >VERDICTS
"""

import json
import logging
import sys

from twilio.request_validator import RequestValidator


class Form(dict):
    """Names with all their values, as web frameworks hand them over."""

    def getlist(self, name):
        return self[name]


def received(url):
    """An address is configured with its fragment and arrives without: either may be what is checked."""
    return {url, url.partition("#")[0]}


def is_valid(vector, url):
    if vector["content_type"] == "json":
        params = vector["body"]
    else:
        params = Form()
        for name, value in vector["params"]:
            params.setdefault(name, []).append(value)
    try:
        validator = RequestValidator(vector["auth_token"])
        return validator.validate(url, params, vector["signature"], vector["algorithm"])
    except Exception:
        return False


def main():
    logging.disable()
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)["vectors"]
    for vector in vectors:
        valid = any(is_valid(vector, url) for url in received(vector["url"]))
        print(json.dumps({"name": vector["name"], "valid": valid}))


if __name__ == "__main__":
    main()
