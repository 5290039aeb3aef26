#!/usr/bin/python3
"""reduce.py - which steps of a random walk its failure needs, as C.

A walk inside the kernel says which seed it had.  Here it runs in a process with that seed, again
and again, with ever fewer steps: what a step does depends on the seed and its number alone.  Runs
of steps are left out, halving the runs, as long as the same expectation fails or the same panic
comes.  What remains is printed: the numbers of the steps, and what they do.  After a failed
expectation a walk gives back what it holds, and says so; a panic leaves that to the reader.

usage: reduce.py [--variant NAME] [--mem SIZE] [--seed N] [--steps N] [--time SECONDS]
                 TEST [WORD]...

After --time, what was found until then is printed: more steps than are needed.
WORDs are the rest of the kernel's command line.  The exit status is 0 when there was a failure and
it was reduced, 1 when the test passes, 2 when it cannot be run.
"""
import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import qhosted
from run_qemu import ROOT

TIMEOUT = 300.0
MODULE = "ktest-steps"  # tests/hooks.c looks for it


class Walk:
    """One test and how it is run."""

    def __init__(self, args, folder):
        self.module = Path(folder) / MODULE
        words = [f"test={args.test}", f"steps={args.steps}", *args.words]
        if args.seed is not None:
            words.append(f"seed={args.seed}")
        self.argv = [qhosted.program_of(args.variant), "-m", args.mem, "-i", str(self.module),
                     *words]
        self.size = args.steps // 8 + 1
        self.runs = 0
        self.end = time.monotonic() + args.time

    def is_late(self):
        return time.monotonic() >= self.end

    def run(self, steps):
        """(what failed, "" if nothing did; the log), of a run with these steps."""
        bits = bytearray(self.size)
        for step in steps:
            bits[step // 8] |= 1 << step % 8
        self.module.write_bytes(bits)
        self.runs += 1
        try:
            done = subprocess.run(self.argv, cwd=ROOT, stdin=subprocess.DEVNULL, timeout=TIMEOUT,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        except subprocess.TimeoutExpired:
            return "it hangs", ""
        log = done.stdout.decode("utf-8", "replace")
        return (name_failure(log) if done.returncode else ""), log


def name_failure(log):
    """The first line that says what is wrong, each number in it as a '#'."""
    for line in log.splitlines():
        if re.match(r"# \S+: \S+:\d+: |panic: |BUG: ", line) or "ERROR: " in line or \
                "runtime error: " in line:
            return re.sub(r"\b(0x)?[0-9][0-9a-f]*\b", "#", line)
    return "no line says what"


def reduced(walk, steps, failure):
    """A part of @steps of which no run can be left out."""
    def fails(chosen):
        return not walk.is_late() and walk.run(chosen)[0] == failure

    low, high = 0, len(steps)       # the walk ends at its first failure: which step is that?
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fails(steps[:middle]) else (middle + 1, high)
    if fails(steps[:high]):
        steps = steps[:high]
    run = max(len(steps) // 2, 1)
    while True:
        before = len(steps)
        for end in range(len(steps), 0, -run):
            fewer = steps[:max(end - run, 0)] + steps[end:]
            if walk.is_late():
                return steps
            if fails(fewer):
                steps = fewer
        if run == 1 and len(steps) == before:
            return steps
        run = max(run // 2, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--variant", default="m64-gcc-asan")
    parser.add_argument("--mem", default="64M")
    parser.add_argument("--seed")
    parser.add_argument("--steps", type=int, default=100000)
    parser.add_argument("--time", type=float, default=float("inf"))
    parser.add_argument("test")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    program = qhosted.program_of(args.variant)
    if not (ROOT / program).is_file():
        print(f"reduce: there is no {program}: make {program}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        walk = Walk(args, folder)
        steps = list(range(args.steps))
        failure, log = walk.run(steps)
        if not failure:
            print(f"reduce: {args.test} passes")
            return 1
        steps = reduced(walk, steps, failure)
        late = walk.is_late()
        log = walk.run(steps)[1]
        print(f"/* {args.test}, seed {args.seed or 'of the kernel'}: {len(steps)} of {args.steps} "
              f"steps, after {walk.runs} runs")
        print(f" * {failure}")
        if late:
            print(" * the time was over: not all of these steps are needed")
        if not failure.startswith("#"):     # then the walk went on, and gave back what it had
            print(" * the run broke off here: what the last lines took is still to be given back")
        print(f" * steps {' '.join(map(str, steps))} */")
        print("KTEST(walk, steps_that_failed)\n{")
        for line in re.findall(r"^#C (.*)$", log, re.M):
            print(f"\t{line}")
        print("\tEXPECT_EQ(t, 0, mm_check_all());\n}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
