#!/usr/bin/python3
"""make mutants: do the tests find small wrong changes to mm/?

Two kinds of mutants: N drawn by a seed from all places where one of the operators of mutate.py
applies, and those of tests/mutants/planted.txt, each a bug that somebody could write.  Each is
built in a copy of the tree and shown to the judges of tests/mutants/judges.cfg, in their order; the
first that finds something wrong has killed it.  A drawn one that does not compile, or of which the
kernel's compiler makes the same code, is no mutant, and the next of the draw takes its place.

tests/mutants/equivalent.txt names drawn mutants that nobody can tell from the original, with the
reason and the day on which somebody else accepted it. They count as survivors; at most
EQUIVALENT_MAX may be among those drawn, and one that is killed is an error in that file.

Verdicts go to build/mutants/results.jsonl, one a line, as they come.  A further run takes from
there what still holds: that a mutant was killed as long as the code under test (CODE) is the same,
that it survived as long as the tests are, too.  FRESH=1 forgets all.

The last two lines are "killed K of M ..."; the exit status is 0 if both goals were met, or if the
one mutant of ONLY=ID was killed.
"""
import argparse
import collections
import concurrent.futures
import contextlib
import fnmatch
import hashlib
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import mutate

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("QUARRY_BUILD", ROOT / "build"))
LISTS = "tests/mutants"
CODE = ("mm", "lib", "include", "boot", "arch", "kernel")
EQUIVALENT_MAX = 10
GOALS = {"drawn": (85, 100), "planted": (38, 40)}
NO_MUTANT = ("no-compile", "same-code")
WIDTH = 150     # characters of a change that are printed


class RunError(Exception):
    """The run cannot go on."""


# ---- what there is ------------------------------------------------------------------------------


def tracked_files(root):
    """What a copy of the tree consists of."""
    try:
        said = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=root,
                              capture_output=True, check=True).stdout.decode()
        names = [name for name in said.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        return files_below(root)
    return sorted(name for name in names if (root / name).is_file())


def files_below(root):
    """All but what was built; git sees nothing in a copy, whose folder it ignores."""
    names = (str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())
    return sorted(name for name in names
                  if not {"build", ".git", "__pycache__"} & set(name.split("/")))


def fingerprint(root, names):
    total = hashlib.sha1()
    for name in names:
        total.update(name.encode() + b"\0" + (root / name).read_bytes() + b"\0")
    return total.hexdigest()[:12]


def read_texts(root, pattern):
    names = [str(p.relative_to(root)) for p in (root / "mm").rglob("*.c")]
    return {name: (root / name).read_text(encoding="utf-8") for name in sorted(names)
            if not pattern or fnmatch.fnmatchcase(name, pattern)}


def sync(root, copy):
    """Make @copy's files those of @root.  What is written is new to make, whatever its date was."""
    names = tracked_files(root)
    for name in names:
        source, target = root / name, copy / name
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    for name in set(files_below(copy)) - set(names):
        (copy / name).unlink()


# ---- results ------------------------------------------------------------------------------------


class Results:
    """The verdicts so far, in memory and in a file."""

    def __init__(self, path, code, tests, fresh=False):
        self.path, self.code, self.tests = path, code, tests
        self.lock = threading.Lock()
        self.known = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        if fresh:
            path.unlink(missing_ok=True)
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                record = json.loads(line)
            except ValueError:      # the run was broken off while it was written
                continue
            if self._holds(record):
                self.known[record["id"], record["change"]] = record

    def _holds(self, record):
        return record["code"] == self.code and \
            (record["verdict"] != "survived" or record["tests"] == self.tests)

    @staticmethod
    def _change(mutant):
        return mutate.digest(mutant.text)[:12]

    def get(self, mutant):
        return self.known.get((mutant.id, self._change(mutant)))

    def put(self, mutant, verdict):
        record = {"id": mutant.id, "change": self._change(mutant), "code": self.code,
                  "tests": self.tests, "path": mutant.path, "line": mutant.line,
                  "operator": mutant.operator, "before": mutant.before, "after": mutant.after,
                  **verdict}
        with self.lock, self.path.open("a") as out:
            out.write(json.dumps(record) + "\n")
            self.known[record["id"], record["change"]] = record


# ---- workers ------------------------------------------------------------------------------------


class Worker:
    """A process in a copy of the tree."""

    def __init__(self, copy, judges, check):
        argv = ["/usr/bin/python3", str(copy / "tools/mutant_worker.py"), "--judges", judges,
                *(["--check"] * check)]
        env = {**os.environ, "QUARRY_BUILD": str(copy / "build"), "PYTHONDONTWRITEBYTECODE": "1"}
        env.pop("BUILD", None)  # an outer make's, of its own tree
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, env=env, cwd=copy)
        ready = self._answer()
        if ready["verdict"] != "ready":
            raise RunError(ready["why"])

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise RunError(f"a worker ended with status {self.process.wait()}")
        return json.loads(line)

    def judge(self, mutant):
        self.process.stdin.write(json.dumps({"path": mutant.path, "text": mutant.text}) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self):
        """Its input's end is its end, when it has judged what it has."""
        self.process.stdin.close()
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Workers:
    """Some workers; who wants a verdict gets a free one."""

    def __init__(self, root, folder, nr, judges):
        copies = [folder / f"copy-{i}" for i in range(nr)]
        print(f"building {nr} copies below {folder}", flush=True)
        sync(root, copies[0])
        self.all = [Worker(copies[0], judges, check=True)]
        for copy in copies[1:]:
            if not copy.exists():   # built once is enough
                shutil.copytree(copies[0], copy, symlinks=True)
            sync(root, copy)
            self.all.append(Worker(copy, judges, check=False))
        self.free = queue.Queue()
        for worker in self.all:
            self.free.put(worker)

    def judge(self, mutant):
        worker = self.free.get()
        try:
            return worker.judge(mutant)
        finally:
            self.free.put(worker)

    def close(self, at_once):
        for worker in self.all:
            if at_once:
                worker.kill()
            else:
                worker.close()


# ---- a run --------------------------------------------------------------------------------------


class Run:
    """Mutants, one after the other, to their verdicts."""

    def __init__(self, results, make_workers, nr_workers, equivalent=()):
        self.results, self.make_workers, self.nr_workers = results, make_workers, nr_workers
        self.equivalent = {entry.name: entry for entry in equivalent}
        self.workers, self.broken, self.lock = None, None, threading.Lock()

    def verdict(self, mutant):
        """From the results, or from a worker; the first one that is needed starts them."""
        if known := self.results.get(mutant):
            return {**known, "known": True}
        verdict = self.judge(mutant)
        self.results.put(mutant, verdict)
        return verdict

    def judge(self, mutant):
        return self._workers().judge(mutant)

    def _workers(self):
        with self.lock:
            if self.broken:
                raise RunError("no workers")
            try:
                self.workers = self.workers or self.make_workers()
            except RunError as error:
                self.broken = error
                raise
            return self.workers

    @contextlib.contextmanager
    def or_at_once(self):
        """Whatever goes wrong, nobody waits for verdicts that are still to come."""
        try:
            yield
        except BaseException:
            self.close(at_once=True)
            raise

    def draw(self, mutants, wanted):
        """[(mutant, verdict)] of the first @wanted that are mutants, and how many were not.

        What is in flight may turn out to be none: then more are asked for, in the same order.
        """
        source, done, dropped = iter(mutants), [], collections.Counter()
        pending, nr_kept, ended = {}, 0, False
        with concurrent.futures.ThreadPoolExecutor(self.nr_workers) as pool, self.or_at_once():
            while True:
                while not ended and len(pending) < self.nr_workers and \
                        nr_kept + len(pending) < wanted:
                    mutant = next(source, None)
                    ended = mutant is None
                    if mutant:
                        pending[pool.submit(self.verdict, mutant)] = mutant
                if not pending:
                    return done, dropped
                finished, _ = concurrent.futures.wait(
                    pending, return_when=concurrent.futures.FIRST_COMPLETED)
                for future in finished:
                    mutant, verdict = pending.pop(future), future.result()
                    if verdict["verdict"] in NO_MUTANT:
                        dropped[verdict["verdict"]] += 1
                        continue
                    nr_kept += 1
                    done.append((mutant, verdict))
                    print(self.line(mutant, verdict), flush=True)

    def line(self, mutant, verdict):
        if verdict["verdict"] == "killed":
            end = f"killed by {verdict['judge']}: {verdict['why']}"
        elif mutant.id in self.equivalent:
            end = f"SURVIVED, equivalent: {self.equivalent[mutant.id].keys['reason']}"
        else:
            end = "SURVIVED"
        change = f"{short(mutant.before)}  ->  {short(mutant.after)}"
        if mutant.note:
            change = mutant.note
        seconds = "known" if verdict.get("known") else f"{verdict['seconds']:.1f} s"
        return f"{mutant.id}  {mutant.path}:{mutant.line}  {mutant.operator}\n" \
               f"    {change}\n    {short(end)}  ({seconds})"

    def close(self, at_once=False):
        if self.workers:
            self.workers.close(at_once)
            self.workers = None


def short(text):
    return text if len(text) <= WIDTH else text[:WIDTH - 3] + "..."


def nr_killed(done):
    return sum(verdict["verdict"] == "killed" for _, verdict in done)


def goal_met(kind, done):
    part, whole = GOALS[kind]
    return nr_killed(done) * whole >= part * len(done)


def equivalent_faults(done, entries):
    """What is wrong with the list of equivalent mutants, as sentences."""
    listed = {entry.name: entry for entry in entries}
    wrong = [f"{entry.name}: no reason, or nobody who accepted it" for entry in entries
             if not {"reason", "accepted"} <= set(entry.keys)]
    wrong += [f"{mutant.id} is listed as equivalent, but was killed by {verdict['judge']}"
              for mutant, verdict in done
              if mutant.id in listed and verdict["verdict"] == "killed"]
    nr = sum(mutant.id in listed for mutant, _ in done)
    if nr > EQUIVALENT_MAX:
        wrong.append(f"{nr} equivalent mutants, at most {EQUIVALENT_MAX} are allowed")
    return wrong


def print_survivors(done, equivalent):
    left = [(mutant, verdict) for mutant, verdict in done if verdict["verdict"] == "survived"]
    for mutant, _ in sorted(left, key=lambda pair: (pair[0].path, pair[0].line)):
        said = " (equivalent)" if mutant.id in equivalent else ""
        print(f"survived: {mutant.id}  {mutant.path}:{mutant.line}  {mutant.operator}  "
              f"{short(mutant.note or mutant.before + '  ->  ' + mutant.after)}{said}")


def run_all(run, texts, args, planted, equivalent):
    started = time.monotonic()
    drawn, dropped = run.draw(mutate.drawn(texts, args.seed), args.number)
    found, unfit = run.draw(planted, len(planted))
    print()
    print_survivors(drawn + found, run.equivalent)
    wrong = equivalent_faults(drawn, equivalent)
    wrong += [f"{nr} planted mutants are none: {why}" for why, nr in unfit.items()]
    for line in wrong:
        print(f"mutants: {line}")
    nr_equal = sum(mutant.id in run.equivalent for mutant, _ in drawn)
    print(f"redrawn: {dropped['no-compile']} do not compile, {dropped['same-code']} are the same "
          f"code; {nr_equal} drawn are equivalent; {time.monotonic() - started:.0f} s")
    print(f"killed {nr_killed(drawn)} of {len(drawn)} drawn by seed {args.seed}")
    print(f"killed {nr_killed(found)} of {len(found)} planted")
    return bool(drawn or found) and not wrong and goal_met("drawn", drawn) and \
        goal_met("planted", found)


def run_one(run, texts, wanted, planted, show):
    mutant = next((m for m in [*planted, *mutate.all_mutants(texts)] if m.id == wanted), None)
    if mutant is None:
        raise RunError(f"no mutant is called {wanted}")
    print(mutant.diff(texts[mutant.path]), end="")
    if show:
        return True
    with run.or_at_once():
        verdict = run.judge(mutant)
    run.results.put(mutant, verdict)
    print(run.line(mutant, verdict) if verdict["verdict"] not in NO_MUTANT else verdict["verdict"])
    return verdict["verdict"] == "killed"


def parse_args():
    parser = argparse.ArgumentParser(description="Do the tests find small wrong changes to mm/?")
    parser.add_argument("--number", type=int, default=200, help="mutants to draw")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--filter", default="", help="a glob: only of these files")
    parser.add_argument("--only", default="", help="one mutant, by its id or name")
    parser.add_argument("--show", default="", help="one mutant as a diff, and no more")
    parser.add_argument("--judges", default="", help="only these of judges.cfg, by their names")
    parser.add_argument("--fresh", action="store_true", help="forget earlier verdicts")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    return parser.parse_args()


def main():
    args = parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    names = tracked_files(ROOT)
    code = [name for name in names if name.startswith(tuple(f"{top}/" for top in CODE))]
    tests = [name for name in names if not name.endswith((".md", ".txt"))]
    texts = read_texts(ROOT, args.filter)
    run = None
    try:
        if not texts:
            raise RunError(f"no file of mm/ is called '{args.filter}'")
        planted = [m for m in mutate.planted(ROOT / LISTS / "planted.txt", read_texts(ROOT, ""))
                   if m.path in texts]
        equivalent = mutate.read_entries(ROOT / LISTS / "equivalent.txt")
        results = Results(BUILD / "mutants/results.jsonl", fingerprint(ROOT, code),
                          " ".join([fingerprint(ROOT, tests), args.judges]), args.fresh)
        nr_workers = 1 if args.only else args.workers
        run = Run(results, lambda: Workers(ROOT, BUILD / "mutants", nr_workers, args.judges),
                  nr_workers, equivalent)
        if args.only or args.show:
            fine = run_one(run, texts, args.only or args.show, planted, bool(args.show))
        else:
            print(f"seed {args.seed}, {args.number} mutants of {len(texts)} files, "
                  f"{len(planted)} planted")
            fine = run_all(run, texts, args, planted, equivalent)
        return 0 if fine else 1
    except (RunError, mutate.ListError, OSError) as error:
        print(f"mutants: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        if run:
            run.close()


if __name__ == "__main__":
    sys.exit(main())
