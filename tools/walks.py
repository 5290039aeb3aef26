"""Random tests that failed in a row: the command that reduces one, and what it prints.

A random test's log says its seed.  The row's words have the steps.  tools/reduce.py runs the same
walk in a process of its own, for a limited time, and prints C for tests/.  One run of the tests
reduces few failures: one bug fails the same walk on every row.  Of the others the command is shown.
"""

import re
import shlex
import threading

import ktap
import qhosted
import run_qemu
from run_qemu import ROOT, parse_size

REDUCE = "tools/reduce.py"
SECONDS = 120       # for one reduction
SLACK = 60          # and for its last runs
REDUCTIONS = 3      # of one run of the tests
SHOWN = 60          # lines; longer ones are in their file only
PROCESS = "m64-gcc-asan"    # where the kernel's walks are reduced
# What chooses the tests, or describes a machine that a process does not have.
NOT_HANDED_ON = {"test", "steps", "seed", "faults", "console", "e820", "mem", "memmap"}
SEED = re.compile(r"# (\S+\.\S+): seed=(\d+)$")

reduced = set()     # names of tests
lock = threading.Lock()


def failed_walks(log):
    """{test: seed} of the random tests that failed, or in which the log breaks off."""
    found, seeds = {}, {}
    for line in log.splitlines():
        if seen := SEED.match(line):
            seeds[seen[1]] = seen[2]
        elif result := ktap.RESULT.match(line):
            seed = seeds.pop(result[3], None)
            if result[1] and seed:
                found[result[3]] = seed
    return {**found, **seeds}


def variant_of(row):
    program = getattr(row, "program", "")
    return program.rsplit("quarry-", maxsplit=1)[1] if program else PROCESS


def reduce_argv(row, test, seed):
    """The command for @test of @row."""
    append = row.append if row.kind == "hosted" else row.machine.append
    mem = row.keys["mem"] if row.kind == "hosted" else row.machine.mem
    mem = str(parse_size(mem) >> 20) + "M" if mem[-1:].isalpha() else f"{mem}M"
    words = append.split()
    steps = [word.partition("=")[2] for word in words if word.startswith("steps=")][-1:]
    return [REDUCE, "--variant", variant_of(row), "--mem", mem, "--seed", seed,
            *(part for number in steps for part in ("--steps", number)), test,
            *(word for word in words if word.partition("=")[0] not in NOT_HANDED_ON)]


def once(test):
    """May @test be reduced in this run of the tests?"""
    with lock:
        if test in reduced or len(reduced) >= REDUCTIONS:
            return False
        reduced.add(test)
        return True


def shown(text, file):
    """The lines to print of what reduce.py said, which is kept in @file."""
    file.write_text(text)
    lines = text.splitlines()
    return lines if len(lines) <= SHOWN else [f"{len(lines)} lines: {file}"]


def explain(row, log, build, run_program):
    """Lines for each walk that failed; @build makes programs, @run_program: qtest's."""
    lines = []
    for test, seed in failed_walks(log).items():
        argv = reduce_argv(row, test, seed)
        program = qhosted.program_of(variant_of(row))
        lines.append(f"{test} had seed={seed}; reduced: {shlex.join(argv)}")
        if not once(test):
            continue
        with lock:      # one make at a time
            build([program])
        text = run_program([str(ROOT / argv[0]), "--time", str(SECONDS), *argv[1:]],
                           SECONDS + SLACK)[1]
        lines += shown(text, run_qemu.BUILD / "logs" / f"{test}.reduced.c")
    return lines
