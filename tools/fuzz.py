#!/usr/bin/python3
"""fuzz.py - run fuzzing programs, and say what came of it.

Each program starts from its checked-in corpus, tests/fuzz/corpus/NAME, and from what earlier runs
found, BUILD/fuzz/corpus/NAME; where there is a tests/fuzz/words/NAME.dict, it has words that no
program would find.  As many run at once as there are CPUs.  Printed are a line for each and, for a
failure, its name, the file that repeats it, and the steps it was reduced to, as C.  The exit status
is 0 only if every program ran and none failed.

usage: fuzz.py [--time SECONDS] [--target "GLOB ..."] [--seed N] [--merge] PROGRAM...

--merge: no fuzzing; the corpus is made anew of the smallest inputs that reach the same edges.
"""
import argparse
import dataclasses
import fnmatch
import os
import random
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from run_qemu import BUILD, ROOT

CORPUS = ROOT / "tests/fuzz/corpus"
GRACE = 120.0           # seconds beyond its time after which a program is taken to hang
REDUCE_TIMEOUT = 600.0
INPUT_TIMEOUT = 30      # seconds for one input


@dataclasses.dataclass
class Outcome:
    """What came of one program."""

    name: str
    runs: int = 0
    per_second: int = 0
    edges: int = 0
    inputs: int = 0
    seconds: float = 0.0
    failure: str = ""       # the line that names it
    reproducer: Path = None
    log: str = ""
    steps: str = ""


def target_of(program):
    return Path(program).name.removeprefix("fuzz-")


def chosen(programs, patterns):
    """Those that one of the globs in @patterns names; each glob must name one."""
    names = {glob: fnmatch.filter(map(target_of, programs), glob) for glob in patterns.split()}
    unknown = [glob for glob, found in names.items() if not found]
    if unknown or not names:
        raise LookupError(f"no target is called '{' '.join(unknown)}'; there are: "
                          f"{' '.join(map(target_of, programs))}")
    return [p for p in programs if any(target_of(p) in found for found in names.values())]


def last_int(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def name_failure(log):
    """The first line that says what went wrong."""
    for line in log.splitlines():
        if re.search(r"panic: |BUG: |ERROR: (?!libFuzzer: deadly)|runtime error: ", line):
            return line.strip("| ").strip()
    return "no line says why"


def run_text(argv, timeout):
    """(exit status, None: it hung; its output)"""
    try:
        done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout, check=False)
        return done.returncode, done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as late:
        return None, (late.stdout or b"").decode("utf-8", "replace")


def reduced(program, reproducer):
    """The steps of the failure as C, and the smaller file in place of the larger."""
    small = reproducer.with_name(reproducer.name + ".min")
    small.unlink(missing_ok=True)
    try:
        done = subprocess.run([program, "reduce", str(reproducer), str(small)], cwd=ROOT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=REDUCE_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return f"/* Not reduced: it took more than {REDUCE_TIMEOUT:.0f} s. */\n", reproducer
    return done.stdout.decode("utf-8", "replace"), small if small.exists() else reproducer


def fuzz(program, seconds, seed, fresh=None):
    """Run one program; @fresh: the folder for new inputs, if not the usual one."""
    name = target_of(program)
    fresh = fresh or BUILD / "fuzz/corpus" / name
    crashes = BUILD / "fuzz/crashes"
    for folder in (fresh, crashes, CORPUS / name):
        folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    words = ROOT / "tests/fuzz/words" / f"{name}.dict"
    status, log = run_text(
        [program, *([f"-dict={words}"] if words.exists() else []),
         f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={INPUT_TIMEOUT}",
         f"-artifact_prefix={crashes}/{name}-", "-print_final_stats=1", "-rss_limit_mb=0",
         "-reload=0", str(fresh), str(CORPUS / name)], seconds + GRACE)
    outcome = Outcome(name, log=log, seconds=time.monotonic() - started,
                      runs=last_int(r"stat::number_of_executed_units:\s*(\d+)", log),
                      per_second=last_int(r"stat::average_exec_per_sec:\s*(\d+)", log),
                      edges=last_int(r"\bcov: (\d+)", log),
                      inputs=last_int(r"\bcorp: (\d+)", log))
    if status != 0:
        outcome.failure = "it hung" if status is None else name_failure(log)
        found = re.search(r"Test unit written to (\S+)", log)
        outcome.reproducer = Path(found[1]) if found else None
    elif not outcome.runs:
        outcome.failure = "it ran nothing"
    if outcome.reproducer and status is not None:
        outcome.steps, outcome.reproducer = reduced(program, outcome.reproducer)
    return outcome


def merge(program):
    """Make the checked-in corpus anew."""
    name = target_of(program)
    old, new = CORPUS / name, BUILD / "fuzz/merged" / name
    fresh = BUILD / "fuzz/corpus" / name
    shutil.rmtree(new, ignore_errors=True)
    for folder in (old, new, fresh):
        folder.mkdir(parents=True, exist_ok=True)
    status, log = run_text([program, "-merge=1", "-use_counters=0", f"-timeout={INPUT_TIMEOUT}",
                            "-rss_limit_mb=0", f"-artifact_prefix={BUILD}/fuzz/crashes/{name}-",
                            str(new), str(old), str(fresh)], None)
    if status != 0:
        return Outcome(name, failure=f"merge: exit status {status}", log=log)
    shutil.rmtree(old)
    shutil.copytree(new, old)
    return Outcome(name, inputs=len(list(old.iterdir())), edges=last_int(r"\bcov: (\d+)", log))


def show(outcome):
    state = "FAIL" if outcome.failure else "ok"
    print(f"{state:4}  {outcome.name:12}  {outcome.runs:9} runs  {outcome.per_second:7}/s  "
          f"{outcome.edges:6} edges  {outcome.inputs:5} inputs  {outcome.seconds:6.0f} s")
    if outcome.failure:
        print(f"      {outcome.failure}")
        if outcome.reproducer:
            program = os.path.relpath(BUILD / "fuzz" / f"fuzz-{outcome.name}")
            print(f"      again: {program} {os.path.relpath(outcome.reproducer)}")
        print(outcome.steps or outcome.log[-3000:])
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--time", type=int, default=60)
    parser.add_argument("--target", default="*")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("programs", nargs="+")
    args = parser.parse_args()
    try:
        programs = chosen(args.programs, args.target)
    except LookupError as error:
        print(f"fuzz: {error.args[0]}", file=sys.stderr)
        return 1
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1, 1 << 31)
    print(f"fuzz: seed={seed}", flush=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outcomes = []
        job = (lambda p: merge(p)) if args.merge else (lambda p: fuzz(p, args.time, seed))
        for outcome in pool.map(job, [str(ROOT / p) for p in programs]):
            show(outcome)
            outcomes.append(outcome)
    bad = [o.name for o in outcomes if o.failure]
    print(f"fuzz: {len(outcomes)} targets, {sum(o.runs for o in outcomes)} runs, "
          f"{len(bad)} failed" + (f": {' '.join(bad)}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
