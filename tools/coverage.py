#!/usr/bin/python3
"""coverage.py - which lines and branches of mm/ and lib/ the tests reach, run in processes.

The program is a variant with gcov's counters; it is given the runs below and every crime of
tests.cfg.  Then gcovr adds up: a table of the files and the totals go to standard output, the pages
with every line to BUILD/coverage/index.html, and the list of lines that were not reached to
BUILD/coverage/missing.txt.  A run that fails fails the coverage: its figures would be of a broken
kernel.

usage: coverage.py [--variant NAME]
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
PARTS = ("mm/", "lib/")


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
    """Both reports of gcovr; the text one is returned."""
    command = ["gcovr", "--root", str(ROOT), "--exclude-unreachable-branches",
               *(arg for part in PARTS for arg in ("--filter", part)), str(objects)]
    subprocess.run([*command, "--html-details", str(out / "index.html")], check=True, cwd=ROOT)
    lines = subprocess.run([*command, "--txt"], check=True, cwd=ROOT, stdout=subprocess.PIPE,
                           text=True).stdout
    branches = subprocess.run([*command, "--txt", "--branches"], check=True, cwd=ROOT,
                              stdout=subprocess.PIPE, text=True).stdout
    return lines, branches


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--variant", default="m32-gcc-cov")
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
    print(f"coverage: pages in {os.path.relpath(out)}/index.html")
    for why in wrong:
        print(f"coverage: a run went wrong: {why}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
