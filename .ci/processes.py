"""Servers that a check starts: each in a session of its own, stopped by the ids of that session alone."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".ci" / "work"


def free_port():
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def descendants(pid):
    """Children of a process and theirs; some put themselves into process groups of their own."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    children = {}
    for line in listing.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, todo = [], [pid]
    while todo:
        for child in children.get(todo.pop(), []):
            found.append(child)
            todo.append(child)
    return found


def signal_all(pids, number):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def server(name, command, port, cwd=ROOT, seconds=120):
    """Runs a command until the block ends; enters it when the port answers. Its output goes to a log."""
    log_path = WORK / f"{name}.log"
    with open(log_path, "wb") as log:
        process = subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_for_port(name, process, port, seconds)
        yield process
    except BaseException:
        print(f"--- end of {name}'s output", log_path.read_text(errors="replace")[-4000:], "---", sep="\n", flush=True)
        raise
    finally:
        started = [process.pid, *descendants(process.pid)]
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        # Should the server not have stopped its children (or itself), we do.
        signal_all(started[1:] if process.returncode is not None else started, signal.SIGKILL)
        process.wait()


def wait_for_port(name, process, port, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit(f"{name} ended with {process.returncode} before it listened")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise SystemExit(f"{name} did not listen within {seconds} s")
