"""Facts about the simulator: plain functions with assertions, collected by area and held one by one."""

import traceback


class Facts:
    """The facts of one area, in the order they are written; use an instance as a decorator."""

    def __init__(self):
        self.functions = []

    def __call__(self, function):
        self.functions.append(function)
        return function


class Tally:
    """How many facts held, and what was wrong with the others."""

    def __init__(self):
        self.passed = 0
        self.failures = []

    def hold(self, area, facts, simulator):
        """Holds an area's facts; a failed one stops nobody."""
        before = self.passed
        for fact in facts.functions:
            name = f"{area}: {fact.__name__}"
            try:
                fact(simulator)
                self.passed += 1
            except Exception as error:  # noqa: BLE001 a driver reports whatever goes wrong and goes on
                self.failures.append(f"{name}: {describe(error)}")
            finally:
                simulator.settle()
        print(f"{area}: {self.passed - before} of {len(facts.functions)} facts hold", flush=True)


def describe(error):
    """What failed and the line it failed on, also where an assertion has no message."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "/areas/" in frame.filename] or frames
    frame = ours[-1]
    return f"{type(error).__name__}: {str(error)[:600]}\n    line {frame.lineno}: {frame.line}"
