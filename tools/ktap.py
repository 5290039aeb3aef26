"""Read a test log in KTAP and say what is wrong with it.

A log is one plan, then one result for each planned test, numbered from 1:

    KTAP version 1
    # not-applicable suite.third needs=highmem,ram>=64M
    1..2
    ok 1 suite.name_is_the_claim
    # seen errno -EINVAL split_page
    # suite.other: tests/x.c:33: expected 1, got 2
    not ok 2 suite.other
    # totals: pass=1 fail=1 not-applicable=1

Lines that are none of these (boot messages, output under test) are skipped.  A line `# seen ...`
belongs to the result above it; any other diagnostic to the next `not ok`.
"""

import dataclasses
import re

VERSION = re.compile(r"KTAP version 1$")
PLAN = re.compile(r"1\.\.(\d+)$")
RESULT = re.compile(r"(not )?ok (\d+) (?:- )?(\S+)( # SKIP.*)?$")
NOT_APPLICABLE = re.compile(r"# not-applicable (\S+) needs=(\S+)$")
TOTALS = re.compile(r"# totals: pass=(\d+) fail=(\d+) not-applicable=(\d+)$")
SEEN = re.compile(r"# seen (.+)$")
PANIC = re.compile(r"panic: ")


@dataclasses.dataclass
class Result:
    """One test's verdict."""

    number: int
    name: str
    passed: bool
    diagnostics: list
    seen: list
    skipped: bool = False
    line: int = 0       # of the log, from 0


@dataclasses.dataclass
class Report:
    """What a log says."""

    versions: int = 0
    plans: list = dataclasses.field(default_factory=list)
    plan_line: int = 0
    results: list = dataclasses.field(default_factory=list)
    not_applicable: dict = dataclasses.field(default_factory=dict)
    totals: list = dataclasses.field(default_factory=list)
    seen: list = dataclasses.field(default_factory=list)    # before the first result
    panics: list = dataclasses.field(default_factory=list)

    @property
    def passed(self):
        return sum(r.passed for r in self.results)

    @property
    def failed(self):
        return len(self.results) - self.passed


def parse(text):
    """The Report of a log."""
    report, pending = Report(), []
    for number, raw in enumerate(text.split("\n")):
        line = raw.rstrip()
        if PANIC.match(line):
            report.panics.append(line)
        elif VERSION.match(line):
            report.versions += 1
        elif found := PLAN.match(line):
            report.plans.append(int(found[1]))
            report.plan_line = number
        elif found := RESULT.match(line):
            passed = not found[1] and not found[4]
            report.results.append(Result(int(found[2]), found[3], passed,
                                         [] if passed else pending, [], bool(found[4]),
                                         number))
            pending = []
        elif found := NOT_APPLICABLE.match(line):
            report.not_applicable[found[1]] = found[2]
        elif found := TOTALS.match(line):
            report.totals.append(tuple(int(n) for n in found.groups()))
        elif found := SEEN.match(line):
            (report.results[-1].seen if report.results else report.seen).append(found[1])
        elif line.startswith("# "):
            pending.append(line[2:])
    return report


def durations(report, line_times):
    """{test: seconds} from when each line of the log ended."""
    found, last = {}, report.plan_line
    for result in report.results:
        if result.line < len(line_times):
            found[result.name] = line_times[result.line] - line_times[last]
        last = result.line
    return found


def problems(report, totals_due=True):
    """What makes the log as a whole untrustworthy; failed tests are not among it."""
    found = [f"panic in the log: {line}" for line in report.panics]
    if not report.plans:
        return found + ["no plan: the tests did not start"]
    if report.versions != 1 or len(report.plans) != 1:
        found.append(f"{report.versions} KTAP headers and {len(report.plans)} plans, not 1 each")
    planned, numbers = report.plans[0], [r.number for r in report.results]
    if len(numbers) != planned:
        found.append(f"{planned} tests planned, {len(numbers)} reported")
    elif numbers != list(range(1, planned + 1)):
        found.append(f"test numbers are not 1..{planned}: {numbers}")
    names = [r.name for r in report.results]
    found += [f"{name} is reported twice" for name in sorted({n for n in names
                                                             if names.count(n) > 1})]
    found += [f"{name} ran and is not applicable" for name in sorted(set(names)
                                                                    & set(report.not_applicable))]
    if totals_due:
        expected = [(report.passed, report.failed, len(report.not_applicable))]
        if report.totals != expected:
            found.append(f"totals are {report.totals or 'missing'}, counted were {expected}")
    return found
