"""test_replay.py - `make replay` says what a run said, and fails when it has to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import replay  # noqa: E402
import run_qemu  # noqa: E402
import traces  # noqa: E402

KERNEL = os.environ.get("QUARRY_KERNEL", str(ROOT / "build/x86-gcc/quarry.elf"))
BUILD = Path(os.environ.get("QUARRY_BUILD") or ROOT / "build")
PROGRAM = BUILD / "hosted/quarry-m32-gcc-fast"
ALL, OBJECTS, PAGES, CHECK, _ = replay.RUNS

LOG = """\
replay trace=t.trace what=all check=0 zeroes=1 records=6
replay ops=4 failed=0 live_at_end=1 live_bytes=8 live_pages=0
replay kind=kmalloc n=2 total=100 min=40 median=40 max=60
replay kind=kfree n=2 total=44 min=22 median=22 max=22
replay peak_live bytes=8192 object_bytes=4096 pages=1
replay peak_pages taken=4 held=3 objects=2 lazy=1
replay done problems=0
"""

CALLGRIND = """\
fn=(1) replay_call_kmalloc
38 100
cfn=(2) __kmalloc
calls=3 95
80 120
fn=(2)
95 120
fn=(3) other
cfn=(2)
calls=9 95
7 900
fn=(4) replay_call_cache_alloc_kernel
cfn=(5) slab_alloc_kernel
calls=1 2
3 11
"""


def result_of(log, run=ALL):
    result = replay.Result("t", run, "kernel")
    replay.parse(log, result)
    return result


# ---- files --------------------------------------------------------------------------------------


def test_all_six_traces_are_here_and_whole():
    assert traces.names() == ["k_boot", "k_shell", "u_gcc", "u_lua", "u_python", "u_sqlite"]
    for name in traces.names():
        trace = traces.load(traces.named(name))
        assert len(trace) == int(trace.value("records"))


def test_the_living_are_as_many_as_their_header_implies():
    trace = traces.load(traces.named("u_lua"))
    assert len(traces.living(trace)) == 1


def test_what_is_saved_is_what_is_loaded(tmp_path):
    records = traces.RECORD.pack(traces.MALLOC, 0, 0, 0, 1, 10, 0)
    path = tmp_path / "one.trace.gz"
    traces.save(path, [("kind", "a test"), ("cache", "0 a")], records)
    trace = traces.load(path)
    assert (trace.name, trace.records, trace.value("kind")) == ("one", records, "a test")


def test_what_is_no_trace_is_refused(tmp_path):
    path = tmp_path / "no.trace.gz"
    path.write_bytes(b"nothing")
    with pytest.raises(traces.TraceError):
        traces.load(path)
    traces.save(path, [], bytes(64))
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(traces.TraceError):
        traces.load(path)
    traces.save(path, [], b"half a record")
    with pytest.raises(traces.TraceError):
        traces.load(path)


# ---- what a run said -----------------------------------------------------------------------------


def test_figures_are_those_of_the_log():
    result = result_of(LOG)
    assert not result.problems
    assert result.per_op == 144 / 4
    assert result.ratio("taken", "bytes") == 2
    assert result.ratio("objects", "object_bytes") == 2
    assert "min 40  median 40" in "\n".join(replay.kind_lines(result))


def test_a_failed_allocation_leaves_no_figure():
    bad = LOG.replace("replay done problems=0",
                      'replay problem="an allocation failed" record=3 id=1 number=8\n'
                      "replay done problems=1")
    result = result_of(bad)
    assert len(result.problems) == 1
    assert result.per_op is None
    assert " - " in replay.result_line(result)
    assert "KiB" not in replay.result_line(result)


def test_a_run_without_an_operation_has_no_figure():
    assert result_of(LOG.replace("ops=4", "ops=0")).per_op is None


def test_a_run_that_does_not_come_to_its_end_is_a_problem():
    assert result_of(LOG.replace("replay done problems=0", "")).problems
    assert result_of(LOG.replace("problems=0", "problems=2")).problems


def test_a_peak_that_is_not_the_headers_is_a_problem():
    trace = traces.Trace("t", (("peak-live-bytes", "4096"),), b"")
    other = traces.Trace("t", (("peak-live-bytes", "4097"),), b"")
    assert not list(replay.header_problems(trace, result_of(LOG)))
    assert list(replay.header_problems(other, result_of(LOG)))


def test_budgets_bind():
    bound = {("t", "all", "instructions/op"): 36.0, ("t", "all", "footprint"): 2.0}
    assert not list(replay.budget_problems(bound, result_of(LOG)))
    tight = {("t", "all", "instructions/op"): 35.9, ("t", "all", "footprint"): 1.9}
    assert len(list(replay.budget_problems(tight, result_of(LOG)))) == 2


def test_every_budget_is_of_a_figure_that_there_is():
    for trace, what, figure in replay.read_budgets():
        assert trace in traces.names()
        assert what in [run.what for run in replay.RUNS]
        assert figure in replay.FIGURES


def test_only_what_calls_c_calls_is_counted():
    costs = replay.called_costs(CALLGRIND)
    assert costs == {"kmalloc": 120, "cache_alloc_kernel": 11}


def test_a_call_that_no_record_asked_for_is_a_problem():
    result = result_of(LOG)
    replay.take_costs(result, {"kmalloc": 120, "kfree": 40})
    assert result.per_op == 160 / 4 and not result.problems
    replay.take_costs(result, {"free_pages": 7})
    assert result.problems == ["free_pages() was called, and no record says so"]


# ---- a process ----------------------------------------------------------------------------------


def test_what_is_alive_at_the_end_is_given_back_at_no_cost():
    alloc = b"".join(traces.RECORD.pack(traces.KMALLOC, 0, 0, 0xd0, number, 100, 0)
                     for number in range(1, 101))
    result = replay.replay_in_process(PROGRAM, traces.Trace("living", (), alloc), OBJECTS)
    assert not result.problems
    assert list(result.kinds) == ["kmalloc"]


# ---- the kernel ---------------------------------------------------------------------------------


def test_a_trace_through_the_kernel_has_figures():
    trace = traces.load(traces.named("k_boot")).cut(5000)
    result = replay.replay_in_kernel(KERNEL, trace, ALL)
    assert not result.problems
    assert 20 < result.per_op < 500
    assert result.kinds["cache_free"]["min"] < 40


def test_an_allocation_that_cannot_succeed_is_told():
    much = traces.RECORD.pack(traces.KMALLOC, 0, 0, 0x40, 1, 64 << 20, 0)
    result = replay.replay_in_kernel(KERNEL, traces.Trace("much", (), much), ALL)
    assert "an allocation failed" in result.problems[0]
    assert result.per_op is None


def test_a_module_that_there_is_not_fails_the_kernel():
    machine = run_qemu.Machine(kernel=KERNEL, mem="64M", append="replay=nobody",
                               name="test-replay")
    outcome = run_qemu.boot(machine, 60)
    assert outcome.end.kind == "tests-failed"
    assert "replay=nobody: no boot module has that name" in outcome.log


def test_the_tool_fails_with_what_it_prints():
    done = subprocess.run(
        [ROOT / "tools/replay.py", "--where", "kernel", "--kernel", KERNEL, "--records", "100",
         "no-such-trace"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no-such-trace" in done.stderr
