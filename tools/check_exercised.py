#!/usr/bin/python3
"""check_exercised.py - the list of what no test exercises, which must be empty.

FUNCTIONS.  The test sources are compiled with -O1 -fno-inline, and their symbol tables are read.  A
public extern function counts when a test object refers to it.  A public inline function counts when
a test object holds a copy of it: with -fno-inline a used static inline function becomes a local
symbol and a call, and -O1 drops it when nothing reaches it, so the copy is there if and only if a
test reaches the function by calls.  That is what coverage would say of code without branches, and
it needs no second kernel.  Macros are not functions and are not counted.

Some functions cannot be called by a test: they run once at boot, or end the machine.  The table
below maps those to a test that fails without them, and a boot under QEMU's eyes (qtrace.py) shows
that they are entered.

FLAGS, OPTIONS, ERRORS.  tests/exercised.tsv maps each to a test; the test's run is the evidence:

    gfp       __GFP_DMA          suite.test  JOB   "# seen gfp ... __GFP_DMA ..." after the test
    option    seed               suite.test  JOB   "cmdline: seed=1" in the log, or the test
                                                   is what the setting row expects
    error     -EINVAL parse_u64  suite.test  JOB   "# seen errno -EINVAL parse_u64" after it
    function  mm_init            suite.test  JOB   entered when the row JOB is booted once more
    function  port_reboot        file.test   typed COMMAND; COMMAND   entered when they are typed

JOB is a glob on the names that `make test LIST=1` prints ("typed ...": any job).  The test must
have passed in a job that shows the evidence.  A combination such as GFP_KERNEL is seen when one
mask held all of its flags; as others may hold them too, the test's source must also name it, which
is asked of each flag.

What has to be mapped is read from the sources: every __GFP_* and GFP_* of gfp.h that is flags,
every entry of a `struct boot_option` table, every -Exxx after "Return:" in a public docstring (and
those of f() where it says "as f()").

Results come from build/logs, which `make test` leaves.  Jobs whose results are missing there, or
older than the kernel, are run here.

usage: check_exercised.py --kernel ELF --build DIR --logs DIR --cc COMMAND --sources FILE...
"""
import argparse
import collections
import contextlib
import fnmatch
import io
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

TABLE = "tests/exercised.tsv"
KINDS = ("gfp", "option", "error", "function")
TYPED = "typed "        # what a function row has in place of a job when monitor commands are due
TYPED_MEM = "64M"       # of the machine that they are typed to
TYPED_SECONDS = 60
# Macros of gfp.h that are no flags: bounds, masks and times.
NO_FLAGS = {"__GFP_BITS", "__GFP_ALL", "GFP_PLACE_MASK", "GFP_REPEAT_ROUNDS", "GFP_WAIT_MS"}


# Defined nowhere, so that a call of it does not link: tests/tools/test_kmalloc_link.py proves it.
NEVER_LINKED = {"__you_cannot_kmalloc_that_much"}


# ---- what there is ------------------------------------------------------------------------------


def public_headers(root):
    paths = csource.files(root, ".h", under=("include/quarry", "arch/x86/include/quarry"))
    return [csource.load(root, p) for p in paths]


def public_functions(root):
    """({extern name: where}, {inline name: where})"""
    extern, inline = {}, {}
    for src in public_headers(root):
        for p in src.prototypes():
            if not p.static and p.name not in NEVER_LINKED:
                extern[p.name] = f"{src.path}:{p.line}"
        for f in src.functions():
            if f.static:
                inline[f.name] = f"{src.path}:{f.line}"
    return extern, inline


def gfp_items(root):
    """{name: (where, set of __GFP_* it stands for)}"""
    src = csource.load(root, "include/quarry/gfp.h")
    value, where = {}, {}
    for nr, line in enumerate(src.code_lines, 1):
        m = re.match(r"#define\s+((?:__)?GFP_\w+)\s+(.*)", line)
        if m and m.group(1) not in NO_FLAGS:
            value[m.group(1)] = m.group(2)
            where[m.group(1)] = f"{src.path}:{nr}"

    def bits(name):
        if re.fullmatch(r"0x[0-9a-fA-F]+u?", value[name].strip()):
            return {name}
        return set().union(*(bits(n) for n in re.findall(r"\b(?:__)?GFP_\w+", value[name])), set())
    return {name: (where[name], bits(name)) for name in value}


def option_items(root):
    """{name: where} of all entries of the boot option tables."""
    found = {}
    for path in csource.files(root, ".c", under=("mm", "arch", "kernel", "lib", "boot")):
        src = csource.load(root, path)
        for m in re.finditer(r"struct boot_option \w+\[[^\]]*\]\s*=\s*\{(.*?)\n\};",
                             src.text, re.S):
            for entry in re.finditer(r'\{\s*(?:\.name\s*=\s*)?"([^"]+)"', m.group(1)):
                line = src.text.count("\n", 0, m.start(1) + entry.start()) + 1
                found[entry.group(1)] = f"{path}:{line}"
    return found


def error_items(root):
    """{"-EINVAL parse_u64": where} of all errors that public docstrings promise."""
    promised = {}       # function -> (where, errors, function whose promises it shares)
    for src in public_headers(root):
        for c in src.comments:
            text = re.sub(r"^\s*(/\*\*|\*/|\*)\s?", "", c.text, flags=re.M)
            head = re.match(r"\s*([\w, ]+?) - (?=\S)", text)
            field = re.search(r"^\s*Return:(.*?)(?=^\s*(?:Owner|Context|Cost|Post):|\n\s*\n|\Z)",
                              text, re.M | re.S)
            if not c.text.startswith("/**") or not head or not field:
                continue
            for name in re.split(r",\s*", head.group(1)):
                other = re.search(r"\bas (\w+)\(\)", field.group(1))
                promised[name] = (f"{src.path}:{c.line}",
                                  set(re.findall(r"-E[A-Z0-9]{2,}\b", field.group(1))),
                                  other and other.group(1))
    return {f"{error} {name}": where for name, (where, errors, other) in promised.items()
            for error in errors | (promised[other][1] if other in promised else set())}


# ---- functions ----------------------------------------------------------------------------------


def compile_tests(cc, sources, build):
    """Objects of @sources in @build."""
    def one(path):
        target = os.path.join(build, path.replace("/", "_") + ".o")
        subprocess.run([*shlex.split(cc), "-O1", "-fno-inline", "-D__always_inline=", "-w", "-c",
                        path, "-o", target], check=True)
        return target
    os.makedirs(build, exist_ok=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(one, sources))


def referenced(objects):
    """Symbols that test objects refer to or hold a copy of."""
    names = set()
    if not objects:
        return names
    text = subprocess.run(["nm", *objects], capture_output=True, text=True, check=True).stdout
    for line in text.split("\n"):
        m = re.match(r"(?:[0-9a-f]+)?\s*([A-Za-z]) (\S+)$", line.strip())
        if m and m.group(1) in "Ut":
            # The compiler's copies with an argument folded in are called name.constprop.0.
            names.add(m.group(2).split(".")[0])
    return names


def function_gaps(root, names, mapped=()):
    """@mapped: functions that the table has evidence for, or a gap of its own."""
    extern, inline = public_functions(root)
    return [f"{where}: {name}: no test object refers to it"
            for name, where in sorted(extern.items()) if name not in {*names, *mapped}] + \
        [f"{where}: {name}: no test reaches this inline function"
         for name, where in sorted(inline.items()) if name not in names]


# ---- the table ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    kind: str
    item: str
    test: str
    job: str
    line: int


def parse_table(text):
    rows, problems = [], []
    for nr, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != 4 or fields[0] not in KINDS or not all(fields):
            problems.append(f"{TABLE}:{nr}: not kind, item, test, job between tabs")
            continue
        rows.append(Row(*fields, nr))
    return rows, problems


def test_sources(root):
    """{suite.test: text of the file it is in}"""
    found = {}
    for path in csource.files(root, ".c", under=("tests",)):
        text = csource.read(root, path)
        for m in re.finditer(r"^KTEST(?:_\w+)?\(\s*(\w+)\s*,\s*(\w+)", text, re.M):
            found[f"{m.group(1)}.{m.group(2)}"] = text
    return found


class Evidence:
    """What the jobs said: {job: {"tests": {...}, "log": text}}; {job column: functions entered}"""

    def __init__(self, jobs, entered=None):
        self.jobs, self.entered = jobs, entered or {}

    def of(self, row):
        """[(job name, test result)] of the jobs in which the row's test passed."""
        return [(name, job["tests"][row.test]) for name, job in self.jobs.items()
                if (row.job.startswith(TYPED) or fnmatch.fnmatchcase(name, row.job))
                and row.test in job["tests"] and job["tests"][row.test]["passed"]]

    def shows(self, row, gfp):
        return any(getattr(self, "shows_" + row.kind)(row, job, test, gfp)
                   for job, test in self.of(row))

    def shows_gfp(self, row, job, test, gfp):
        bits = gfp[row.item][1]
        for line in test["seen"]:
            words = set(re.split(r"[\s|]+", line.partition(" ")[2])) - {""}
            if line.startswith("gfp ") and bits <= words:
                if bits or not any(w.startswith("__GFP") for w in words):
                    return True
        return False

    def shows_option(self, row, job, test, gfp):
        option = rf"{re.escape(row.item)}(=|$)"
        boot = self.jobs[job]["log"].partition("\nKTAP version ")[0]   # tests parse lines, too
        said = any(re.match("cmdline: " + option, line) for line in boot.split("\n"))
        # A row's own pattern is about what the row sets; some options silence the log.
        own = row.test.startswith(("expect: ", "forbid: ")) and \
            any(re.match(option, word) for word in self.jobs[job].get("append", "").split())
        return said or own

    def shows_function(self, row, job, test, gfp):
        return row.item in self.entered.get(row.job, ())

    def shows_error(self, row, job, test, gfp):
        return f"errno {row.item}" in test["seen"]


def table_gaps(rows, items, gfp, sources, evidence):
    """items: {kind: {item: where}}"""
    gaps = []
    mapped = collections.defaultdict(list)
    for row in rows:
        mapped[row.kind, row.item].append(row)
        where = f"{TABLE}:{row.line}: {row.kind} {row.item}"
        if row.item not in items[row.kind]:
            gaps.append(f"{where}: there is no such thing")
        elif not evidence.of(row):
            gaps.append(f"{where}: {row.test} did not run and pass in a job {row.job}")
        elif not evidence.shows(row, gfp):
            gaps.append(f"{where}: {row.test} passed, but nothing in {row.job} shows it")
        elif row.kind == "gfp" and row.test in sources and \
                not re.search(rf"\b{row.item}\b", sources[row.test]):
            gaps.append(f"{where}: the source of {row.test} does not name it")
    for kind in ("gfp", "option", "error"):
        gaps += [f"{where}: {kind} {item}: {TABLE} names no test for it"
                 for item, where in sorted(items[kind].items()) if (kind, item) not in mapped]
    return gaps


# ---- results ------------------------------------------------------------------------------------


def kept_results(build, kernel):
    """The jobs of the last run of the tests, if they ran this kernel."""
    path = os.path.join(build, "logs/results.json")
    try:
        if os.path.getmtime(path) < os.path.getmtime(kernel):
            return {}
        with open(path, encoding="utf-8") as f:
            jobs = json.load(f)["jobs"]
    except (OSError, ValueError, KeyError):
        return {}
    for name, job in jobs.items():
        try:
            job["log"] = csource.read(build, f"logs/{name}.log")
        except OSError:
            job["log"] = ""
    return jobs


def run_missing(rows, jobs, kernel):
    """Run a job for each table row that has none among @jobs; adds to @jobs."""
    import qtest    # here, as it wants a machine to run on
    wanted = {}
    with contextlib.redirect_stdout(io.StringIO()) as said:
        args = argparse.Namespace(long=False, filter="")
        there, _ = qtest.choose_jobs(qtest.Config(kernel), args)
        for row in rows:
            # What is typed is tested by a pytest file: "file.test" is of the job "pytest-*file".
            job = f"pytest-*{row.test.split('.')[0]}" if row.job.startswith(TYPED) else row.job
            if any(fnmatch.fnmatchcase(n, job) for n in [*jobs, *wanted]):
                continue
            match = [j for j in there if fnmatch.fnmatchcase(j.name, job)]
            if match:
                wanted[match[0].name] = match[0]
        if wanted:
            (qtest.BUILD / "logs").mkdir(parents=True, exist_ok=True)
            if any(job.kind == "host" for job in wanted.values()):
                qtest.build_host_programs(qtest.host_programs())
            verdicts = qtest.run_jobs(list(wanted.values()), False)
            for name, v in verdicts.items():
                jobs[name] = {"log": v.log, "append": wanted[name].append, "tests": {
                    t.name: {"passed": t.passed, "seen": t.seen} for t in v.tests}}
    if wanted:
        print(f"note: ran {len(wanted)} jobs, whose results were missing or older than the kernel: "
              f"{' '.join(sorted(wanted))}")
    return said.getvalue()


def enter_functions(rows, kernel):
    """{job column: functions of its rows that a boot enters}"""
    import qtrace
    import run_qemu
    import testrows
    there = testrows.Config(kernel).rows(long=True)
    entered = {}
    for job in sorted({row.job for row in rows if row.kind == "function"}):
        functions = [row.item for row in rows if row.kind == "function" and row.job == job]
        if job.startswith(TYPED):
            machine = run_qemu.Machine(kernel, mem=TYPED_MEM, name="typed")
            commands = [c.strip() for c in job[len(TYPED):].split(";")]
            entered[job] = qtrace.entered(functions, machine, TYPED_SECONDS, commands)
        else:
            matches = [row for row in there if fnmatch.fnmatchcase(row.name, job)]
            entered[job] = qtrace.entered(functions, matches[0].machine, matches[0].timeout) \
                if matches else set()
    return entered


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=".")
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--cc", required=True)
    parser.add_argument("--sources", nargs="+", required=True)
    parser.add_argument("--logs", default="build", help="where logs/results.json is")
    args = parser.parse_args()

    rows, problems = parse_table(csource.read(args.root, TABLE))
    objects = compile_tests(args.cc, args.sources, args.build)
    problems += function_gaps(args.root, referenced(objects),
                              {row.item for row in rows if row.kind == "function"})
    gfp = gfp_items(args.root)
    items = {"gfp": {n: w for n, (w, _) in gfp.items()}, "option": option_items(args.root),
             "error": error_items(args.root), "function": public_functions(args.root)[0]}
    jobs = kept_results(args.logs, args.kernel)
    run_missing(rows, jobs, args.kernel)
    evidence = Evidence(jobs, enter_functions(rows, args.kernel))
    problems += table_gaps(rows, items, gfp, test_sources(args.root), evidence)
    return csource.report(problems)


if __name__ == "__main__":
    sys.exit(csource.run(main))
