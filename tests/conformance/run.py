"""Holds the simulator to what Twilio's official libraries expect of Twilio.

Usage: run.py --python VENV/bin/python --modules NODE_MODULES [--oai FOLDER] [--only python|node] [area...]

For each library and each mode (host, prefix) it starts a simulator of its own, on a clock that stands, and
lets the library's driver work on it. At last it holds every answer against Twilio's OpenAPI documents.
"""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / ".ci"))

from processes import ROOT, WORK, free_port, server  # noqa: E402 its folder has only now been named

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "0123456789abcdef" * 2
SIMULATOR = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "twilio-sim"
# In the middle of a day, a month and a year: yesterday, last month and this year all differ.
START = "2026-09-15T12:00:00Z"
# As many as it takes to page through, see the drivers' area "pages".
SUBACCOUNTS = 2500
# More than any driver has under way, but for the fact that means to exceed it.
CONCURRENCY_MAX = 8
SECONDS_MAX = 300
MODES = ("host", "prefix")


def drive(command, name, mode, areas):
    """Lets one driver work on a simulator of its own; its exit code and the record of all answers."""
    port, record = free_port(), WORK / f"conformance-{name}-{mode}.jsonl"
    simulator = [SIMULATOR, "--port", str(port), "--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN]
    simulator += ["--seed", "7", "--frozen-at", START, "--record", str(record)]
    simulator += ["--subaccount-limit", str(SUBACCOUNTS), "--concurrency-max", str(CONCURRENCY_MAX)]
    begin = time.monotonic()
    with server(f"conformance-{name}-{mode}", simulator, port):
        given = [f"http://127.0.0.1:{port}", mode, ACCOUNT_SID, AUTH_TOKEN, *areas]
        driver = subprocess.run([*command, *given], check=False, timeout=SECONDS_MAX, capture_output=True, text=True)
    verdict = "passed" if driver.returncode == 0 else "FAILED"
    took = f"{time.monotonic() - begin:.0f} s"
    print(f"--- {name}, {mode} mode\n{driver.stdout}{driver.stderr}--- {verdict} in {took}\n", end="", flush=True)
    return driver.returncode, str(record)


def main():
    options = argparse.ArgumentParser(usage=__doc__)
    options.add_argument("--python", required=True)
    options.add_argument("--modules", required=True)
    options.add_argument("--oai")
    options.add_argument("--only", choices=["python", "node"])
    options.add_argument("areas", nargs="*")
    asked = options.parse_args()
    drivers = {
        "python": [asked.python, str(HERE / "python" / "drive.py")],
        "node": ["node", str(HERE / "node" / "drive.mjs"), asked.modules],
    }
    runs = [
        (drivers[name], name, mode, asked.areas) for mode in MODES for name in drivers if asked.only in (None, name)
    ]
    # Two at a time: each is busy for half of it and waits for its simulator for the other half.
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        codes, records = map(list, zip(*pool.map(drive, *zip(*runs))))
    if asked.oai:
        validate = [asked.python, str(HERE / "validate_bodies.py"), asked.oai, *records]
        codes.append(subprocess.run(validate, check=False).returncode)
    else:
        print("bodies not validated: no OpenAPI documents were named")
    sys.exit(1 if any(codes) else 0)


if __name__ == "__main__":
    main()
