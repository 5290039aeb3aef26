"""test_bench.py - the budgets hold, and the tool that says so fails when it has to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import bench  # noqa: E402
import run_qemu  # noqa: E402

KERNEL = os.environ.get("QUARRY_KERNEL", str(ROOT / "build/x86-gcc/quarry.elf"))
BUDGETED = "|".join((
    "kmem_cache(*) pair", "kmalloc(*) pair", "kmap*", "page_address highmem (*)", "dma_*", "vm*",
    "vzalloc*", "ioremap*", "mempool*", "kvmalloc*", "alloc_pages_bulk*", "get_page*",
    "kfree(NULL)"))

LOG = """\
bench row="calib 100 nops" cost=100 mean=100.0 min=100 max=100 n=101
bench row="calib rep stosl 1024" cost=1028 mean=1028.0 min=1028 max=1028 n=101
bench row="kmalloc(64) pair" alloc=16 free=20 pair=36 mean=36.0 min=36 max=36 n=1001
bench row="pages o0 1000 LIFO alloc + free, each" alloc=9.84 free=8.56 pair=18.40 n=1000 batches=7
bench done rows=4 errors=0
"""
TABLE = """\
# a comment
calibration\tcalib 100 nops\tyes\t100\t100\t100\t100\t100
calibration\tcalib rep stosl 1024\tyes\t1028\t1028\t1028\t1028\t1028
kmalloc\tkmalloc(64) pair\tyes\t1\t1\t129 = 67+62\t1\t1
kmalloc\tkmalloc(4M) pair\tMAX=4M\t1\t1\t129 (mean 140) = 67+62\t1\t1
pages\tpages o0 1000 LIFO alloc + free, each\tyes\t1\t1\t257.2 + 214.9\t1\t1
vmalloc\tvmalloc(1 pages) pair\tlater\t1\t1\t1893\t1\t1
"""
BUDGETS = """\
100\t100\tcalib 100 nops
0\t42\tkmalloc(64) pair
"""


def tables(tmp_path, table=TABLE, budgets=BUDGETS):
    (tmp_path / "table.tsv").write_text(table)
    (tmp_path / "budgets.tsv").write_text(budgets)
    return (bench.read_table(tmp_path / "table.tsv"),
            bench.read_budgets(tmp_path / "budgets.tsv"))


@pytest.fixture(name="problems")
def problems_fixture(tmp_path):
    """A function: what is wrong with a run whose log or tables have some text replaced."""
    def judge(log=("", ""), table=("", ""), budgets=("", ""), **more):
        for text, (old, _) in ((LOG, log), (TABLE, table), (BUDGETS, budgets)):
            assert old in text
        rows, limits = tables(tmp_path, TABLE.replace(*table), BUDGETS.replace(*budgets))
        return bench.judge(rows, limits, LOG.replace(*log), **more)[1]
    return judge


# ---- the kernel ---------------------------------------------------------------------------------


def test_the_budgets_hold():
    log, end = bench.measure(KERNEL, BUDGETED, name="test-bench")
    assert end.kind == "poweroff", end
    measured, problems = bench.judge(bench.read_table(), bench.read_budgets(), log, BUDGETED)
    assert not problems
    assert {budget.name for budget in bench.read_budgets()} <= set(measured)


def test_a_name_that_no_row_has_fails_the_kernel():
    machine = run_qemu.Machine(kernel=KERNEL, mem="256M", append="bench=nobody", name="test-bench")
    outcome = run_qemu.boot(machine, 60)
    assert outcome.end.kind == "tests-failed"
    assert "bench=nobody: no row has such a name" in outcome.log


def test_the_monitor_lists_and_measures():
    machine = run_qemu.Machine(kernel=KERNEL, mem="256M", name="test-bench")
    with run_qemu.Console(machine) as console:
        assert "calib 100 nops" in console.command("bench list").split("\n")
        text = console.command("bench calib*nops")
        assert "only under" in text and 'bench row="calib 100 nops" cost=' in text
        assert "error: -2" in console.command("bench nobody")
        assert console.poweroff().kind == "poweroff"


# ---- the verdict --------------------------------------------------------------------------------


def test_a_good_run_has_no_problems(problems):
    assert not problems()


@pytest.mark.parametrize("change, complaint", [
    ({"log": ("cost=100 ", "cost=101 ")}, "calib 100 nops: reads 101, must be exactly 100"),
    ({"log": ("cost=100 ", "cost=99 ")}, "calib 100 nops: reads 99, must be exactly 100"),
    ({"log": ("pair=36", "pair=43")}, "kmalloc(64) pair: reads 43, must be at most 42"),
    ({"log": ("kmalloc(64)", "kmalloc(65)")}, "kmalloc(64) pair: the kernel did not measure it"),
    ({"log": ("kmalloc(64)", "kmalloc(65)")}, "kmalloc(65) pair: not in"),
    ({"log": ("kmalloc(64)", "kmalloc(65)")}, "kmalloc(64) pair: has a budget, but was not"),
    ({"log": ("alloc=16 free=20 pair=36", 'error="out of memory"')}, "64) pair: out of memory"),
    ({"log": ("kmalloc(64)", "vmalloc(1 pages)")}, "comes later, but here it is"),
    ({"log": ("bench done", "bench d")}, "did not come to its end"),
    ({"log": ("calib 100 nops", "kmalloc(64) pair")}, "kmalloc(64) pair: measured twice"),
    ({"table": ("MAX=4M", "yes")}, "kmalloc(4M) pair: the kernel did not measure it"),
    ({"table": ("kmalloc(4M)", "kmalloc(64)")}, "kmalloc(64) pair: twice in"),
    ({"budgets": ("kmalloc(64)", "kmalloc(63)")}, "kmalloc(63) pair: has a budget, but is not in"),
    ({"config": "SMP=1 MAX=4M"}, "kmalloc(4M) pair: the kernel did not measure it"),
])
def test_what_is_wrong_is_said(problems, change, complaint):
    if 'error="' in str(change):
        change = {"log": ("alloc=16 free=20 pair=36 mean=36.0 min=36 max=36 n=1001",
                          change["log"][1])}
    assert any(complaint in problem for problem in problems(**change))


def test_what_was_not_asked_for_is_not_missing(problems):
    assert not problems(log=("kmalloc(64) pair", "pages o1"),
                        table=("kmalloc(4M) pair", "pages o1"), patterns="pages*")


@pytest.mark.parametrize("table, complaint", [
    (TABLE.replace("129 = 67+62\t", "129 = 67\t"), "129 = 67"),
    (TABLE.replace("\t1893", ""), "not 8 fields"),
])
def test_a_table_that_cannot_be_read_is_an_error(tmp_path, table, complaint):
    with pytest.raises(bench.TableError, match=complaint):
        tables(tmp_path, table)


def test_the_command_fails_when_a_budget_is_exceeded(tmp_path):
    log = tmp_path / "log"
    argv = [ROOT / "tools/bench.py", "--log", log, "--filter", "kmalloc(64)?pair"]
    for figure, status in ((42, 0), (43, 1)):
        log.write_text(LOG.replace("pair=36", f"pair={figure}"))
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert ("kmalloc(64) pair: reads 43" in done.stderr) == bool(status)


def test_parts_of_a_name_and_globs_select():
    assert bench.matcher(bench.widen("page_"))("virt_to_page") is False
    assert bench.matcher(bench.widen("page_"))("get_page_x")
    assert bench.matcher(bench.widen("kmalloc(64)*|calib"))("calib 100 nops")
    assert not bench.matcher(bench.widen("kmalloc(64)*"))("kmalloc(640) pair")
    assert bench.matcher(bench.widen(""))("anything")


def test_the_table_shows_figures_beside_each_other(tmp_path):
    rows, budgets = tables(tmp_path)
    measured, _ = bench.judge(rows, budgets, LOG)
    lines = [line.split() for line in
             bench.table_lines(rows, budgets, measured, bench.matcher(""))]
    assert "kmalloc(64) pair 36 = 16+20 129 = 67+62 0.28 at most 42".split() in lines
    assert "kmalloc(4M) pair needs MAX=4M 129 (mean 140) = 67+62 -".split() in lines
    assert ["and", "1", "rows"] == lines[-1][:3]
