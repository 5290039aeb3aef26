#!/usr/bin/python3
"""run_checks.py - run named commands one after the other and say in a line each how it went.

usage: run_checks.py NAME=COMMAND...

A line is "check NAME  ok  1.2 s" or "check NAME  FAILED  1.2 s".  What a failed command printed
stands above it; of one that did not fail only lines that start with "note: ".  All are run,
whatever fails.  The last line counts them; status 1 when one failed.
"""
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402


def run(name, command):
    start = time.monotonic()
    done = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                          env=csource.make_command("make")["env"])
    ok = done.returncode == 0
    lines = done.stdout.rstrip().split("\n")
    if ok:
        lines = [line for line in lines if line.startswith("note: ")]
    if any(lines):
        print("\n".join(lines))
    elif not ok:
        print(f"{name}: status {done.returncode} and no word why")
    print(f"check {name:<12} {'ok' if ok else 'FAILED':<6} {time.monotonic() - start:6.1f} s",
          flush=True)
    return ok


def main(arguments):
    start = time.monotonic()
    commands = [a.partition("=") for a in arguments]
    if not commands or not all(name and command for name, _, command in commands):
        print(__doc__)
        return 2
    results = [run(name, command) for name, _, command in commands]
    print(f"check: {results.count(True)} of {len(results)} passed, {results.count(False)} failed, "
          f"{time.monotonic() - start:.0f} s")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
