#!/usr/bin/python3
"""Every failure point: each test in a process, with each of its points failing in turn.

usage: faults.py --program QUARRY [--filter GLOBS] [--machine WORDS]... [--jobs N] [--every N]

A machine is its RAM, its CPUs and words of its command line.  A test is run on the first to which
it applies.  A run of it is a process of its own, as `QUARRY -m SIZE test=NAME faults=WHAT` would be
(the words are in tests/faults.c): a copy of one that has booted (`QUARRY -f`).  The first counts
the points; then each point fails alone, and, where mm/ got by without, together with all that
follow in the same call.  A test that draws random numbers is run by 20 seeds, one point in fifty
failing; in some of these runs a point must have failed.  A run is good when nothing panicked, no
sanitizer spoke, the failure was met by a call that was made again, every expectation of the test
held, and the world was as before.  tests/faults.tsv names tests that expect figures which a
shortage changes: of those expectations may fail, nothing else; and those with so few points that no
seed meets one.  A test that needs no such excuse is to leave it.

With several CPUs, calls overlap, and tests/faults.c follows one at a time: a failure there may have
been in a call that it did not know of.  All else is judged as with one CPU.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import fnmatch
import os
import pathlib
import random
import re
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXACT = ROOT / "tests/faults.tsv"
MACHINES = (            # RAM, CPUs, words; highmem begins at 384 MiB unless a word moves it
    "64M 1",
    "64M 1 highmem=32M page_owner=1",
    "1G 1",
    "64M 2 highmem=32M",
)
UNMET = {               # why no machine here has it: the first of these words in a test's needs
    "edu": "a device of QEMU's",
    "image": "a kernel's image, which a process has not",
    "module": "a boot module",
}
IDLE = "no-walk-fails"  # its third column, of a random test with few points
ALARM = 128 + 14        # status of a copy that did not end in time: arch/hosted/host_main.c
WALK_SEEDS = 20
POINTS_MAX = 2000       # of a test with more ...
POINTS_ENDS = 200       # ... so many at each end
POINTS_DRAWN = 400      # ... and between them
STEPS = 500             # of random walks
OWN_TESTS = ("fault.", "fault_cmds.", "smp_walk.objects_that_cannot_all_be_had_are_given_back")
SHOWN = 8               # lines of a failed run, and failures of one test, that are printed
LISTED = re.compile(r"^# test (\S+) needs=(\S*)", re.MULTILINE)
LINE = re.compile(r"^# faults \S+: (points=.*)$", re.MULTILINE)


@dataclasses.dataclass
class Run:
    """What came of one run of a test."""

    what: str
    status: int         # exit status
    text: str
    facts: dict
    overlap: bool = False   # of calls: several CPUs

    def number(self, name):
        return int(self.facts.get(name, 0))

    def verdict(self, may_expect):
        """What is wrong with it; "" when nothing is."""
        if self.status == ALARM:
            return "it did not end in time"
        if self.status or not self.facts:
            return f"died, exit status {self.status}"
        if self.number("world"):
            return "mm/ lost or kept something, or is inconsistent"
        if self.number("outside") and not self.overlap:
            return "a point failed in no call that the test makes again (tests/faults.h)"
        if "\nnot ok " in self.text and not may_expect:
            return "an expectation does not hold"
        return ""


@dataclasses.dataclass
class Result:
    """What came of all runs of a test."""

    name: str
    applies: bool = True
    points: int = 0
    covered: int = 0
    tried: int = 0
    runs: int = 0
    errors: int = 0
    tolerated: int = 0
    walks: int = 0
    excused: int = 0    # runs that were good by tests/faults.tsv only
    kinds: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    failures: list = dataclasses.field(default_factory=list)


def chosen(points, seed, every=1):
    """The points to try of 1..@points: all, or the ends and some drawn between."""
    if points <= POINTS_MAX:
        return list(range(1, points + 1, every))
    middle = range(POINTS_ENDS + 1, points - POINTS_ENDS + 1)
    drawn = random.Random(seed).sample(middle, POINTS_DRAWN)
    return sorted([*range(1, POINTS_ENDS + 1), *drawn,
                   *range(points - POINTS_ENDS + 1, points + 1)])[::every]


def read_exact(path=EXACT, idle=False):
    """Globs of the tests whose expectations may fail; @idle: whose walks may have no failure."""
    lines = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()
             if line and not line.startswith("#"))
    globs = []
    for fields in lines:
        if len(fields) not in (2, 3) or not fields[1] or fields[2:] not in ([], [IDLE]):
            sys.exit(f"{path}: not a glob, a tab and a reason, or these and {IDLE}: {fields[0]}")
        if (fields[2:] == [IDLE]) == idle:
            globs.append(fields[0])
    return globs


class Machine:
    """A booted machine, of which each run gets a copy."""

    ENDED = re.compile(r"# copy ended: (\d+)\n")

    def __init__(self, program, mem, cpus, words):
        self.process = subprocess.Popen([program, "-f", "-m", mem, "-c", cpus, f"steps={STEPS}",
                                         *words],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)

    def command(self, line):
        """(exit status, text) of a copy that is given this line."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        text = []
        for raw in self.process.stdout:
            piece = raw.decode(errors="replace")
            ended = self.ENDED.fullmatch(piece)
            if ended:
                return int(ended[1]), "".join(text).replace("\r", "")
            text.append(piece)
        sys.exit("faults: the machine ended: " + "".join(text[-SHOWN:]))

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Faults:
    """The runs on one machine, and what they have in common."""

    def __init__(self, options, machine, exact, idle=()):
        self.options = options
        self.mem, self.cpus, *self.append = machine.split()
        self.exact = exact
        self.idle = idle
        self.lock = threading.Lock()
        self.local = threading.local()
        self.machines = []

    def words(self, name, what):
        return [f"test={name}", f"faults={what}", f"steps={STEPS}", *self.append]

    def machine(self):
        """This thread's."""
        if not hasattr(self.local, "machine"):
            self.local.machine = Machine(self.options.program, self.mem, self.cpus, self.append)
            with self.lock:
                self.machines.append(self.local.machine)
        return self.local.machine

    def needs(self):
        """Of every test, by name, but for those of the points themselves, which arm theirs."""
        _, text = self.machine().command("test list")
        return {name: needs for name, needs in LISTED.findall(text)
                if not name.startswith(OWN_TESTS)}

    def close(self):
        for machine in self.machines:
            machine.close()

    def run(self, name, what):
        status, text = self.machine().command(f"test {name} {what}")
        line = LINE.search(text)
        facts = dict(word.split("=", 1) for word in line[1].split()) if line else {}
        return Run(what, status, text, facts, overlap=self.cpus != "1")

    def may_expect(self, name):
        return any(fnmatch.fnmatchcase(name, glob) for glob in self.exact)

    def may_be_idle(self, name):
        return any(fnmatch.fnmatchcase(name, glob) for glob in self.idle)

    def judge(self, result, run):
        """Note what is wrong with the run; is nothing?"""
        why = run.verdict(self.may_expect(result.name))
        result.excused += not why and bool(run.verdict(may_expect=False))
        result.runs += 1
        result.errors += run.number("errors")
        result.tolerated += run.number("tolerated")
        result.kinds.update(kind for kind in run.facts.get("kinds", "").split(",") if kind)
        if not why and run.what.rstrip("+").isdigit() and not run.number("failed"):
            why = "the point is not reached"
        if why:
            result.failures.append((run, why))
        return not why

    def points(self, result):
        every = self.options.every
        for point in chosen(result.points, result.name, every):
            result.tried += 1
            run = self.run(result.name, str(point))
            good = self.judge(result, run)
            if good and run.number("tolerated"):
                good = self.judge(result, self.run(result.name, f"{point}+"))
            result.covered += good

    def walks(self, result):
        for seed in range(1, WALK_SEEDS + 1):
            run = self.run(result.name, f"walk:{seed}")
            result.walks += 1
            result.covered += run.number("failed")
            self.judge(result, run)
        if result.points and bool(result.covered) == self.may_be_idle(result.name):
            result.failures.append((run, f"{EXACT.name} excuses its walks, but some had a failure"
                                    if result.covered else
                                    f"none of its {WALK_SEEDS} walks had a failure"))

    def test(self, name):
        result = Result(name)
        run = self.run(name, "count")
        if "\n1..0\n" in run.text:
            result.applies = False
            return result
        result.points = run.number("points")
        if run.verdict(may_expect=False):
            result.failures.append((run, "fails though nothing was made to fail"))
        elif run.number("random"):
            self.walks(result)
        else:
            self.points(result)
            if self.may_expect(name) and not result.excused and self.options.every == 1:
                result.failures.append((run, f"{EXACT.name} excuses it, but no run needed that"))
        self.show(result)
        return result

    def command(self, result, run):
        words = " ".join(self.words(result.name, run.what))
        return f"make hosted MEM={self.mem} CPUS={self.cpus} APPEND='{words}'"

    def show(self, result):
        if not result.points and not result.failures:
            return
        kinds = " ".join(f"{kind}={nr}" for kind, nr in sorted(result.kinds.items()))
        head = (f"{'not ok' if result.failures else 'ok'} {result.name}: points={result.points} "
                + (f"walks={result.walks} failed={result.covered}" if result.walks else
                   f"covered={result.covered}")
                + f" runs={result.runs} errors={result.errors} tolerated={result.tolerated} "
                + kinds)
        with self.lock:
            print(head.rstrip())
            for run, why in result.failures[:SHOWN]:
                print(f"# {result.name} faults={run.what} "
                      f"({run.facts.get('kinds', '').rstrip(',')}): {why}")
                for line in interesting(run.text):
                    print(f"#   {line}")
                print(f"#   again: {self.command(result, run)}")
            if len(result.failures) > SHOWN:
                print(f"# and {len(result.failures) - SHOWN} more")
            sys.stdout.flush()


def interesting(text):
    """The lines that say why a run failed: first what was expected, then how it died."""
    lines = text.splitlines()
    wanted = [line for pattern in (r"# \S+: \S+:\d+: ",
                                   r".*(panic|BUG|ERROR: |runtime error|_check: )", r"  #\d")
              for line in lines if re.match(pattern, line)]
    return (wanted or lines[-SHOWN:])[:SHOWN]


def show_unmet(results, needs):
    """The tests that apply to no machine, by what they need."""
    unmet = collections.defaultdict(list)
    for result in results:
        if not result.applies:
            need = needs[result.name]
            unmet[next((f"{word}, {why}" for word, why in UNMET.items() if word in need),
                       need)].append(result.name)
    print(f"# {sum(map(len, unmet.values()))} tests apply to none of the machines"
          + (":" if unmet else ""))
    for need, names in sorted(unmet.items()):
        print(f"#   {need}: {' '.join(sorted(names))}")


def summary(results, seconds):
    fixed = [r for r in results if r.points and not r.walks]
    walks = [r for r in results if r.walks]
    bad = [r for r in results if r.failures]
    print(f"# {len(fixed)} tests with {sum(r.points for r in fixed)} points: "
          f"{sum(r.tried for r in fixed)} tried, {sum(r.covered for r in fixed)} covered; "
          f"{len(walks)} random tests, {sum(r.walks for r in walks)} walks, "
          f"{sum(r.covered for r in walks)} failures in them")
    pointless = [r for r in results if r.applies and not r.points and not r.failures]
    print(f"# {len(pointless)} tests without a point")
    kinds = sum((r.kinds for r in results), collections.Counter())
    print("# points that failed, by kind: "
          + " ".join(f"{kind}={nr}" for kind, nr in sorted(kinds.items())))
    print(f"# {sum(r.runs for r in results)} runs, {sum(r.errors for r in results)} calls failed, "
          f"{sum(r.tolerated for r in results)} got by without, {seconds:.0f} s")
    if bad:
        print("# failed: " + " ".join(r.name for r in bad))
    print(f"faults: {sum(r.applies for r in results) - len(bad)} passed, {len(bad)} failed")
    return 1 if bad or not fixed and not walks else 0


def named(needs, text):
    """The tests that a filter means, by name; @text: globs or parts of names."""
    globs = text.split() or ["*"]
    return [name for name in needs
            if any(fnmatch.fnmatchcase(name, glob) or glob in name for glob in globs)]


def on_machine(faults, names):
    """Results of these tests on it."""
    print(f"# machine: {' '.join([faults.mem, faults.cpus, *faults.append])}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(faults.options.jobs) as pool:
        results = list(pool.map(faults.test, names))
    faults.close()
    print(f"# {sum(r.applies for r in results)} tests apply to it", flush=True)
    return results


def on_machines(machines, names):
    """Results of each test on the first machine to which it applies, or on none."""
    results = {}
    for machine in machines:
        left = [name for name in names if name not in results or not results[name].applies]
        if left:
            results.update((r.name, r) for r in on_machine(machine, left))
    return list(results.values())


def read_options(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--filter", default="")
    parser.add_argument("--machine", action="append", help="RAM, CPUs, words: in place of "
                        + ", ".join(MACHINES))
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--every", type=int, default=1, help="only each N-th of the chosen points")
    return parser.parse_args(argv)


def main(argv=None):
    options = read_options(argv)
    machines = [Faults(options, machine, read_exact(), read_exact(idle=True))
                for machine in options.machine or MACHINES]
    needs = machines[0].needs()
    names = named(needs, options.filter)
    if not names:
        sys.exit(f"faults: no test is called {options.filter}")
    start = time.monotonic()
    results = on_machines(machines, names)
    show_unmet(results, needs)
    return summary(results, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
