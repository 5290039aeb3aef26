#!/usr/bin/python3
"""coverage.py - which lines and branches of mm/ and lib/ the tests reach, run in processes.

The program is a variant with gcov's counters; it is given the runs below and every crime of
tests.cfg.  Then gcovr adds up: a table of the files and, last, the totals of mm/ and of lib/ go to
standard output, the pages with every line to BUILD/coverage/index.html, and the list of lines that
were not reached to BUILD/coverage/missing.txt.  The exit status is 1 when mm/ misses its goal, in
percent, or when a run fails: the figures would be of a broken kernel.

usage: coverage.py [--variant NAME] [--lines GOAL] [--branches GOAL]
"""
import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import qhosted
import qtest
from run_qemu import BUILD, ROOT
from testrows import MAPS

# Together they meet every need of a test but those that only a machine has.
RUNS = (
    ["-m", "64M", "test=*", "steps=20000"],
    ["-m", "16M", "test=*", "steps=5000", "slab_debug=FZPU"],
    ["-m", "24M", "test=*", "steps=5000", "page_poison=1", "vmalloc_debug=1", "page_owner=1"],
    ["-m", "512M", "test=*", "steps=5000", "kmap_debug=1"],
    ["-m", "32M", "test=*", "steps=5000", "highmem=8M", "vmalloc=64M", "init_on_alloc=1"],
    ["-i", f"{MAPS}/hostile-islands.map", "e820=hostile-islands.map", "test=*", "steps=2000"],
    ["-i", f"{MAPS}/hostile-comb-400.map", "e820=hostile-comb-400.map", "test=*", "steps=2000"],
)
PARTS = ("lib/", "mm/")
BELOW_LINES, BELOW_BRANCHES = 2, 4      # bits of gcovr's exit status


def run_all(program, variant):
    """What went wrong, a line each."""
    def one(argv):
        status, text, _ = qtest.run_program([program, *argv], qhosted.LONG_TIMEOUT)
        return f"{' '.join(argv)}: status {status}: {text[-300:]}" if status else None

    def crime(row):
        status, text, _ = qtest.run_program(list(row.argv), row.timeout)
        return None if status == 18 else f"{row.name}: status {status}: {text[-300:]}"

    crimes = next(iter(qhosted.crime_rows(False, variant=variant).values()))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [why for why in [*pool.map(one, RUNS), *pool.map(crime, crimes)] if why]


def report(objects, out):
    """Collect the counters in @out/coverage.json and as pages; both tables are returned."""
    gcovr = ["gcovr", "--root", str(ROOT)]
    traces = str(out / "coverage.json")
    subprocess.run([*gcovr, "--exclude-unreachable-branches",
                    *(arg for part in PARTS for arg in ("--filter", part)), "--json", traces,
                    "--html-details", str(out / "index.html"), str(objects)], check=True, cwd=ROOT)
    return [subprocess.run([*gcovr, "--add-tracefile", traces, "--txt", *more], check=True,
                           cwd=ROOT, stdout=subprocess.PIPE, text=True).stdout
            for more in ([], ["--branches"])]


def total(out, part, lines=0, branches=0):
    """Print the totals of @part; is it at @lines and @branches percent at least?"""
    done = subprocess.run(
        ["gcovr", "--root", str(ROOT), "--add-tracefile", str(out / "coverage.json"), "--filter",
         part, "--txt", os.devnull, "--print-summary", "--fail-under-line", str(lines),
         "--fail-under-branch", str(branches)], check=False, cwd=ROOT, stdout=subprocess.PIPE,
        text=True)
    if done.returncode & ~(BELOW_LINES | BELOW_BRANCHES):
        raise subprocess.CalledProcessError(done.returncode, done.args)
    for line in done.stdout.splitlines():
        if line.startswith(("lines:", "branches:")):
            print(f"{part:4} {line}")
    return done.returncode == 0


def totals(out, lines, branches):
    """Print the totals of each part; does mm/ reach its goal?"""
    total(out, "lib/")
    reached = total(out, "mm/", lines, branches)
    print(f"coverage: the goal for mm/, {lines:g} % of lines and {branches:g} % of branches, is "
          f"{'reached' if reached else 'missed'}", flush=True)
    return reached


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--variant", default="m32-gcc-cov")
    parser.add_argument("--lines", type=float, default=95)
    parser.add_argument("--branches", type=float, default=90)
    args = parser.parse_args()
    objects = BUILD / "hosted" / args.variant
    for old in objects.rglob("*.gcda"):
        old.unlink()
    wrong = run_all(qhosted.program_of(args.variant), args.variant)
    out = BUILD / "coverage"
    out.mkdir(parents=True, exist_ok=True)
    lines, branches = report(objects, out)
    (out / "missing.txt").write_text(lines + branches, encoding="utf-8")
    print("lines\n" + lines + "\nbranches\n" + branches)
    print(f"coverage: pages in {os.path.relpath(out)}/index.html", flush=True)
    for why in wrong:
        print(f"coverage: a run went wrong: {why}", file=sys.stderr)
    reached = totals(out, args.lines, args.branches)
    return 0 if reached and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
