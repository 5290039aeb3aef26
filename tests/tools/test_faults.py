"""`make faults` can fail: it is shown runs with one thing wrong, and an mm/ that is broken.

The broken mm/ is a copy of the tree, built on top of the objects that are there.
"""

import argparse
import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import faults  # noqa: E402
import qtest  # noqa: E402

BUILD = Path(os.environ.get("QUARRY_BUILD", ROOT / "build")).resolve()
PROGRAM = "hosted/quarry-m64-gcc-asan"
PARTS = ("Makefile", "linker.ld", "arch", "boot", "include", "kernel", "lib", "mm", "tests",
         "tools")

# What is taken out of mm/: a file, the lines, tests that come by, what is said of them.
BROKEN = [
    ("mm/vmalloc.c", "\t\tvm_area_put(area);\n\t\treturn NULL;\n", "\t\treturn NULL;\n",
     "vmap.pages*", "mm/ lost or kept something"),
    ("mm/dma_pool.c", "\tif (!pool->cache) {\n\t\tkfree(pool);\n\t\treturn NULL;\n\t}\n", "",
     "dma_pool.*zero*", "died, exit status"),
    ("mm/ioremap.c", "\t\tvm_area_put(area);\n", "", "ioremap.*", "mm/ lost or kept something"),
]


def run_of(text="\nok 1 a.b\n", status=0, **facts):
    return faults.Run("3", status, text, {"points": "9", "failed": "1", **facts})


@pytest.mark.parametrize("run, why", [
    (run_of(), ""),
    (run_of(status=18), "died"),
    (run_of(status=faults.ALARM), "in time"),
    (run_of(world="1"), "lost or kept"),
    (run_of(outside="1"), "in no call"),
    (run_of("\nnot ok 1 a.b\n"), "expectation"),
])
def test_each_way_in_which_a_run_can_be_wrong_is_named(run, why):
    assert why in run.verdict(False) and bool(why) == bool(run.verdict(False))


def test_where_calls_overlap_a_failure_may_be_in_an_unknown_one():
    assert not dataclasses.replace(run_of(outside="1"), overlap=True).verdict(False)
    assert dataclasses.replace(run_of(outside="1", world="1"), overlap=True).verdict(False)


def test_only_expectations_may_fail_of_a_test_with_figures_that_change():
    assert not run_of("\nnot ok 1 a.b\n").verdict(True)
    assert run_of("\nnot ok 1 a.b\n", world="1").verdict(True)
    assert run_of(status=18).verdict(True)


class Recorded(faults.Faults):
    """Runs that are known already: the first counts the points."""

    def __init__(self, exact, *runs, idle=(), machine="64M 1"):
        super().__init__(argparse.Namespace(every=1, jobs=1), machine, exact, idle)
        self.runs = list(runs)

    def run(self, name, what):
        return dataclasses.replace(self.runs.pop(0), what=what)


def test_an_excuse_that_no_run_needed_is_a_failure(capsys):
    counted, bad = run_of(points="1"), run_of("\nnot ok 1 a.b\n")
    assert not Recorded(["a.b"], counted, bad).test("a.b").failures
    assert Recorded([], counted, bad).test("a.b").failures
    assert Recorded(["a.b"], counted, run_of()).test("a.b").failures
    assert "excuses it" in capsys.readouterr().out


def test_walks_of_which_none_had_a_failure_are_one(capsys):
    counted, idle = run_of(random="1"), run_of(random="1", failed="0")
    idle_walks, walks = [counted] + 20 * [idle], [counted] + 19 * [idle] + [run_of(random="1")]
    assert not Recorded([], *walks).test("a.b").failures
    assert Recorded([], *idle_walks).test("a.b").failures
    assert "none of its 20 walks had a failure" in capsys.readouterr().out
    assert not Recorded([], *idle_walks, idle=["a.*"]).test("a.b").failures
    assert Recorded([], *walks, idle=["a.b"]).test("a.b").failures
    assert "excuses its walks" in capsys.readouterr().out
    without = [run_of(random="1", points="0")] + 20 * [idle]
    assert not Recorded([], *without).test("a.b").failures


def test_a_test_is_run_on_the_first_machine_that_it_applies_to(capsys):
    skipped, counted, fails = run_of("\n1..0\n"), run_of(points="1"), run_of(world="1")
    small = Recorded([], skipped, skipped, counted, run_of())
    large = Recorded([], skipped, counted, fails, machine="64M 1 highmem=32M page_owner=1")
    results = faults.on_machines([small, large], ["a.none", "a.large", "a.small"])
    assert not small.runs and not large.runs
    assert {r.name: (r.applies, len(r.failures)) for r in results} == {
        "a.none": (False, 0), "a.large": (True, 1), "a.small": (True, 0)}
    faults.show_unmet(results, {"a.none": "ram>=9M"})
    faults.show_unmet(results, {"a.none": "highmem,edu"})
    assert faults.summary(results, 1) == 1
    out = capsys.readouterr().out
    assert re.search("again: .* CPUS=1 .*test=a.large faults=1 .* highmem=32M page_owner=1'$", out,
                     re.MULTILINE)
    assert "# 1 tests apply to none of the machines:\n#   ram>=9M: a.none\n" in out
    assert f"#   edu, {faults.UNMET['edu']}: a.none\n" in out
    assert "faults: 1 passed, 1 failed\n" in out


def test_the_two_kinds_of_excuses_are_told_apart(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_text("# glob\na.b\twhy\nc.*\twhy\tno-walk-fails\n")
    assert (faults.read_exact(path), faults.read_exact(path, idle=True)) == (["a.b"], ["c.*"])
    path.write_text("a.b\twhy\tother\n")
    with pytest.raises(SystemExit):
        faults.read_exact(path)


def test_a_test_that_dies_before_its_points_are_counted_is_shown(capsys):
    result = Recorded([], faults.Run("count", 18, "panic: x\n", {})).test("a.b")
    assert result.failures
    assert "not ok a.b" in capsys.readouterr().out


def test_of_many_points_both_ends_and_some_between_are_tried():
    assert faults.chosen(2000, "a.b") == list(range(1, 2001))
    points = faults.chosen(5000, "a.b")
    assert len(points) == len(set(points)) == 800 and points == faults.chosen(5000, "a.b")
    assert points[:200] == list(range(1, 201)) and points[-200:] == list(range(4801, 5001))
    assert points != faults.chosen(5000, "a.c")


def test_each_exception_names_a_test_and_has_a_reason(tmp_path):
    text = "".join(path.read_text() for path in (ROOT / "tests").rglob("*.c"))
    names = {f"{suite}.{name}" for suite, name in re.findall(r"KTEST(?:_NEEDS)?\((\w+), (\w+)",
                                                             text)}
    assert {*faults.read_exact(), *faults.read_exact(idle=True)} <= names
    (tmp_path / "x.tsv").write_text("a.b\n")
    with pytest.raises(SystemExit):
        faults.read_exact(tmp_path / "x.tsv")


@pytest.fixture(scope="module", name="broken")
def broken_program(tmp_path_factory):
    """All of BROKEN at once; the time stamps of a copy are those of what it was made from."""
    tree = tmp_path_factory.mktemp("broken")
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copy(ROOT / part, tree / part)
    if (BUILD / "hosted").is_dir():
        shutil.copytree(BUILD / "hosted", tree / "build/hosted")
    for path, old, new, _, _ in BROKEN:
        text = (tree / path).read_text()
        assert text.count(old) == 1, path
        (tree / path).write_text(text.replace(old, new))
    subprocess.run(["make", "-s", f"-j{os.cpu_count()}", "BUILD=build", f"build/{PROGRAM}"],
                   cwd=tree, check=True, stdin=subprocess.DEVNULL, env=qtest.make_env())
    return tree / "build" / PROGRAM


@pytest.mark.parametrize("tests, why", [row[3:] for row in BROKEN])
def test_a_broken_error_path_of_mm_fails_the_tests_that_come_by(broken, tests, why):
    done = subprocess.run([ROOT / "tools/faults.py", "--program", broken, "--filter", tests],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert why in done.stdout
    assert re.search(r"^#   again: make hosted .*faults=\d+", done.stdout, re.MULTILINE)
    assert re.search(r"^faults: \d+ passed, [1-9]\d* failed$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("length, too_long", [(100, 0), (1023, 1), (5000, 1)])
def test_a_line_makes_one_copy_however_long_it_is(broken, length, too_long):
    done = subprocess.run([broken, "-f", "-m", "64"], input="help".ljust(length) + "\nversion",
                          capture_output=True, text=True, check=True)
    assert done.stdout.count("\n# copy ended") == 2
    assert done.stdout.count("line too long") == too_long
