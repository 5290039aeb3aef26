"""test_recording.py - a recording of our own calls becomes a trace, which replays."""

import os
import re
import struct
import sys
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import replay  # noqa: E402
import run_qemu  # noqa: E402
import trace_log  # noqa: E402
import traces  # noqa: E402

KERNEL = os.environ.get("QUARRY_KERNEL", str(ROOT / "build/x86-gcc/quarry.elf"))
WAIT = 0x1a0    # GFP_KERNEL
RECORD = trace_log.RECORD


def log_of(*records, dropped=0):
    """What a dump of these records looks like."""
    data = [RECORD.pack(*r) for r in records]
    lines, total = [f"alloc_trace begin version=1 records={len(data)} dropped={dropped}"], 1
    for i in range(0, len(data), 4):
        piece = b"".join(data[i:i + 4])
        total = zlib.adler32(piece, total)
        lines.append(f"alloc_trace {i} {piece.hex()} {total:08x}")
    lines.append(f"alloc_trace end records={len(data)} sum={total:08x}")
    return "boot\n" + "\n".join(lines) + "\nquarry> \n"


def trace_of(*records, **more):
    header, data, callers = trace_log.convert(log_of(*records, **more))
    return traces.Trace("test", tuple(header), data), callers


def rec(op, result, size=64, order=0, gfp=WAIT, caller=0xc0100000, context=0):
    return (op, order, context, gfp, size, caller, result)


# ---- the log ------------------------------------------------------------------------------------


def test_a_log_is_read_as_it_was_printed():
    data, dropped = trace_log.recorded(log_of(*[rec(traces.KMALLOC, a) for a in range(1, 8)],
                                              dropped=3))
    assert (len(data) // RECORD.size, dropped) == (7, 3)


@pytest.mark.parametrize("spoil", (
    lambda log: log.replace("quarry", "x").replace("alloc_trace begin", "alloc_trace bexin"),
    lambda log: re.sub(r"(alloc_trace 4 )([0-9a-f]{2})", r"\g<1>ff", log),
    lambda log: re.sub(r"alloc_trace 0 .*\n", "", log),
    lambda log: re.sub(r"alloc_trace 4 .*\n", "", log),
    lambda log: re.sub(r"alloc_trace end .*\n", "", log),
    lambda log: log.replace("version=1", "version=2"),
))
def test_a_log_that_was_spoilt_is_refused(spoil):
    log = log_of(*[rec(traces.KMALLOC, a) for a in range(1, 8)])
    assert spoil(log) != log
    with pytest.raises(trace_log.LogError):
        trace_log.recorded(spoil(log))


# ---- addresses to numbers ----------------------------------------------------------------------


def test_an_address_that_is_used_again_is_another_object():
    trace, callers = trace_of(rec(traces.KMALLOC, 0x1000), rec(traces.KFREE, 0x1000),
                              rec(traces.KMALLOC, 0x1000))
    assert [(r[0], r[4]) for r in trace] == [(traces.KMALLOC, 1), (traces.KFREE, 1),
                                             (traces.KMALLOC, 2)]
    assert [c[0] for c in callers] == [1, 2]


def test_frees_of_what_was_there_before_are_left_out_and_counted():
    trace, _ = trace_of(rec(traces.KFREE, 0x1000), rec(traces.PAGE_FREE, 5),
                        rec(traces.KMALLOC, 0x1000))
    assert len(trace) == 1
    assert trace.value("dropped-foreign-frees") == "2"


def test_calls_that_failed_are_left_out_and_counted():
    trace, _ = trace_of(rec(traces.KMALLOC, 0), rec(traces.VMALLOC, 0))
    assert len(trace) == 0
    assert trace.value("failed-calls-left-out") == "2"


def test_what_slabs_and_areas_need_is_marked_or_left_out():
    trace, _ = trace_of(rec(traces.PAGE_ALLOC, 7, 4096), rec(trace_log.BACKING_PAGES, 7),
                        rec(traces.KMALLOC, 0x7000), rec(trace_log.BACKING_OBJECT, 0x7000),
                        rec(traces.PAGE_ALLOC, 8, 4096),
                        rec(trace_log.BACKING_PAGES, 8, order=1),
                        rec(traces.KFREE, 0x7000), rec(traces.PAGE_FREE, 7))
    assert [(r[0], r[3]) for r in trace] == [
        (traces.PAGE_ALLOC, trace_log.SLAB_BACKING), (traces.PAGE_ALLOC, trace_log.VM_BACKING),
        (traces.PAGE_FREE, trace_log.SLAB_BACKING)]
    assert trace.value("own-objects-left-out") == "1"


def test_a_split_block_ends_with_the_last_of_its_pages():
    trace, _ = trace_of(rec(traces.PAGE_ALLOC, 8, 8192, order=1),
                        rec(trace_log.SPLIT, 8, order=1),
                        rec(traces.PAGE_FREE, 9), rec(traces.PAGE_FREE, 8))
    assert [(r[0], r[2], r[5]) for r in trace] == [(traces.PAGE_ALLOC, 1, 8192),
                                                   (traces.PAGE_FREE, 1, 8192)]
    assert trace.value("split-page-frees-merged") == "1"


def test_a_page_of_a_split_block_may_be_somebody_elses_before_the_others_are_free():
    trace, _ = trace_of(rec(traces.PAGE_ALLOC, 8, 8192, order=1),
                        rec(trace_log.SPLIT, 8, order=1),
                        rec(traces.PAGE_FREE, 8), rec(traces.PAGE_ALLOC, 8, 4096),
                        rec(traces.PAGE_FREE, 9), rec(traces.PAGE_FREE, 8))
    assert [(r[0], r[4]) for r in trace] == [(traces.PAGE_ALLOC, 1), (traces.PAGE_ALLOC, 2),
                                             (traces.PAGE_FREE, 1), (traces.PAGE_FREE, 2)]
    assert trace.value("inferred-frees") == trace.value("dropped-foreign-frees") == "0"


def test_a_page_of_a_split_block_that_is_taken_again_was_freed_unseen():
    trace, _ = trace_of(rec(traces.PAGE_ALLOC, 8, 8192, order=1),
                        rec(trace_log.SPLIT, 8, order=1),
                        rec(traces.PAGE_ALLOC, 9, 4096), rec(traces.PAGE_FREE, 9))
    assert [(r[0], r[4]) for r in trace] == [(traces.PAGE_ALLOC, 1), (traces.PAGE_ALLOC, 2),
                                             (traces.PAGE_FREE, 2)]
    assert trace.value("inferred-frees") == "1"


def test_masks_become_what_a_trace_says_of_them():
    bits = trace_log.gfp_bits()
    trace, _ = trace_of(
        rec(traces.KMALLOC, 1, gfp=bits["HIGH"] | bits["ZERO"]),
        rec(traces.PAGE_ALLOC, 1, 4096, gfp=WAIT | bits["HIGHMEM"] | bits["MOVABLE"], context=4),
        rec(traces.PAGE_ALLOC, 2, 4096, gfp=bits["RECLAIMABLE"] | bits["NOWARN"]))
    assert [(r[1], r[3]) for r in trace] == [(0x07, 0), (0x48, 4), (0x01, 0x60)]


def test_the_header_says_what_the_records_are():
    trace, _ = trace_of(rec(traces.KMALLOC, 1, 100), rec(traces.CACHE_ALLOC, 2, 60),
                        rec(traces.KFREE, 1), rec(traces.PAGE_ALLOC, 4, 8192, order=1),
                        dropped=9)
    assert [trace.value(key) for key in ("records", "ids", "peak-live-bytes", "peak-live-pages",
                                         "truncated", "cache")] == \
        ["4", "3", "160", "2", "1", "0 size-60"]


# ---- the kernel ---------------------------------------------------------------------------------


def address(text):
    return re.search(r"0x[0-9a-f]{8}", text)[0]


def test_a_recorded_run_replays_to_the_same_live_set(tmp_path):
    machine = run_qemu.Machine(kernel=KERNEL, mem="64M", name="test-recording")
    with run_qemu.Console(machine) as console:
        before = address(console.command("kmalloc 500"))
        assert "recording=on" in console.command("record on 256K")
        kept = [console.command(line) for line in ("kmalloc 100", "kmalloc 3000", "vmalloc 9000",
                                                   "objalloc kmalloc-64")]
        freed = address(console.command("kmalloc 700"))
        console.command(f"kfree {freed}")
        console.command(f"kfree {before}")
        console.command("alloc 2")
        assert "recording=off" in console.command("record off")
        log = console.command("record dump")
        assert console.command("record free").startswith("recording=off records=0")
        assert console.poweroff().kind == "poweroff"
    assert all("0x" in text for text in kept)
    header, records, callers = trace_log.convert(log)
    trace = traces.Trace("recorded", tuple(header), records)
    living = sorted((op, size) for op, size in traces.living(trace).values()
                    if op != traces.PAGE_ALLOC)
    assert living == [(traces.KMALLOC, 64), (traces.KMALLOC, 128), (traces.KMALLOC, 4096),
                      (traces.VMALLOC, 9000)]
    assert int(trace.value("dropped-foreign-frees")) == 1
    assert all(caller for _, _, _, caller in callers)
    result = replay.replay_in_kernel(KERNEL, trace, replay.RUNS[3])
    assert not result.problems
    assert result.number("ops", "live_bytes") == 64 + 128 + 4096 + 9000
    assert result.number("ops", "live_pages") == 4
    assert not list(replay.header_problems(trace, result))
    path = tmp_path / "recorded.trace.gz"
    traces.save(path, header, records)
    assert traces.load(path).records == records


def test_records_of_the_kernel_and_of_the_tool_have_one_layout():
    assert RECORD.size == struct.calcsize("<BBHIIII") == 20
    header = (ROOT / "include/quarry/alloc_trace.h").read_text()
    for name, value in (("BACKING_PAGES", trace_log.BACKING_PAGES),
                        ("BACKING_OBJECT", trace_log.BACKING_OBJECT),
                        ("SPLIT", trace_log.SPLIT), ("VFREE", traces.VFREE)):
        assert f"ALLOC_TRACE_{name} = {value:#x}" in header
