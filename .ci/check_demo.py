"""Reads what `demo --json` printed: one object, no floats, nothing unaccounted for.

Usage: check_demo.py <file> <tenants>
"""

import json
import os
import sys
from decimal import Decimal

KEYS = ("tenants", "reconciliation", "counters", "cost", "suspended", "reactivated")


def no_floats(text):
    sys.exit(f"{text} is a JSON number with a fraction; amounts are decimal strings")


def check(condition, message):
    if not condition:
        sys.exit(message)


def main(path, tenants):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    try:
        result = json.loads(text, parse_float=no_floats)
    except ValueError as error:
        sys.exit(f"stdout is not one JSON value ({error}): {text[:200]!r}")
    check(isinstance(result, dict), "stdout is not a JSON object")
    missing = [key for key in KEYS if key not in result]
    check(not missing, f"missing: {missing}")
    check(len(result["tenants"]) == tenants, f"{len(result['tenants'])} tenants, not {tenants}")
    books = result["reconciliation"]
    for key in ("twilio_total", "ledger_cost_total", "difference"):
        check(isinstance(books.get(key), str), f"reconciliation.{key} is not a decimal string: {books.get(key)!r}")
    check(Decimal(books["difference"]) == 0, f"does not reconcile: {books}")
    check(Decimal(books["twilio_total"]) == Decimal(books["ledger_cost_total"]), f"the totals differ: {books}")
    check(Decimal(books["twilio_total"]) > 0, "nothing was spent, so nothing was shown")
    for row in books["by_category"]:
        check(Decimal(row["difference"]) == 0, f"a category does not reconcile: {row}")
    check(books["open_variances"] == 0, f"{books['open_variances']} variances are open")
    check(len({row["plan"] for row in result["tenants"]}) == 3, "not all three kinds of plans")
    check(len(result["statements"]) == tenants, "not every tenant has a statement")
    for one in result["statements"]:
        check(Decimal(one["net"]) + Decimal(one["tax"]) == Decimal(one["gross"]), f"does not add up: {one}")
        check(os.path.getsize(one["file"]) > 1000, f"no page: {one}")
    charge = sum(Decimal(row["charge"]) for row in result["margin"])
    charged = sum(Decimal(row["charged"]) for row in result["tenants"])
    check(charge == charged, f"margins hold {charge}, the ledgers {charged}")
    moved = {one["kind"]: one for one in result["life"]["migrations"]}
    check(sorted(moved) == ["external", "split"], f"not both kinds of migration: {moved}")
    for one in moved.values():
        check(one["is_verified"] and one["numbers_live"] == one["numbers"] > 0, f"not live: {one}")
    rotation, closing = result["life"]["rotation"], result["life"]["closing"]
    check(rotation["callbacks"] > 20 and rotation["refused"] == 0, f"callbacks were refused: {rotation}")
    check(closing["lifecycle"] == "closed" and closing["numbers_rescued"] == 2, f"not closed as told: {closing}")
    check(closing["live_calls_ended"] == 1 and closing["balance"] == "0", f"not closed as told: {closing}")
    check(closing["files_archived"] > 0 and Decimal(closing["refunded"]) > 0, f"nothing was kept: {closing}")
    for key in ("suspended", "reactivated"):
        check(result[key], f"nobody was {key}")
    for key in ("counters", "cost"):
        check(result[key], f"{key} is empty")
    print(f"{tenants} tenants, Twilio's total {books['twilio_total']}, difference {books['difference']},")
    print(f"suspended {len(result['suspended'])}, reactivated {len(result['reactivated'])}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
