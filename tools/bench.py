#!/usr/bin/python3
"""bench.py - what operations of the kernel cost in guest instructions, beside Linux's figures.

`make bench` boots the kernel on one CPU and 3 GiB under -icount, where the time-stamp counter
counts instructions, has it measure its rows (bench=GLOB), and joins them with two tables:

    tests/bench/linux-6.1-i386.tsv    what Linux pays, and which rows there have to be
    tests/bench/budgets.tsv           what some rows must read, the ruler's calibration first

The figures are exact: the same kernel gives the same ones on any host.

A run fails, with status 1 and a line for each reason, when the calibration is off, a row is missing
on either side, a row could not be measured or left pages behind, or a budget is exceeded.

usage: bench.py [--kernel ELF] [--filter GLOB|...] [--log FILE]
"""
import argparse
import dataclasses
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import run_qemu  # noqa: E402

TABLE = run_qemu.ROOT / "tests/bench/linux-6.1-i386.tsv"
BUDGETS = run_qemu.ROOT / "tests/bench/budgets.tsv"
NR_KERNELS, ANCHOR = 5, 2       # columns of figures in the table; the one to compare with
MEM, ICOUNT = "3G", "shift=0,sleep=off"     # of the machine that the table's figures come from
SECONDS = 300
CALIBRATION = "calib*"          # rows without which no other means anything
MEAN_DIFFERS = 0.02             # by more than this from the median, and the mean is shown
HERE, LATER = "yes", "later"    # states of a row; any other is a CONFIG that it needs


class TableError(Exception):
    """A table cannot be read."""


@dataclasses.dataclass(frozen=True)
class Figures:
    """What one row costs: the parts of a total, and the mean if it is known."""

    total: float
    alloc: float = None
    free: float = None
    mean: float = None
    each: bool = False      # of many allocations and frees; otherwise of one

    def __str__(self):
        if self.each:
            return f"{self.alloc:.1f} + {self.free:.1f}"
        parts = "" if self.alloc is None else f" = {self.alloc:g}+{self.free:g}"
        return f"{number(self.total)}{self.mean_text()}{parts}"

    def mean_text(self):
        if self.mean is None or abs(self.mean - self.total) <= MEAN_DIFFERS * self.total:
            return ""
        return f" (mean {self.mean:.0f})"


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of the table."""

    section: str
    name: str
    state: str
    linux: Figures


@dataclasses.dataclass(frozen=True)
class Budget:
    """The bounds of a row's total."""

    least: float
    most: float
    name: str


def number(value):
    return f"{value:.0f}" if value == int(value) else f"{value:.1f}"


# ---- the tables ---------------------------------------------------------------------------------


def records(path, nr_fields):
    """The lines of a table between tabs, without its comments."""
    for nr, line in enumerate(Path(path).read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != nr_fields or not all(fields):
            raise TableError(f"{path}:{nr}: not {nr_fields} fields between tabs")
        yield nr, fields


def parse_cell(text):
    """'432 = 242+190', '1906 (mean 2184) = 918+988', '257.2 + 214.9', or '60'."""
    value = r"(\d+(?:\.\d+)?)"
    both = re.fullmatch(rf"{value} \+ {value}", text)
    if both:
        alloc, free = float(both[1]), float(both[2])
        return Figures(alloc + free, alloc, free, each=True)
    one = re.fullmatch(rf"{value}(?: \(mean {value}\))?(?: = {value}\+{value})?", text)
    if not one:
        raise TableError(f"'{text}' is no figure")
    total, mean, alloc, free = (part and float(part) for part in one.groups())
    return Figures(total, alloc, free, mean)


def read_table(path=TABLE):
    rows = []
    for nr, (section, name, state, *cells) in records(path, 3 + NR_KERNELS):
        try:
            figures = [parse_cell(cell) for cell in cells]
        except TableError as error:
            raise TableError(f"{path}:{nr}: {error}") from error
        rows.append(Row(section, name, state, figures[ANCHOR]))
    return rows


def read_budgets(path=BUDGETS):
    return [Budget(float(least), float(most), name)
            for _, (least, most, name) in records(path, 3)]


# ---- the kernel's side --------------------------------------------------------------------------


def matcher(patterns):
    """Does a name match one of these globs?  As the kernel's: * and ? only, '|' between globs."""
    if not patterns:
        return lambda name: True
    expressions = [re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
                   for glob in patterns.split("|")]
    return lambda name: any(re.fullmatch(e, name) for e in expressions)


def widen(text):
    """FILTER as globs: a text without any stands for the names that contain it."""
    if not text:
        return ""
    return "|".join(p if re.search(r"[*?]", p) else f"*{p}*" for p in text.split("|"))


def measure(kernel, patterns, name="bench"):
    """The log of a boot that measures these rows and the calibration, and how it ended."""
    wanted = f"{CALIBRATION}|{patterns}" if patterns else "*"
    machine = run_qemu.Machine(kernel=str(kernel), mem=MEM, smp=1, icount=ICOUNT, name=name,
                               append=f'loglevel=4 bench="{wanted}"')
    outcome = run_qemu.boot(machine, SECONDS)
    run_qemu.log_path(machine, ".log").write_text(outcome.log, encoding="utf-8")
    return outcome.log, outcome.end


def parse_log(log):
    """({row: Figures}, problems) of what the kernel printed."""
    measured, problems = {}, []
    for line in log.split("\n"):
        m = re.fullmatch(r'bench row="([^"]*)" (.*)', line)
        if not m:
            continue
        name, rest = m.groups()
        error = re.fullmatch(r'error="(.*)"', rest)
        if error:
            problems.append(f"{name}: {error[1]}")
            continue
        if name in measured:
            problems.append(f"{name}: measured twice")
        value = {key: float(text) for key, text in re.findall(r"(\w+)=([\d.]+)", rest)}
        measured[name] = Figures(value["pair"] if "pair" in value else value["cost"],
                                 value.get("alloc"), value.get("free"), value.get("mean"),
                                 each="batches" in value)
    if not re.search(r"^bench done rows=\d+ errors=\d+$", log, re.M):
        problems.append("the run did not come to its end")
    return measured, problems


# ---- the verdict --------------------------------------------------------------------------------


def row_problems(rows, measured, selected, config):
    """Rows that only one side has."""
    state = {row.name: row.state for row in rows}
    for row in rows:
        due = row.state == HERE or row.state in config.split()
        if due and selected(row.name) and row.name not in measured:
            yield f"{row.name}: the kernel did not measure it"
    for name in measured:
        if name not in state:
            yield f"{name}: not in {TABLE.name}"
        elif state[name] == LATER:
            yield f"{name}: {TABLE.name} says that it comes later, but here it is"
    for name in sorted({row.name for row in rows if [r.name for r in rows].count(row.name) > 1}):
        yield f"{name}: twice in {TABLE.name}"


def budget_problems(budgets, rows, measured, selected):
    """Budgets that do not hold, or cannot be judged."""
    known = {row.name for row in rows}
    for budget in budgets:
        if budget.name not in known:
            yield f"{budget.name}: has a budget, but is not in {TABLE.name}"
        elif budget.name not in measured:
            if selected(budget.name):
                yield f"{budget.name}: has a budget, but was not measured"
        elif not budget.least <= measured[budget.name].total <= budget.most:
            yield (f"{budget.name}: reads {number(measured[budget.name].total)}, "
                   f"must be {bounds(budget)}")


def bounds(budget):
    if budget.least == budget.most:
        return f"exactly {number(budget.most)}"
    return f"at most {number(budget.most)}" if not budget.least else \
        f"{number(budget.least)} to {number(budget.most)}"


def judge(rows, budgets, log, patterns="", config=""):
    """({row: Figures}, problems); @config is what the kernel was built with."""
    selected = matcher(f"{CALIBRATION}|{patterns}" if patterns else "")
    measured, problems = parse_log(log)
    problems += row_problems(rows, measured, selected, config)
    problems += [p for p in budget_problems(budgets, rows, measured, selected) if p not in problems]
    return measured, problems


# ---- what is printed ----------------------------------------------------------------------------


def table_lines(rows, budgets, measured, selected):
    """The joined table, one string a line."""
    budget = {b.name: b for b in budgets}
    section = None
    yield f"{'guest instructions':<58}{'Quarry':<32}{'Linux, lean UP SLUB':<28}{'ratio':>5}"
    for row in rows:
        if not selected(row.name) or row.state == LATER:
            continue
        if row.section != section:
            section = row.section
            yield f"{section}"
        mine = measured.get(row.name)
        text = mine or ("-" if row.state == HERE else f"needs {row.state}")
        ratio = f"{mine.total / row.linux.total:.2f}" if mine else "-"
        note = f"  {bounds(budget[row.name])}" if row.name in budget else ""
        yield f"  {row.name:<56}{text!s:<32}{row.linux!s:<28}{ratio:>5}{note}"
    nr_later = sum(row.state == LATER and selected(row.name) for row in rows)
    if nr_later:
        yield f"and {nr_later} rows of Linux's whose functions this kernel does not have yet"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kernel", default=str(run_qemu.BUILD / "x86-gcc/quarry.elf"))
    parser.add_argument("--filter", default="", help="globs of rows, '|' between them")
    parser.add_argument("--config", default="", help="the CONFIG that the kernel was built with")
    parser.add_argument("--log", help="judge what a kernel printed, instead of booting one")
    args = parser.parse_args()
    patterns = widen(args.filter)
    try:
        rows, budgets = read_table(), read_budgets()
        if args.log:
            log, end = Path(args.log).read_text(encoding="utf-8"), run_qemu.End("poweroff")
        else:
            log, end = measure(args.kernel, patterns)
    except (TableError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    measured, problems = judge(rows, budgets, log, patterns, args.config)
    if end.kind != "poweroff":
        problems.append(f"the kernel: {end}")
    print("\n".join(table_lines(rows, budgets, measured, matcher(patterns))))
    print(f"{len(measured)} rows measured, {len(problems)} problems", flush=True)
    for problem in problems:
        print(f"bench: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
