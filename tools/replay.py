#!/usr/bin/python3
"""Replay allocation traces through mm/, in the kernel under QEMU and in a process: `make replay`.

Each figure comes from a run of its own, which begins with a machine just booted.  In the kernel a
tick of the time-stamp counter is an instruction; in the process callgrind counts, and what the
replayer's calls (tests/replay/calls.c) call is the allocator's.  A further run of each trace writes
and verifies the contents of every object, and runs the validators.  A trace with a failed
allocation has no figures.
"""

import argparse
import dataclasses
import re
import subprocess
import sys

import run_qemu
import traces
from bench import TableError, records

MIB = 1024
PAGE_SIZE = 4096
ICOUNT = "shift=0,sleep=off"
SECONDS = 600
BUDGETS = traces.ROOT / "tests/replay/budgets.tsv"
CALLS = re.compile(r"replay_call_(\w+)")
CALLGRIND = ("valgrind", "-q", "--tool=callgrind", "--compress-pos=no",
             # a fault is restarted: registers must be exact, and optimised flags are not
             "--vex-iropt-register-updates=allregs-at-mem-access", "--vex-iropt-level=0")


@dataclasses.dataclass(frozen=True)
class Run:
    """What a replay does of a trace; the words are the kernel's (<quarry/replay.h>)."""

    what: str
    words: tuple
    kernel_only: bool = False   # not of a program's trace

    @property
    def checks(self):
        return "check" in self.words


RUNS = (Run("all", ()), Run("objects", ("objects", "nozero")), Run("pages", ("pages",), True),
        Run("check", ("check",)), Run("check pages", ("pages", "check"), True))


@dataclasses.dataclass
class Result:
    """What a run said: its lines by their first word, and what went wrong."""

    trace: str
    run: Run
    where: str
    lines: dict = dataclasses.field(default_factory=dict)
    kinds: dict = dataclasses.field(default_factory=dict)
    problems: list = dataclasses.field(default_factory=list)

    def number(self, line, key):
        return int(self.lines[line][key])

    @property
    def per_op(self):
        """Instructions per operation; None: there is no figure."""
        if self.problems or self.run.checks or not self.number("ops", "ops"):
            return None
        return sum(k["total"] for k in self.kinds.values()) / self.number("ops", "ops")

    def kib(self, line, key, unit):
        """A footprint as text, where there is a figure."""
        return "-" if self.problems else f"{self.number(line, key) * unit >> 10} KiB"

    def ratio(self, pages, live):
        taken = self.number("peak_pages", pages) * PAGE_SIZE
        alive = self.number("peak_live", live)
        return taken / alive if alive and not self.problems else None


# ---- reading what a run printed -----------------------------------------------------------------


def parse(log, result):
    """Take the lines of @log into @result."""
    done = None
    for line in re.findall(r"^replay (.*)$", log, re.M):
        if line.startswith("problem="):
            result.problems.append(line)
            continue
        values = dict(re.findall(r"(\w+)=(\S+)", line))
        first = re.match(r"\w+", line)[0]
        if first == "kind":
            result.kinds[values["kind"]] = {k: int(v) for k, v in values.items() if k != "kind"}
        elif first == "done":
            done = int(values["problems"])
        else:
            result.lines[first] = values
    if done is None:
        result.problems.append("the run did not come to its end")
    elif done > len(result.problems):
        result.problems.append(f"and {done - len(result.problems)} more")


def called_costs(text):
    """{function of calls.c: instructions of what it called} of callgrind's output."""
    names, costs, inside, call = {}, {}, None, False
    for line in text.split("\n"):
        m = re.match(r"(fn|cfn)=\((\d+)\)(?: (.*))?$", line)
        if m:
            names.setdefault(m[2], m[3])
            if m[1] == "fn":
                found = CALLS.fullmatch(names[m[2]] or "")
                inside = found[1] if found else None
        elif line.startswith("calls="):
            call = True
        elif call:
            call = False
            if inside:
                costs[inside] = costs.get(inside, 0) + int(line.split()[1])
    return costs


KIND_OF_CALL = {"cache_alloc_kernel": "cache_alloc", "cache_alloc_atomic": "cache_alloc"}


def take_costs(result, costs):
    """Ticks of a process say nothing: callgrind's totals in their place."""
    for kind in result.kinds.values():
        kind.update(total=0, min=None, median=None)
    for call, cost in costs.items():
        kind = result.kinds.get(KIND_OF_CALL.get(call, call))
        if kind:
            kind["total"] += cost
        else:
            result.problems.append(f"{call}() was called, and no record says so")


# ---- running ------------------------------------------------------------------------------------


def module_of(trace):
    """The bare records, as a file."""
    path = run_qemu.BUILD / "modules" / f"{trace.name}.trace"
    traces.write_module(path, trace)
    return path


def spec(module, run):
    return ",".join((f"replay={module.name}", *run.words))


def panic_of(text):
    found = re.search(r"^panic: .*$", text, re.M)
    return found[0] if found else text.strip()[-200:]


def replay_in_kernel(kernel, trace, run):
    result = Result(trace.name, run, "kernel")
    module = module_of(trace)
    icount = "" if run.checks else ICOUNT
    machine = run_qemu.Machine(kernel=str(kernel), mem=f"{MIB}M", icount=icount,
                               modules=(str(module),), name=f"replay-{trace.name}",
                               append=f"loglevel=4 console=serial {spec(module, run)}")
    outcome = run_qemu.boot(machine, SECONDS)
    parse(outcome.log, result)
    if outcome.end.kind not in ("poweroff", "tests-failed"):
        result.problems.append(f"{outcome.end}; {panic_of(outcome.log)}")
    elif outcome.end.kind == "tests-failed" and not result.problems:
        result.problems.append(panic_of(outcome.log))
    return result


def replay_in_process(program, trace, run, profile=True):
    result = Result(trace.name, run, "process")
    module = module_of(trace)
    out = module.with_suffix(".callgrind")
    under = [] if run.checks or not profile else [*CALLGRIND, f"--callgrind-out-file={out}"]
    done = subprocess.run([*under, str(program), "-m", f"{MIB}M", "-i", str(module), "loglevel=4",
                           spec(module, run)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, errors="replace", check=False, timeout=SECONDS)
    parse(done.stdout, result)
    if done.returncode and "peak_pages" not in result.lines:
        result.problems.append(panic_of(done.stdout + done.stderr))
    if under and not result.problems:
        take_costs(result, called_costs(out.read_text(encoding="utf-8")))
    return result


# ---- judging ------------------------------------------------------------------------------------


def header_problems(trace, result):
    """The replayer and the trace's own header must agree on what was alive."""
    peak = trace.value("peak-live-bytes")
    if result.problems or result.run.what != "all" or peak is None:
        return
    if int(peak) != result.number("peak_live", "object_bytes"):
        yield (f"peak of live bytes {result.number('peak_live', 'object_bytes')}, "
               f"the header says {peak}")


FIGURES = {
    "instructions/op": lambda r: r.per_op,
    "footprint": lambda r: r.ratio("taken", "bytes"),
    "objects": lambda r: r.ratio("objects", "object_bytes"),
}


def read_budgets(path=BUDGETS):
    return {(trace, what, figure): float(most)
            for _, (trace, what, figure, most) in records(path, 4)}


def budget_problems(budgets, result):
    """Figures of the kernel's whole traces beyond their bounds."""
    if result.where != "kernel" or result.problems:
        return
    for (trace, what, figure), most in budgets.items():
        if (trace, what) != (result.trace, result.run.what):
            continue
        value = FIGURES[figure](result)
        if value is None:
            yield f"{figure} has a bound, but was not measured"
        elif value > most:
            yield f"{figure} is {value:.3f}, must be at most {most:g}"


# ---- what is printed ----------------------------------------------------------------------------

HEAD = (f"{'trace':<10}{'what':<13}{'where':<9}{'operations':>10}{'instr/op':>10}"
        f"{'peak live':>12}{'footprint':>12}{'ratio':>7}{'objects':>9}{'lazy':>6}  failed")


def cell(value, digits):
    return "-" if value is None else f"{value:.{digits}f}"


def result_line(r):
    if "ops" not in r.lines or "peak_pages" not in r.lines:
        return f"{r.trace:<10}{r.run.what:<13}{r.where:<9}{'-':>10}"
    return (f"{r.trace:<10}{r.run.what:<13}{r.where:<9}{r.number('ops', 'ops'):>10}"
            f"{cell(r.per_op, 1):>10}{r.kib('peak_live', 'bytes', 1):>12}"
            f"{r.kib('peak_pages', 'taken', PAGE_SIZE):>12}{cell(r.ratio('taken', 'bytes'), 2):>7}"
            f"{cell(r.ratio('objects', 'object_bytes'), 2):>9}"
            f"{cell(r.ratio('lazy', 'object_bytes'), 2):>6}  {r.lines['ops']['failed']}")


def kind_lines(r):
    if r.per_op is None:
        return
    for name, k in r.kinds.items():
        mean = k["total"] / k["n"]
        rest = "" if k["min"] is None else f"  min {k['min']}  median {k['median']}"
        yield f"    {name:<14}{k['n']:>8}  mean {mean:.1f}{rest}"


# ---- the whole ----------------------------------------------------------------------------------


def due(trace, what):
    of_kernel = trace.is_of_kernel()
    return [run for run in RUNS if (of_kernel or not run.kernel_only) and
            (not what or run.what in what)]


def replay(args, trace, budgets):
    for run in due(trace, args.what):
        found = []
        if args.where in ("kernel", "both"):
            found.append(replay_in_kernel(args.kernel, trace, run))
        if args.where in ("hosted", "both"):
            found.append(replay_in_process(args.program, trace, run))
        for result in found:
            extra = list(budget_problems(budgets, result))
            extra += header_problems(trace, result) if not args.records else []
            yield result, extra


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kernel", help="an image")
    parser.add_argument("--program", help="the kernel as a process")
    parser.add_argument("--where", default="both", choices=("kernel", "hosted", "both"))
    parser.add_argument("--what", default="", help="only these of: "
                        + ", ".join(run.what for run in RUNS))
    parser.add_argument("--records", type=int, default=0, help="only so many, from the first on")
    parser.add_argument("trace", nargs="*", help="names or files; none: all of tests/data/traces")
    args = parser.parse_args()
    args.what = [word.strip() for word in args.what.split(",") if word.strip()]
    return args


def main():
    args = parse_args()
    problems, nr = [], 0
    print(HEAD)
    try:
        budgets = {} if args.records else read_budgets()
        for word in args.trace or traces.names():
            trace = traces.load(traces.named(word))
            trace = trace.cut(args.records) if args.records else trace
            for result, extra in replay(args, trace, budgets):
                print("\n".join([result_line(result), *kind_lines(result)]), flush=True)
                problems += [f"{result.trace} {result.run.what} ({result.where}): {p}"
                             for p in result.problems + extra]
                nr += 1
    except (traces.TraceError, TableError, OSError, subprocess.TimeoutExpired) as error:
        problems.append(str(error))
    print(f"{nr} replays, {len(problems)} problems", flush=True)
    for text in problems:
        print(f"replay: {text}", file=sys.stderr)
    return 1 if problems or not nr else 0


if __name__ == "__main__":
    sys.exit(main())
