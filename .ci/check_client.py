"""Starts the simulator alone and lets a script with the official Twilio client work on it.

Usage: check_client.py <script>; the script is given base URL, account SID and auth token.
"""

import subprocess
import sys

from processes import free_port, server

ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "0123456789abcdef" * 2


def main(script):
    port = free_port()
    command = ["cargo", "run", "--quiet", "-p", "twilio-sim", "--"]
    command += ["--port", str(port), "--account-sid", ACCOUNT_SID, "--auth-token", AUTH_TOKEN]
    with server("twilio-sim", command, port):
        base = f"http://127.0.0.1:{port}"
        subprocess.run([sys.executable, script, base, ACCOUNT_SID, AUTH_TOKEN], check=True, timeout=60)


if __name__ == "__main__":
    main(sys.argv[1])
