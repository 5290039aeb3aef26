#!/usr/bin/python3
"""Run the tests: host programs, pytest files, and the boot rows of tests/tests.cfg.

`make test` and `make test-long` call this once everything is built.  Each of those is a job; as
many run at once as there are CPUs.  A job's tests are counted one by one; whatever else is wrong
with a job (it panicked, hung, did not start, said less than it promised) counts as one more failed
test.  Printed are a line for each job, the failures with the ends of their logs, and last, alone on
a line, "N passed, N failed".  The exit status is 0 only if nothing failed and something passed.

Everything the jobs said goes to build/logs: JOB.log, and results.json:

    {"complete": true, "jobs": {"16M-pc-direct-pentium3": {"kind": "matrix", "seconds": 3.1,
      "append": "...", "problems": [], "seen": ["option seed="], "not_applicable": {"a.b": "pge"},
      "tests": {"suite.name": {"passed": true, "seconds": 0.02, "seen": ["gfp __GFP_DMA"],
        "diagnostics": []}}}}}

FILTER selects jobs by glob or part of the name; if no job has such a name it is taken for the name
of tests inside the kernel, and every row runs just those.
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import fnmatch
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as xml
from pathlib import Path

import e820map
import fuzz
import ktap
import qhosted
import run_qemu
import walks
from run_bochs import boot_bochs
from run_qemu import (BUILD, ROOT, Console, Machine, MachineEnded, StartError, boot,
                      module_files)
from testrows import MAPS, Config, ConfigError, merge_words

PYTHON = "/usr/bin/python3"
FUZZ_SECONDS = 2        # of new inputs for each fuzzing program
FUZZ_SEED = 1
HOST_TIMEOUT = 300.0    # seconds for one host program
PYTEST_TIMEOUT = 300.0  # and for one pytest file
LOG_TAIL = 25           # lines of a failed job's log that are shown
SLOWEST = 10            # tests inside the kernel that the summary names
KERNEL_TIMEOUT = 600.0  # seconds for building a kernel of another configuration
EXPECTED_END = {True: "poweroff", False: "tests-failed"}    # have all tests passed?


@dataclasses.dataclass
class Test:
    """One test's verdict."""

    name: str
    passed: bool
    diagnostics: list = dataclasses.field(default_factory=list)
    seen: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Verdict:
    """What came of a job."""

    tests: list = dataclasses.field(default_factory=list)
    problems: list = dataclasses.field(default_factory=list)
    not_applicable: dict = dataclasses.field(default_factory=dict)
    seen: list = dataclasses.field(default_factory=list)
    walks: list = dataclasses.field(default_factory=list)   # lines on random tests that failed
    log: str = ""
    seconds: float = 0.0
    durations: dict = dataclasses.field(default_factory=dict)

    @property
    def passed(self):
        return sum(t.passed for t in self.tests)

    @property
    def failed(self):
        return len(self.tests) - self.passed + bool(self.problems)


# ---- judging ------------------------------------------------------------------------------------


def ktap_verdict(report):
    tests = [Test(r.name, r.passed, r.diagnostics + (["it was skipped"] if r.skipped else []),
                  r.seen) for r in report.results]
    return Verdict(tests=tests, not_applicable=report.not_applicable, seen=report.seen)


def judge_patterns(row, log):
    """The row's expect and forbid lines as tests."""
    lines = log.splitlines()
    tests = []
    for key, wanted in (("expect", True), ("forbid", False)):
        for pattern in row.lines(key):
            found = any(re.search(pattern, line) for line in lines)
            why = [] if found == wanted else [
                f"{'no' if wanted else 'a'} line of the log matches: {pattern}"]
            tests.append(Test(f"{key}: {pattern}", found == wanted, why))
    return tests


def fnv1a(data):
    """32-bit FNV-1a, the checksum that the kernel prints of each boot module."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def judge_modules(row, log):
    """The kernel must have read each boot module as it is in its file."""
    tests = []
    for path, _ in module_files(row.machine):
        data = path.read_bytes()
        line = (rf"module {re.escape(path.name)}: {len(data)} bytes at \S+, "
                rf"checksum {fnv1a(data):08x}")
        found = re.search(rf"^{line}$", log, re.M)
        tests.append(Test(f"module {path.name} is read as it is", bool(found),
                          [] if found else [f"no line of the log matches: {line}"]))
    return tests


def judge_row(row, outcome):
    """Everything that a boot must have done, whatever kind of row it was."""
    report = ktap.parse(outcome.log)
    verdict = ktap_verdict(report)
    verdict.log, verdict.seconds = outcome.log, outcome.seconds
    verdict.durations = ktap.durations(report, outcome.line_times)
    if row.must_panic:
        judge_death(row, outcome, report, verdict)
    else:
        judge_tests(row, outcome, report, verdict)
    return verdict


def judge_death(row, outcome, report, verdict):
    """A panic was due, and its reason had to be named."""
    patterns = judge_patterns(row, outcome.log)
    why = [line for test in patterns for line in test.diagnostics]
    if outcome.end.kind != "panic":
        why.append(f"a panic was due: {outcome.end}")
    if not report.panics:
        why.append("no line starts with 'panic: '")
    name = f"death.{row.name.removeprefix('death-')}" if row.kind == "death" else "panic is due"
    verdict.tests = [Test(name, not why, why)]
    if outcome.end.kind == "no-start":
        verdict.problems = [str(outcome.end)]


def judge_tests(row, outcome, report, verdict):
    all_passed = not report.failed
    if row.runs_tests:
        verdict.problems = ktap.problems(report)
        if not report.results and not (row.may_be_empty and report.not_applicable):
            verdict.problems.append("no test ran")
    else:
        verdict.problems = [f"panic in the log: {line}" for line in report.panics]
    if row.kind == "bochs":
        wanted = "poweroff"     # Bochs hands no exit code on: the totals must do
    else:
        wanted = EXPECTED_END[all_passed]
    if outcome.end.kind != wanted:
        verdict.problems.insert(0, str(outcome.end))
    if outcome.end.kind != "no-start":
        verdict.tests += judge_modules(row, outcome.log)
    verdict.tests += judge_patterns(row, outcome.log)


# ---- jobs ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Job:
    """Something to run, and how."""

    name: str
    kind: str
    run: object     # (stream) -> Verdict
    append: str = ""
    program: str = ""   # what make has to build first


def check_map(row):
    """Why the map of an e820 row must not be booted on its machine, or ''."""
    entries = e820map.read(ROOT / MAPS / row.keys["map"])
    usable = e820map.affordable(e820map.usable(entries))
    outside = e820map.subtract(usable, e820map.machine_ram(row.machine.machine, row.machine.mem))
    if outside:
        runs = ", ".join(f"{start:#x}-{end:#x}" for start, end in outside)
        return f"the map calls usable what the machine has no RAM for: {runs}"
    return ""


kernels = {}    # {build options: (path, log) of the kernel made with them; path "": it failed}
kernels_lock = threading.Lock()


def kernel_with(config):
    """(path, log) of the kernel with these build options besides those of `make test`."""
    with kernels_lock:
        if config not in kernels:
            base = os.environ.get("QUARRY_CONFIG", "").split()
            options = " ".join(merge_words(base, config.split()))
            status, text, _ = run_program(
                [*make_argv(), f"-j{os.cpu_count()}", f"CC={os.environ.get('QUARRY_CC', 'gcc')}",
                 f"CONFIG={options}", "print-kernel"], KERNEL_TIMEOUT, env=make_env())
            lines = text.splitlines()
            kernels[config] = (str(ROOT / lines[-1]) if status == 0 and lines else "", text)
        return kernels[config]


def row_with_its_kernel(row):
    """(the row, with the kernel that its build options ask for; None, or the log of a failure)"""
    if not row.config:
        return row, None
    path, text = kernel_with(row.config)
    machine = dataclasses.replace(row.machine, kernel=path)
    return dataclasses.replace(row, machine=machine), None if path else text


def with_walks(row, verdict):
    """The verdict, with what the random tests that failed need for it."""
    if verdict.failed and not row.must_panic:
        verdict.walks = walks.explain(row, verdict.log, build_host_programs, run_program)
    return verdict


def row_job(row):
    def run(stream):
        configured, failure = row_with_its_kernel(row)
        if failure is not None:
            return Verdict(problems=[f"the kernel with {row.config} was not built"], log=failure)
        if row.kind == "e820":
            try:
                wrong = check_map(row)
            except (OSError, ValueError) as error:
                wrong = f"map {row.keys['map']}: {error}"
            if wrong:
                return Verdict(problems=[wrong])
        booted = boot_bochs if row.kind == "bochs" else boot
        arguments = (configured.machine, row.timeout) + (() if row.kind == "bochs" else (stream,))
        return with_walks(configured, judge_row(configured, booted(*arguments)))
    return Job(row.name, row.kind, run, row.machine.append)


def run_program(argv, timeout, **more):
    """(exit status or None on timeout, output, seconds)"""
    started = time.monotonic()
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout, check=False, cwd=ROOT,
                              **more)
        status, raw = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, raw = None, late.stdout or b""
    except OSError as error:
        status, raw = 127, str(error).encode()
    return status, raw.decode("utf-8", "replace"), time.monotonic() - started


def status_problem(status, timeout, fine):
    if status is None:
        return [f"hang: no end after {timeout:g} s"]
    if status not in fine:
        return [f"killed by signal {-status}" if status < 0 else f"exit status {status}"]
    return []


def host_job(path):
    """A host program that reports in KTAP."""
    def run(stream):
        status, text, seconds = run_program([str(ROOT / path)], HOST_TIMEOUT)
        stream(text)
        report = ktap.parse(text)
        verdict = ktap_verdict(report)
        verdict.log, verdict.seconds = text, seconds
        verdict.problems = ktap.problems(report, totals_due=False)
        verdict.problems += status_problem(status, HOST_TIMEOUT, (1,) if report.failed else (0,))
        if not report.results:
            verdict.problems.append("no test ran")
        return verdict
    return Job(f"host-{Path(path).name}", "host", run, program=path)


def fuzz_job(path):
    """A fuzzing program on its corpus, then on new inputs for a moment, the same ones each time."""
    def run(stream):
        with tempfile.TemporaryDirectory() as fresh:
            outcome = fuzz.fuzz(str(ROOT / path), FUZZ_SECONDS, FUZZ_SEED, Path(fresh))
        stream(outcome.log)
        corpus = list((fuzz.CORPUS / outcome.name).iterdir())
        why = [outcome.failure, *outcome.steps.splitlines()] if outcome.failure else []
        return Verdict(log=outcome.log, seconds=outcome.seconds, tests=[
            Test(f"fuzz.{outcome.name}_finds_nothing", not why, why),
            Test(f"fuzz.{outcome.name}_has_a_corpus", bool(corpus))])
    return Job(Path(path).name, "fuzz", run, program=path)


def hosted_job(row):
    """The kernel in a process."""
    def run(stream):
        outcome = qhosted.run_hosted(row, run_program)
        stream(outcome.log)
        return with_walks(row, judge_row(row, outcome))
    return Job(row.name, row.kind, run, row.append, row.program)


def crimes_job(variant, rows):
    """Every crime that can be committed in a process, one after the other."""
    def run(stream):
        verdict = Verdict()
        for row in rows:
            one = judge_row(row, qhosted.run_hosted(row, run_program))
            why = [line for test in one.tests for line in test.diagnostics] + one.problems
            verdict.tests.append(Test(row.name, not why, why))
            verdict.log += f"{row.name}: {row.append}\n{one.log}"
            verdict.seconds += one.seconds
        stream(verdict.log)
        return verdict
    return Job(f"hosted-crimes-{variant}", "hosted", run, program=qhosted.program_of(variant))


def hosted_jobs(long):
    return [hosted_job(row) for row in qhosted.hosted_rows(long)] + \
        [crimes_job(variant, rows) for variant, rows in qhosted.crime_rows(long).items()]


def junit_tests(path):
    """The tests in pytest's XML report; a skipped test did not run, which is a failure."""
    tests = []
    for case in xml.parse(path).getroot().iter("testcase"):
        bad = [child for child in case if child.tag in ("failure", "error", "skipped")]
        why = [f"{child.tag}: {child.get('message', '')}"[:300] for child in bad]
        module = case.get("classname", "").rsplit(".", maxsplit=1)[-1]
        tests.append(Test(f"{module}.{case.get('name')}", not bad, why))
    return tests


def program_named_in(path):
    """What a pytest file runs, BUILD / "host/NAME" or "hosted/NAME" in its text, or ""."""
    named = re.search(r'BUILD / "(host(?:ed)?/[\w-]+)"', path.read_text(encoding="utf-8"))
    return str(BUILD / named[1]) if named else ""


def pytest_job(path, kernel, long=False):
    name = "pytest-" + str(path.relative_to(ROOT / "tests").with_suffix("")).replace("/", "-")

    def run(stream):
        report = BUILD / "logs" / f"{name}.xml"
        report.unlink(missing_ok=True)
        status, text, seconds = run_program(
            [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}",
             str(path)], PYTEST_TIMEOUT, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1",
                                  "QUARRY_KERNEL": kernel,
                                  "QUARRY_LONG": "1" if long else ""})
        stream(text)
        verdict = Verdict(log=text, seconds=seconds)
        if report.exists():
            verdict.tests = junit_tests(report)
        failed = any(not test.passed for test in verdict.tests)
        verdict.problems = status_problem(status, PYTEST_TIMEOUT, (0, 1) if failed else (0,))
        if not verdict.tests:
            verdict.problems.append("no test ran")
        return verdict
    return Job(name, "pytest", run, program=program_named_in(path))


def host_programs(which="host-tests"):
    """Paths of the host test programs; of the fuzzing programs: "fuzz-programs"."""
    listed = subprocess.run([*make_argv(), f"print-{which}"], cwd=ROOT,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                            check=False, env=make_env())
    if listed.returncode:
        raise ConfigError(f"make print-{which} failed")
    return listed.stdout.split()


def build_host_programs(paths):
    """Make them all; what cannot be made then fails as a job that does not start."""
    if paths:
        targets = [make_target(path) for path in paths]
        subprocess.run([*make_argv(), "-k", f"-j{os.cpu_count()}", *targets], cwd=ROOT, check=False,
                       stdin=subprocess.DEVNULL, stdout=sys.stderr, env=make_env())


def make_target(path):
    """What make calls the file at @path: its name begins with BUILD, as make_argv() gives that."""
    path = ROOT / path
    return str(path.relative_to(ROOT) if BUILD.is_relative_to(ROOT) else path)


def make_argv():
    argv = ["make", "-s", "--no-print-directory"]
    build = BUILD.relative_to(ROOT) if BUILD.is_relative_to(ROOT) else BUILD
    return argv if BUILD == ROOT / "build" else [*argv, f"BUILD={build}"]


def make_env():
    """Without what an outer make says of itself: its job server is not open to us."""
    return {key: value for key, value in os.environ.items()
            if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}


def pytest_files():
    return sorted((ROOT / "tests").glob("**/test_*.py"))


def kernel_tests(kernel):
    """[(name, needs)] of the tests inside the kernel, as it lists them itself."""
    try:
        with Console(Machine(kernel=kernel, mem="64M", name="list")) as console:
            text = console.command("test list")
            console.poweroff()
    except (StartError, MachineEnded) as error:
        raise ConfigError(f"cannot ask the kernel for its tests: {error}") from error
    return re.findall(r"^# test (\S+)(?: needs=(\S*))?$", text, re.M)


# ---- selection ----------------------------------------------------------------------------------


def name_matches(name, pattern):
    return fnmatch.fnmatchcase(name, pattern) or pattern in name


def test_pattern(pattern):
    """FILTER as the kernel's globs."""
    return pattern if re.search(r"[*?,]", pattern) else f"*{pattern}*"


def choose_jobs(config, args):
    """(jobs, is this everything?)"""
    host = [host_job(path) for path in host_programs()] + hosted_jobs(args.long)
    host += [fuzz_job(path) for path in host_programs("fuzz-programs")]
    host += [pytest_job(path, config.kernel, args.long) for path in pytest_files()]
    rows = [row_job(row) for row in config.rows(args.long)]
    if not args.filter:
        return host + rows, True
    chosen = [job for job in host + rows if name_matches(job.name, args.filter)]
    if chosen:
        return chosen, False
    pattern = test_pattern(args.filter)
    if not any(fnmatch.fnmatchcase(name, glob) for name, _ in kernel_tests(config.kernel)
               for glob in pattern.split(",")):
        return [], False
    selected = config.rows(args.long, tests=pattern)
    hosted = [row for row in qhosted.hosted_rows(args.long, tests=pattern)
              if not row.lines("expect")]
    return [hosted_job(row) for row in hosted] + \
        [row_job(row) for row in selected if row.runs_tests and not row.lines("expect")], False


def nowhere_applicable(verdicts, long):
    """Tests that were selected and ran in no job, although this run is one where they should."""
    ran = {test.name for verdict in verdicts.values() for test in verdict.tests}
    left_out = {}
    for verdict in verdicts.values():
        left_out.update(verdict.not_applicable)
    return {name: needs for name, needs in sorted(left_out.items())
            if name not in ran and (long or "long" not in needs.split(","))}


# ---- running and printing -----------------------------------------------------------------------


class Printer:
    """The lines on standard output, one job at a time."""

    def __init__(self, verbose, width):
        self.verbose, self.width = verbose, width
        self.lock = threading.Lock()

    def stream(self, name):
        """A sink for a job's output: silent, or with the job's name before each line."""
        if not self.verbose:
            return lambda text: None
        rest = ""

        def write(text):
            nonlocal rest
            *lines, rest = (rest + text).split("\n")
            with self.lock:
                for line in lines:
                    print(f"{name}| {line}")
        return write

    def verdict(self, name, verdict, log_file):
        state = "FAIL" if verdict.failed else "ok"
        with self.lock:
            print(f"{state:4}  {name:{self.width}}  {verdict.passed:4} passed {verdict.failed:3} "
                  f"failed {len(verdict.not_applicable):3} n/a {verdict.seconds:6.1f} s")
            for note in re.findall(r"^# note: (.*)$", verdict.log, re.M):
                print(f"      note: {note}")
            for problem in verdict.problems:
                print(f"      {problem}")
            for test in verdict.tests:
                if not test.passed:
                    print(f"      not ok {test.name}")
                    for line in test.diagnostics:
                        print(f"        {line}")
            for line in verdict.walks:
                print(f"      {line}")
            if verdict.failed and verdict.log:
                print(f"      the end of {log_file}:")
                for line in verdict.log.splitlines()[-LOG_TAIL:]:
                    print(f"      | {line}")
            sys.stdout.flush()


def run_job(job, printer):
    try:
        verdict = job.run(printer.stream(job.name))
    except Exception as error:      # a fault of the runner must not pass for a good row
        verdict = Verdict(problems=[f"the runner failed: {type(error).__name__}: {error}"])
    log_file = BUILD / "logs" / f"{job.name}.log"
    log_file.write_text(verdict.log)
    printer.verdict(job.name, verdict, log_file.relative_to(ROOT) if
                    log_file.is_relative_to(ROOT) else log_file)
    return verdict


def run_jobs(jobs, verbose):
    """{name: Verdict}; the slow kinds first, so that no long one is left for the end."""
    printer = Printer(verbose, max(len(job.name) for job in jobs))
    first = {"pytest": 0, "host": 1, "bochs": 0}
    ordered = sorted(jobs, key=lambda job: first.get(job.kind, 2))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        futures = {job.name: pool.submit(run_job, job, printer) for job in ordered}
        try:
            return {name: future.result() for name, future in futures.items()}
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(run_qemu.running):
                process.kill()
            raise


def write_results(jobs, verdicts, complete):
    kinds = {job.name: job for job in jobs}
    found = {}
    for name, verdict in verdicts.items():
        found[name] = {
            "kind": kinds[name].kind, "append": kinds[name].append,
            "seconds": round(verdict.seconds, 2), "problems": verdict.problems,
            "seen": verdict.seen, "not_applicable": verdict.not_applicable,
            "tests": {test.name: {"passed": test.passed, "seen": test.seen,
                                  "seconds": round(verdict.durations.get(test.name, 0), 3),
                                  "diagnostics": test.diagnostics} for test in verdict.tests}}
    (BUILD / "logs/results.json").write_text(
        json.dumps({"complete": complete, "jobs": found}, indent=1) + "\n")


def print_slowest(verdicts):
    """The tests inside the kernel that took longest over all rows: where to save time."""
    total = collections.Counter()
    for verdict in verdicts.values():
        total.update(verdict.durations)
    for name, seconds in total.most_common(SLOWEST):
        if seconds >= 1:
            print(f"{seconds:7.1f} s  {name}")


def summary(verdicts, seconds, missing):
    """Print the end of the run; did all go well?"""
    print_slowest(verdicts)
    for name, needs in missing.items():
        print(f"not ok {name}: it applied to no row (needs {needs})")
    passed = sum(verdict.passed for verdict in verdicts.values())
    failed = sum(verdict.failed for verdict in verdicts.values()) + len(missing)
    bad = [name for name, verdict in verdicts.items() if verdict.failed]
    print(f"{len(verdicts)} jobs in {seconds:.0f} s" +
          (f"; failed: {' '.join(bad)}" if bad else ""))
    print(f"{passed} passed, {failed} failed", flush=True)
    return passed > 0 and failed == 0


# ---- verbs --------------------------------------------------------------------------------------


def list_all(config, args):
    """LIST=1: jobs, and the kernel's tests as the kernel itself names them."""
    for path in host_programs():
        print(f"host    {Path(path).name}")
    for path in host_programs("fuzz-programs"):
        print(f"fuzz    {Path(path).name}")
    for job in hosted_jobs(args.long):
        print(f"hosted  {job.name}: {job.append}")
    for path in pytest_files():
        print(f"pytest  {path.relative_to(ROOT)}")
    for row in config.rows(args.long):
        print(f"{row.kind:7} {row.name}: {row.machine.append}")
    for name, needs in kernel_tests(config.kernel):
        print(f"test    {name}" + (f" needs={needs}" if needs else ""))
    return True


def run_all(config, args):
    started = time.monotonic()
    (BUILD / "logs").mkdir(parents=True, exist_ok=True)
    jobs, complete = choose_jobs(config, args)
    if not jobs:
        print(f"qtest: nothing is called {args.filter}", file=sys.stderr)
        print("0 passed, 0 failed")
        return False
    build_host_programs([job.program for job in jobs if job.program])
    verdicts = run_jobs(jobs, args.verbose)
    write_results(jobs, verdicts, complete)
    missing = nowhere_applicable(verdicts, args.long) if complete else {}
    return summary(verdicts, time.monotonic() - started, missing)


def main():
    parser = argparse.ArgumentParser(description="Run the tests.")
    parser.add_argument("--kernel", default=str(BUILD / "x86-gcc/quarry.elf"))
    parser.add_argument("--long", action="store_true", help="make test-long")
    parser.add_argument("--filter", default="")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--list", action="store_true")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        config = Config(args.kernel)
        return 0 if (list_all if args.list else run_all)(config, args) else 1
    except ConfigError as error:
        print(f"qtest: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
