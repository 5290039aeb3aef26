#!/usr/bin/python3
"""Judge mutants in the copy of the tree that this file lies in; tools/mutants.py starts it.

One request a line on standard input, one answer a line on standard output, both JSON:

    {"path": "mm/slab.c", "text": "..."}   ->  {"verdict": "killed", "judge": "64M", "why": "..."}

A verdict is one of no-compile, same-code, killed, survived, broken.  Before the first request the
unchanged tree is built and shown to every judge (--check); what a judge says of that is said as
{"verdict": "ready"} or {"verdict": "broken", "why": ...}.

A changed file is compiled in its place, so that the code is what make would make of it, by the
commands that `make -n` names for it; only its object and what is linked from it are made again.
What the kernel's compiler makes the same code of is no mutant.
"""
import argparse
import configparser
import dataclasses
import fnmatch
import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import qhosted
import qtest
import run_qemu
from run_qemu import BUILD, ROOT
from testrows import Config, ConfigError, merge_words

JUDGES = ROOT / "tests/mutants/judges.cfg"
KERNEL = "x86-gcc/quarry.elf"
OUTPUT_MAX = 64 << 20       # bytes: no honest run prints as much
WALL_FACTOR = 6             # times the processor time, for a run that waits or a busy host
BUILD_TIMEOUT = 1800
WHY_MAX = 200               # characters


def run_limited(argv, seconds, **more):
    """qtest.run_program() with a limit on processor time and on output."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))

    started, said = time.monotonic(), bytearray()
    try:
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, cwd=ROOT, preexec_fn=limit,
                              **more) as process:
            until = started + WALL_FACTOR * seconds
            status = read_all(process, said, until)
    except OSError as error:
        return 127, str(error), 0.0
    return status, said.decode("utf-8", "replace"), time.monotonic() - started


def read_all(process, said, until):
    """The exit status; None: it had to be stopped for its time or its output."""
    os.set_blocking(process.stdout.fileno(), False)
    while True:
        left = until - time.monotonic()
        ready = left > 0 and run_qemu.select.select([process.stdout], [], [], left)[0]
        piece = os.read(process.stdout.fileno(), 65536) if ready else None
        if piece == b"":
            status = process.wait()
            return None if status == -signal.SIGXCPU else status
        said += piece or b""
        if piece is None or len(said) > OUTPUT_MAX:
            process.kill()
            process.wait()
            return None


# ---- building -----------------------------------------------------------------------------------


class BuildError(Exception):
    """The unchanged tree cannot be built."""


def make(*arguments):
    return subprocess.run([*qtest.make_argv(), *arguments], cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          timeout=BUILD_TIMEOUT, env=qtest.make_env())


class Program:
    """Something that make links, and how to make it again when one file of mm/ has changed."""

    def __init__(self, target, sources):
        self.target = target
        self.clean = False      # is it linked from unchanged objects, for certain?
        said = make("-n", "V=1", *(word for path in sources for word in ("-W", path)), target)
        if said.returncode:
            raise BuildError(f"make -n {target}: {said.stdout[-2000:]}")
        self.compile, self.objects, self.link = {}, {}, []
        for line in said.stdout.splitlines():
            if found := re.search(r" -c (mm/\S+\.c) -o (\S+)", line):
                self.compile[found[1]], self.objects[found[1]] = line, ROOT / found[2]
            elif not line.startswith(("mkdir ", "echo ")):
                self.link.append(line)

    def has(self, path):
        return path in self.compile

    def build(self, path):
        """Compile and link what @path became; is it a program?"""
        if path not in self.compile:
            return self.relink()
        self.clean = False
        return self.run(self.compile[path]) and self._run_link()

    def relink(self):
        """Link it from unchanged objects, unless it is."""
        self.clean = self.clean or self._run_link()
        return self.clean

    def _run_link(self):
        return all(self.run(command) for command in self.link)

    @staticmethod
    def run(command):
        return subprocess.run(command, shell=True, cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode == 0


def code_of(obj):
    """The bytes of an object without what debuggers read."""
    bare = obj.with_suffix(".bare")
    subprocess.run(["objcopy", "--strip-debug", obj, bare], check=True)
    return bare.read_bytes()


# ---- judges -------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Judge:
    name: str
    keys: dict
    targets: tuple      # what make builds for it
    run: object         # (path of the changed file) -> what is wrong, or ""

    def wants(self, path):
        globs = self.keys["files"].split()
        return not globs or any(fnmatch.fnmatchcase(path, glob) for glob in globs)


SANITIZER = re.compile(r".*(?:AddressSanitizer: |: runtime error: ).*")


def fault(verdict):
    """What is wrong, in a few words; "": nothing."""
    found = SANITIZER.search(verdict.log) if verdict.failed else None
    bad = [found[0].strip()] if found else []
    bad += [" ".join(test.diagnostics) or test.name for test in verdict.tests if not test.passed]
    return (bad + verdict.problems + [""])[0][:WHY_MAX]


def run_hosted(row, seconds):
    outcome = qhosted.run_hosted(row, lambda argv, _: run_limited(argv, seconds))
    return qtest.judge_row(row, outcome)


def hosted_judge(name, keys):
    row = qhosted.make_row(name, {"expect": "", **keys, "when": "quick"}, keys["variant"])
    seconds = float(keys["seconds"])
    row = dataclasses.replace(row, timeout=seconds)
    return Judge(name, keys, (row.program,), lambda _: fault(run_hosted(row, seconds)))


def crimes_judge(name, keys):
    rows = qhosted.crime_rows(False, keys["variant"])[keys["variant"]]
    seconds = float(keys["seconds"])

    def run(_):
        return next(filter(None, (fault(run_hosted(row, seconds)) for row in rows)), "")
    return Judge(name, keys, (qhosted.program_of(keys["variant"]),), run)


def boot_judge(name, keys):
    kernel = BUILD / KERNEL
    known = {row.name: row for row in Config(kernel).rows(long=True)}
    unknown = [word for word in keys["row"].split() if word not in known]
    if unknown:
        raise ConfigError(f"judges.cfg [{name}]: tests.cfg has no row {unknown[0]}")
    machines = []
    for row in (known[word] for word in keys["row"].split()):
        words = merge_words(row.machine.append.split(), keys["append"].split())
        machines.append(dataclasses.replace(
            row, machine=dataclasses.replace(row.machine, append=" ".join(words))))

    # A machine has no limit on processor time.
    seconds = WALL_FACTOR * float(keys["seconds"])

    def run(_):
        return next(filter(None, (fault(qtest.judge_row(row, run_qemu.boot(row.machine, seconds)))
                                  for row in machines)), "")
    return Judge(name, keys, (str(kernel.relative_to(ROOT)),), run)


def command_judge(name, keys):
    def run(path):
        status, text, _ = run_limited(
            shlex.split(keys["command"].replace("{stem}", path.removesuffix(".c"))),
            float(keys["seconds"]), env={**qtest.make_env(), "QUARRY_BUILD": str(BUILD)})
        last = (text.strip().splitlines() or [""])[-1]
        return "" if status == 0 else f"status {status}: {last}"[:WHY_MAX]
    targets = tuple(str((BUILD / word).relative_to(ROOT)) for word in keys["build"].split())
    return Judge(name, keys, targets, run)


KINDS = {"hosted": hosted_judge, "crimes": crimes_judge, "boot": boot_judge,
         "command": command_judge}


def read_judges(wanted="", path=JUDGES):
    """All judges of the file, or those named in @wanted."""
    parser = configparser.ConfigParser(interpolation=None, default_section="(none)")
    parser.optionxform = str
    with open(path, encoding="utf-8") as text:
        parser.read_file(text)
    judges = []
    for name in parser.sections():
        keys = {**parser["defaults"], **parser[name]}
        if name == "defaults" or wanted and name not in wanted.split():
            continue
        if keys["kind"] not in KINDS or set(keys) - set(parser["defaults"]):
            raise ConfigError(f"judges.cfg [{name}]: unknown kind or key")
        judges.append(KINDS[keys["kind"]](name, keys))
    unknown = set(wanted.split()) - set(parser.sections())
    if unknown or not judges:
        raise ConfigError(f"judges.cfg has no {' '.join(sorted(unknown)) or 'judge'}")
    return judges


# ---- the bench ----------------------------------------------------------------------------------


class Bench:
    """The copy, its programs and its judges."""

    def __init__(self, judges):
        self.judges = judges
        self.command_ran = False
        self.sources = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "mm").rglob("*.c"))
        kernel = str((BUILD / KERNEL).relative_to(ROOT))
        self.targets = list(dict.fromkeys([kernel, *(t for j in judges for t in j.targets)]))
        said = make(f"-j{os.cpu_count()}", *self.targets)
        if said.returncode:
            raise BuildError(said.stdout[-3000:])
        self.programs = {target: Program(target, self.sources) for target in self.targets}
        self.kernel = self.programs[kernel]
        # A run that was broken off left programs with a mutant in them.
        for program in self.programs.values():
            if not program.relink():
                raise BuildError(f"{program.target} does not link")

    def check(self):
        """What a judge finds wrong with the unchanged tree; "": nothing."""
        for judge in self.judges:
            if why := judge.run(self.sources[0]):
                return f"{judge.name} is not content with the unchanged tree: {why}"
        return ""

    def try_mutant(self, path, text):
        source = ROOT / path
        original = source.read_bytes()
        was = source.stat()
        saved = self._save_objects(path)
        try:
            source.write_text(text, encoding="utf-8")
            return self._verdict(path)
        finally:
            # The source comes last: a copy with an unknown object has a changed source, too.
            self._restore_objects(saved)
            source.write_bytes(original)
            if not self.command_ran:    # that may have made objects that we know nothing of
                os.utime(source, ns=(was.st_atime_ns, was.st_mtime_ns))

    def _save_objects(self, path):
        objects = [program.objects[path] for program in self.programs.values()
                   if program.has(path)]
        for obj in objects:
            os.replace(obj, obj.with_suffix(".kept"))
        return objects

    @staticmethod
    def _restore_objects(objects):
        for obj in objects:
            os.replace(obj.with_suffix(".kept"), obj)

    def _verdict(self, path):
        if not self.kernel.run(self.kernel.compile[path]):
            return {"verdict": "no-compile"}
        obj = self.kernel.objects[path]
        if code_of(obj) == code_of(obj.with_suffix(".kept")):
            return {"verdict": "same-code"}
        built = set()
        self.command_ran = False
        for judge in self.judges:
            if not judge.wants(path):
                continue
            for target in judge.targets:
                program = self.programs[target]
                if target not in built and not program.build(path):
                    return {"verdict": "no-compile"}
                built.add(target)
            self.command_ran |= judge.keys["kind"] == "command"
            if why := judge.run(path):
                return {"verdict": "killed", "judge": judge.name, "why": why}
        return {"verdict": "survived"}


def answer(what):
    print(json.dumps(what), flush=True)


def main():
    parser = argparse.ArgumentParser(description="Judge mutants in this copy of the tree.")
    parser.add_argument("--check", action="store_true", help="show the judges the unchanged tree")
    parser.add_argument("--judges", default="", help="names; empty: all")
    args = parser.parse_args()
    try:
        bench = Bench(read_judges(args.judges))
        why = bench.check() if args.check else ""
    except (BuildError, ConfigError, OSError, configparser.Error) as error:
        why = str(error)
    if why:
        answer({"verdict": "broken", "why": why})
        return 1
    answer({"verdict": "ready"})
    for line in sys.stdin:
        request = json.loads(line)
        started = time.monotonic()
        verdict = bench.try_mutant(request["path"], request["text"])
        answer({**verdict, "seconds": round(time.monotonic() - started, 1)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
