"""Holds our verdicts against those of the official libraries, wherever these agree with each other.

    python compare.py TWILIO_SIM VECTORS PYTHON_VERDICTS NODE_VERDICTS

Vectors that only twilio-python can judge (HMAC_SHA256) are held against that one. Fails on any
disagreement, and on fewer than 100,000 requests judged by both.
"""

import json
import subprocess
import sys

REQUESTS_MIN = 100_000
# Of each verdict; otherwise whoever says the same of everything would be found to agree.
OF_EACH_VERDICT_MIN = 30_000
SHOWN_MAX = 10


def verdicts(lines):
    judged = [json.loads(line) for line in lines]
    by_name = {verdict["name"]: verdict["valid"] for verdict in judged}
    if len(by_name) != len(judged):
        sys.exit("a vector was judged twice")
    return by_name


def read(path):
    with open(path, encoding="utf-8") as file:
        return verdicts(file)


def main():
    program, path, python_path, node_path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        vectors = json.load(file)["vectors"]
    python, node = read(python_path), read(node_path)
    ran = subprocess.run([program, "verify-signatures", path], stdout=subprocess.PIPE, check=True)
    ours = verdicts(ran.stdout.splitlines())

    by_both, by_python, left_out, count, wrong = 0, 0, 0, {True: 0, False: 0}, []
    for vector in vectors:
        name = vector["name"]
        official = python[name]
        if vector["algorithm"] == "HMAC_SHA1":
            if node[name] != official:
                left_out += 1
                continue
            by_both += 1
        else:
            by_python += 1
        count[official] += 1
        if ours[name] != official:
            wrong.append((vector, official))

    for vector, official in wrong[:SHOWN_MAX]:
        print(f"officially {'valid' if official else 'invalid'}, not so by ours: {json.dumps(vector)}")
    print(f"{by_both + by_python} requests compared, {len(wrong)} disagreements")
    print(
        f"of those {count[True]} valid and {count[False]} invalid; {by_python} by other algorithms than "
        f"HMAC_SHA1, which only twilio-python judges; {left_out} more left out, on which the two disagree"
    )
    if by_both < REQUESTS_MIN:
        sys.exit(f"only {by_both} requests are judged alike by both, {REQUESTS_MIN} are needed")
    if min(count.values()) < OF_EACH_VERDICT_MIN:
        sys.exit(f"fewer than {OF_EACH_VERDICT_MIN} are {'valid' if count[True] < count[False] else 'invalid'}")
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    main()
