"""Drives the simulator with the official twilio-python and holds the facts of every area.

Usage: drive.py <base URL> <host|prefix> <account SID> <auth token> [area...]
"""

import importlib
import sys

from facts import Tally
from receiver import Receiver
from simulator import Simulator

# The last of them fills the main account with subaccounts.
AREAS = ["accounts", "keys", "numbers", "traffic", "messages", "callbacks", "refusals", "usage", "products", "pages"]


def main(base, mode, sid, token, *areas):
    receiver, tally = Receiver(), Tally()
    simulator = Simulator(base, mode, sid, token, receiver)
    for area in areas or AREAS:
        tally.hold(area, importlib.import_module(f"areas.{area}").fact, simulator)
    receiver.close()
    for failure in tally.failures:
        print(f"FAILED {failure}")
    print(f"{tally.passed} checks passed")
    sys.exit(1 if tally.failures or not tally.passed else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
