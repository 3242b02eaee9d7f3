"""Holds every answer of the simulator against Twilio's own OpenAPI documents.

Usage: validate_bodies.py <folder of the documents> <record>...

A record is what `twilio-sim serve --record FILE` writes: one JSON line per answer. Beyond what the schemas
say, an object must have exactly the documented properties: clients read names that are there, and nothing
tells them of names that are not. Prints `N bodies validated`; any violation, or no body at all, is an error.
"""

import collections
import concurrent.futures
import datetime
import email.utils
import itertools
import json
import os
import re
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema

METHODS = {"get", "post", "delete"}
DOCUMENTS = ["api_v2010", "accounts_v1", "iam_v1", "messaging_v1", "monitor_v1", "pricing_v1", "pricing_v2"]

# The documents list no refusals; these are the two forms that Twilio uses.
ERROR = {
    "type": "object",
    "properties": {
        "code": {"type": "integer", "minimum": 10000},
        "message": {"type": "string", "minLength": 1},
        "more_info": {"type": "string", "format": "uri"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
    },
    "required": ["code", "message", "more_info", "status"],
    "additionalProperties": False,
}
PROBLEM = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "minLength": 1},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": {"type": "integer", "minimum": 10000},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "errors": {"type": "array"},
    },
    "required": ["type", "title", "status", "code"],
    "additionalProperties": False,
}
# Twilio writes some numbers as text: its own examples do.
NUMBER = {"anyOf": [{"type": "number"}, {"type": "string", "format": "decimal"}]}

# Where Twilio's own examples and pages say otherwise than its schemas, they are what clients meet:
NULL_TOO = {"reason_conference_ended", "base_price", "current_price", "number_type", "recurring"}
EMPTY_TOO = {"sms_application_sid", "voice_application_sid"}
MISSING_TOO = {"fax"}
# and the inventory's lists are not paged.
UNPAGED = "/AvailablePhoneNumbers/{CountryCode}/"

formats = jsonschema.FormatChecker(formats=[])


def checks(name):
    """Makes a function the check of a format; whatever it raises is a violation, null is none."""

    def register(check):
        def judge(value):
            if isinstance(value, str):
                check(value)
            return True

        formats.checks(name, raises=(ValueError, InvalidOperation, TypeError))(judge)
        return check

    return register


def must(pattern):
    compiled = re.compile(pattern)

    def check(text):
        if not compiled.fullmatch(text):
            raise ValueError(text)

    return check


checks("http-method")(must("HEAD|GET|POST|PATCH|PUT|DELETE"))
checks("iso-country-code")(must("[A-Z]{2}"))
checks("currency")(must("[A-Za-z]{3}"))
checks("date")(datetime.date.fromisoformat)
checks("decimal")(Decimal)
# Short codes, national forms, names of clients and SIP addresses stand where a number would.
checks("phone-number")(must(r"\+?[0-9]{3,15}|\([0-9]{3}\) [0-9]{3}-[0-9]{4}|(client|sip):.+|whatsapp:\+[0-9]+|"))


@checks("date-time-rfc-2822")
def rfc_2822(text):
    must(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} \+0000")(text)
    email.utils.parsedate_to_datetime(text)


@checks("date-time")
def iso_8601(text):
    must(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")(text)
    datetime.datetime.fromisoformat(text.removesuffix("Z") + "+00:00")


@checks("uri")
def uri(text):
    if text and not (text.startswith("/") or urlsplit(text).scheme in ("http", "https")):
        raise ValueError(text)


def strict(schema):
    """An OpenAPI 3.0 schema as JSON Schema, with every documented property required and no other allowed."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    result = {key: value if key in ("enum", "required") else strict(value) for key, value in schema.items()}
    result.pop("description", None)
    result.pop("examples", None)
    nullable = result.pop("nullable", False)
    if isinstance(schema.get("properties"), dict):
        result["properties"] = {name: as_shown(name, strict(value)) for name, value in schema["properties"].items()}
        result["required"] = sorted(schema["properties"].keys() - MISSING_TOO)
        result["additionalProperties"] = False
    if result.get("type") == "number":
        result = dict(NUMBER)
    if nullable:
        result = {"anyOf": [{"type": "null"}, result]}
    return result


def as_shown(name, schema):
    """A property's schema, widened to what Twilio's own examples show."""
    if name in NULL_TOO:
        return {"anyOf": [{"type": "null"}, schema]}
    if name in EMPTY_TOO:
        return {"anyOf": [{"const": ""}, schema]}
    return schema


class Document:
    """One product's OpenAPI document."""

    def __init__(self, folder, name):
        document = json.loads((folder / f"{name}.json").read_text())
        self.product = urlsplit(document["servers"][0]["url"]).hostname.split(".")[0]
        self.root = {"components": {"schemas": strict(document["components"]["schemas"])}}
        self.paths = []
        for template, operations in document["paths"].items():
            pattern = re.sub(r"\\\{[A-Za-z]+\\\}", "[^/]+", re.escape(template))
            self.paths.append((template.count("{"), re.compile(pattern), template, operations))
        self.paths.sort(key=lambda path: path[0])
        self.validators = {}

    def operation(self, method, path):
        for _, pattern, template, operations in self.paths:
            if pattern.fullmatch(path) and method.lower() in operations:
                return template, operations[method.lower()]
        return None

    def validator(self, template, method, status, operation):
        key = (template, method, status)
        if key not in self.validators:
            content = operation["responses"][str(status)].get("content", {})
            schema = next(iter(content.values()), {}).get("schema") if content else None
            if schema is not None:
                schema = strict(schema) | self.root
                if UNPAGED in template:
                    schema["required"] = [name for name in schema["required"] if name == "uri" or "numbers" in name]
                self.validators[key] = jsonschema.Draft202012Validator(schema, format_checker=formats)
            else:
                self.validators[key] = None
        return self.validators[key]


class Judge:
    """Counts what fits and keeps what does not."""

    def __init__(self, folder):
        self.documents = [Document(folder, name) for name in DOCUMENTS]
        self.validated = 0
        self.operations = collections.Counter()
        self.violations = collections.Counter()
        self.error = jsonschema.Draft202012Validator(ERROR, format_checker=formats)
        self.problem = jsonschema.Draft202012Validator(PROBLEM, format_checker=formats)

    def judge(self, exchange):
        method, status, body = exchange["method"], exchange["status"], exchange["body"]
        path = urlsplit(exchange["path"]).path
        if status >= 400:
            form = self.problem if isinstance(body, dict) and "title" in body else self.error
            self.hold(f"refusal {status}", form, body)
            if isinstance(body, dict) and body.get("status") != status:
                self.violations[f"refusal {status}: says {body.get('status')} itself"] += 1
            return
        for document in self.documents:
            found = document.operation(method, path) if document.product == exchange["product"] else None
            if not found:
                continue
            template, operation = found
            name = f"{method} {document.product} {template}"
            if str(status) not in operation["responses"]:
                self.violations[f"{name}: {status} is not documented"] += 1
                return
            self.operations[name] += 1
            validator = document.validator(template, method, status, operation)
            if validator is None:
                self.validated += 1
                if body is not None:
                    self.violations[f"{name}: {status} has a body"] += 1
            else:
                self.hold(name, validator, body)
            return
        self.violations[f"{method} {exchange['product']} {path}: no such operation is documented"] += 1

    def hold(self, name, validator, body):
        self.validated += 1
        for error in validator.iter_errors(body):
            leaf = deepest(error)
            place = "/".join("*" if isinstance(part, int) else part for part in leaf.absolute_path)
            self.violations[f"{name}: {place}: {leaf.message[:160]}"] += 1


def deepest(error):
    """Of a choice with null, what is wrong with the other side says more."""
    while error.context:
        error = max(error.context, key=lambda inner: len(inner.absolute_path))
    return error


def judged(folder, record):
    """What one record comes to: bodies, operations seen, violations."""
    judge = Judge(Path(folder))
    with open(record, encoding="utf-8") as lines:
        for line in lines:
            judge.judge(json.loads(line, parse_float=Decimal))
    return judge.validated, judge.operations, judge.violations


def main(folder, records):
    validated, operations, violations = 0, collections.Counter(), collections.Counter()
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for outcome in pool.map(judged, itertools.repeat(folder), records):
            validated += outcome[0]
            operations += outcome[1]
            violations += outcome[2]
    for violation, count in violations.most_common(60):
        print(f"violation x{count}: {violation}")
    paths = [path for name in DOCUMENTS for path in Document(Path(folder), name).paths]
    documented = sum(len(METHODS & set(there)) for *_, there in paths)
    print(f"{len(operations)} of {documented} documented operations seen")
    print(f"{validated} bodies validated")
    if violations or validated == 0:
        raise SystemExit(1)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
