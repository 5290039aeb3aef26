#!/usr/bin/python3
"""test_procparse.py - what was written for Linux's /proc reads the monitor's reports.

The kernel is booted once; its meminfo, zoneinfo, buddyinfo, pagetypeinfo and slabinfo become
files of a /proc that psutil and procps are pointed at.  Nothing reads buddyinfo and pagetypeinfo
but scripts, so strict parsers stand here; these are first tried on text that a Linux kernel
printed.  What is read must agree with what the monitor says in its own words (limits), and the
reports with each other.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import run_qemu  # noqa: E402

REPORTS = ("meminfo", "zoneinfo", "buddyinfo", "pagetypeinfo", "slabinfo")
PAGE_KIB = 4
NR_ORDERS = 11
OBJECTS = {"kmalloc-256": 23, "kmalloc-2048": 5}     # made by hand


# ---- strict parsers -----------------------------------------------------------------------------


def fields(pattern, line):
    match = re.fullmatch(pattern, line)
    assert match, f"{line!r} is not {pattern}"
    return match.groupdict()


def parse_meminfo(text):
    """{name: kB}, counts without a unit included."""
    found = {}
    for line in text.splitlines():
        f = fields(r"(?P<name>[A-Za-z0-9_()]+): +(?P<value>\d+)(?: kB)?", line)
        assert f["name"] not in found
        found[f["name"]] = int(f["value"])
    return found


def parse_counts(text):
    return [int(word) for word in text.split()]


def parse_buddyinfo(text):
    """{zone: [free blocks of order 0, 1, ...]}"""
    zones = {}
    for line in text.splitlines():
        f = fields(r"Node 0, zone +(?P<zone>\w+) (?P<counts>(?: *\d+ ){11})", line)
        zones[f["zone"]] = parse_counts(f["counts"])
    return zones


def parse_pagetypeinfo(text):
    """(pages of a block, {(zone, type): [free blocks by order]}, {zone: {type: blocks}})"""
    head, free, blocks = text.rstrip("\n").split("\n\n")
    order, pages = (int(line.split(":")[1]) for line in head.splitlines())
    assert pages == 1 << order
    by_type, lines = {}, free.splitlines()
    fields(r"Free pages count per migrate type at order +0 (?: *\d+ ){10}", lines[0])
    for line in lines[1:]:
        f = fields(r"Node    0, zone +(?P<zone>\w+), type +(?P<type>\w+) "
                   r"(?P<counts>(?: *\d+ ){11})", line)
        by_type[f["zone"], f["type"]] = parse_counts(f["counts"])
    lines = blocks.splitlines()
    types = fields(r"Number of blocks type (?P<types>(?: *\w+ )+)", lines[0])["types"].split()
    nr_blocks = {}
    for line in lines[1:]:
        f = fields(r"Node 0, zone +(?P<zone>\w+) (?P<counts>(?: *\d+ )+)", line)
        nr_blocks[f["zone"]] = dict(zip(types, parse_counts(f["counts"]), strict=True))
    return pages, by_type, nr_blocks


def parse_zoneinfo(text):
    """{zone: {name: number}}, with "protection": [...], "cpus": [{...}]; one has "node": {...}."""
    zones = {}
    for part in re.split(r"^(?=Node 0, zone )", text, flags=re.M)[1:]:
        lines = part.splitlines()
        name = fields(r"Node 0, zone +(?P<zone>\w+)", lines[0])["zone"]
        zones[name] = parse_zone(lines[1:])
    return zones


def parse_zone(lines):
    zone = {"cpus": []}
    into = zone
    for line in lines:
        if line == "  per-node stats":
            into = zone["node"] = {}
        elif line == "  pagesets":
            into = zone
        elif match := re.fullmatch(r"  pages free +(\d+)", line):
            into = zone
            zone["free"] = int(match[1])
        elif match := re.fullmatch(r"        protection: \((\d+(?:, \d+)*)\)", line):
            zone["protection"] = [int(word) for word in match[1].split(", ")]
        elif match := re.fullmatch(r"    cpu: (\d+)", line):
            into = {"cpu": int(match[1])}
            zone["cpus"].append(into)
        elif match := re.fullmatch(r" {6,14}(\w+):? +(\d+)", line):
            assert match[1] not in into
            into[match[1]] = int(match[2])
        else:
            f = fields(r"  (?P<name>vm stats threshold|node_unreclaimable|start_pfn): +(?P<n>\d+)",
                       line)
            zone[f["name"]] = int(f["n"])
    return zone


def parse_slabinfo(text):
    """{cache: {column: number}}"""
    version, head, *lines = text.splitlines()
    assert version == "slabinfo - version: 2.1"
    columns = re.findall(r"<(\w+)>", head)
    assert head == ("# name            <active_objs> <num_objs> <objsize> <objperslab> "
                    "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> : slabdata "
                    "<active_slabs> <num_slabs> <sharedavail>")
    caches = {}
    for line in lines:
        f = fields(r"(?P<name>[^ ]+) +(?P<objs>(?:\d+ +){4}\d+) : tunables +"
                   r"(?P<tunables>(?:\d+ +){2}\d+) : slabdata +(?P<slabs>(?:\d+ +){2}\d+)", line)
        # The widths of Linux: a column may grow, it may not shrink.
        numbers = parse_counts(" ".join((f["objs"], f["tunables"], f["slabs"])))
        assert line == ("%-17s %6u %6u %6u %4u %4d : tunables %4u %4u %4u : slabdata %6u %6u %6u"
                        % (f["name"], *numbers))
        assert f["name"] not in caches
        caches[f["name"]] = dict(zip(columns, numbers, strict=True))
    return caches


# A Linux machine's, shortened: the parsers must know the format, not this kernel's idea of it.
# Each $ shows the end of a line that ends in a blank.
LINUX_BUDDYINFO = """\
Node 0, zone      DMA      0      0      0      0      0      0      0      0      1      1      3 $
Node 0, zone   Normal    487    559    687    480    271    203    143     83     46     13    240 $
""".replace("$", "")
LINUX_PAGETYPEINFO = """\
Page block order: 9
Pages per block:  512

Free pages count per migrate type at order       0      1      2      3      4      5      6      7\
      8      9     10 $
Node    0, zone      DMA, type    Unmovable      0      0      0      0      0      0      0      0\
      1      0      0 $
Node    0, zone      DMA, type      Movable      0      0      0      0      0      0      0      0\
      0      1      3 $

Number of blocks type     Unmovable      Movable  Reclaimable   HighAtomic      Isolate $
Node 0, zone      DMA            1            7            0            0            0 $
""".replace("$", "")
LINUX_ZONEINFO = """\
Node 0, zone      DMA
  per-node stats
      nr_inactive_anon 2341
      nr_mapped    2712
  pages free     3840
        boost    0
        min      57
        low      71
        high     85
        spanned  4095
        present  3998
        managed  3840
        cma      0
        protection: (0, 3019, 4427, 4427, 4427)
      nr_free_pages 3840
      nr_free_cma  0
  pagesets
    cpu: 0
              count:    0
              high:     0
              batch:    1
  vm stats threshold: 4
  node_unreclaimable:  0
  start_pfn:           1
Node 0, zone  Movable
  pages free     0
        min      32
        protection: (0, 0, 0, 0, 0)
"""


LINUX_SLABINFO = """\
slabinfo - version: 2.1
# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit>\
 <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>
ext4_inode_cache   47033  47034   1176   27    8 : tunables    0    0    0 : slabdata   1742   1742\
      0
nf_conntrack_expect      0      0    208   39    2 : tunables    0    0    0 : slabdata      0\
      0      0
kmalloc-8           7168   7168      8  512    1 : tunables  120   60    8 : slabdata     14     14\
      0
"""


def test_the_parsers_read_what_linux_prints():
    assert parse_buddyinfo(LINUX_BUDDYINFO)["DMA"] == [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 3]
    pages, free, blocks = parse_pagetypeinfo(LINUX_PAGETYPEINFO)
    assert (pages, free["DMA", "Movable"][10], blocks["DMA"]["Movable"]) == (512, 3, 7)
    zones = parse_zoneinfo(LINUX_ZONEINFO)
    assert list(zones) == ["DMA", "Movable"]
    assert zones["DMA"]["node"] == {"nr_inactive_anon": 2341, "nr_mapped": 2712}
    assert zones["DMA"]["managed"] == 3840 and zones["DMA"]["start_pfn"] == 1
    assert zones["DMA"]["cpus"] == [{"cpu": 0, "count": 0, "high": 0, "batch": 1}]
    assert zones["Movable"]["protection"] == [0] * 5
    caches = parse_slabinfo(LINUX_SLABINFO)
    assert list(caches) == ["ext4_inode_cache", "nf_conntrack_expect", "kmalloc-8"]
    assert caches["ext4_inode_cache"]["num_objs"] == 47034
    assert caches["kmalloc-8"]["sharedfactor"] == 8 and caches["kmalloc-8"]["num_slabs"] == 14


@pytest.mark.parametrize("bad", ["Node 0, zone DMA 1 2 3\n", "Node 0, zone      DMA      0\n"])
def test_the_parsers_refuse_what_linux_does_not_print(bad):
    with pytest.raises(AssertionError):
        parse_buddyinfo(bad)


@pytest.mark.parametrize("change", [
    ("version: 2.1", "version: 2.0"), ("<objsize> ", ""), ("kmalloc-8  ", "kmalloc-8 "),
    (" : tunables  120", " : tunables 120"), ("kmalloc-8", "ext4_inode_cache"), (":", ";")])
def test_the_parser_of_slabinfo_refuses_what_linux_does_not_print(change):
    with pytest.raises((AssertionError, ValueError)):
        parse_slabinfo(LINUX_SLABINFO.replace(*change))


# ---- a kernel, and a /proc made of what it says -------------------------------------------------


@pytest.fixture(scope="module")
def said():
    """{command: its output}, all of one quiet moment of a machine with all three zones."""
    machine = run_qemu.Machine(kernel=str(run_qemu.BUILD / "x86-gcc/quarry.elf"), mem="1G",
                               name="procparse")
    with run_qemu.Console(machine) as console:
        # Something to see: blocks of three zones taken, and lists of a CPU not empty.
        for line in ("alloc 3 GFP_KERNEL", "alloc 6 GFP_DMA", "alloc 0 GFP_HIGHUSER_MOVABLE"):
            assert console.command(line).startswith("pfn=")
        for cache, nr in OBJECTS.items():
            for _ in range(nr):
                assert console.command(f"objalloc {cache}").startswith("object=")
        texts = {name: console.command(name) for name in (*REPORTS, "limits")}
        assert console.poweroff().kind == "poweroff"
    return texts


@pytest.fixture(scope="module")
def proc(said, tmp_path_factory):
    root = tmp_path_factory.mktemp("proc")
    for name in REPORTS:
        (root / name).write_text(said[name])
    return root


@pytest.fixture(scope="module")
def limits(said):
    """{zone: {key: number}} from the monitor's own words."""
    zones = {}
    for name, rest in re.findall(r"^zone name=(\w+) (.*)$", said["limits"], re.M):
        zones[name] = {k: int(v, 0) for k, v in re.findall(r"(\w+)=(0x[0-9a-f]+|\d+)\b", rest)}
    return zones


def test_all_three_zones_are_there(limits):
    assert list(limits) == ["DMA", "Normal", "HighMem"]


def test_zoneinfo_says_what_limits_says(said, limits):
    zones = parse_zoneinfo(said["zoneinfo"])
    assert list(zones) == list(limits)
    for name, zone in zones.items():
        for key in ("free", "managed", "min", "low", "high", "start_pfn"):
            assert zone[key] == limits[name][key], (name, key)
        assert zone["start_pfn"] + zone["spanned"] == limits[name]["end_pfn"]
        assert zone["managed"] <= zone["present"] <= zone["spanned"]
        assert zone["nr_free_pages"] == zone["free"]
        assert zone["cpus"][0]["count"] <= zone["managed"] - zone["free"]
    assert "node" in zones["DMA"] and "node" not in zones["Normal"]


def test_zoneinfo_has_the_lines_of_linux(said):
    zones = parse_zoneinfo(said["zoneinfo"])
    assert {"nr_inactive_anon", "nr_slab_reclaimable", "nr_file_pages", "nr_shmem", "nr_dirtied",
            "nr_kernel_stack", "nr_page_table_pages"} <= set(zones["DMA"]["node"])
    for zone in zones.values():
        assert {"boost", "cma", "nr_zone_inactive_anon", "nr_zone_active_file", "nr_mlock",
                "nr_bounce", "nr_free_cma"} <= set(zone)


def test_buddyinfo_adds_up_to_the_free_pages(said, limits):
    zones = parse_buddyinfo(said["buddyinfo"])
    assert list(zones) == list(limits)
    for name, counts in zones.items():
        assert sum(nr << order for order, nr in enumerate(counts)) == limits[name]["free"]


def test_pagetypeinfo_splits_buddyinfo_by_type(said):
    _, by_type, nr_blocks = parse_pagetypeinfo(said["pagetypeinfo"])
    for zone, counts in parse_buddyinfo(said["buddyinfo"]).items():
        rows = [row for (name, _), row in by_type.items() if name == zone]
        assert len(rows) == 5
        assert [sum(column) for column in zip(*rows)] == counts
        assert sum(nr_blocks[zone].values()) > 0


def test_slabinfo_counts_the_objects_made_by_hand(said):
    caches = parse_slabinfo(said["slabinfo"])
    assert {"kmem_cache", "kmalloc-8", "kmalloc-192", "kmalloc-131072", "dma-kmalloc-8"} <= \
        set(caches)
    for name, nr in OBJECTS.items():
        assert caches[name]["active_objs"] == nr, name
        assert caches[name]["objsize"] == int(name.split("-")[1])
    for name, cache in caches.items():
        assert cache["active_objs"] <= cache["num_objs"]
        assert cache["num_objs"] == cache["num_slabs"] * cache["objperslab"]
        assert cache["active_slabs"] <= cache["num_slabs"]
        assert cache["objperslab"] * cache["objsize"] <= cache["pagesperslab"] * PAGE_KIB << 10
        assert cache["batchcount"] <= cache["limit"]
        assert cache["sharedavail"] <= cache["batchcount"] * (cache["sharedfactor"] + 1)
        # What is in no slab is nowhere: all others are free in slabs or magazines.
        assert bool(cache["num_slabs"]) >= bool(cache["active_objs"]), name


def test_meminfo_says_the_pages_of_all_slabs(said):
    mem = parse_meminfo(said["meminfo"])
    pages = sum(cache["num_slabs"] * cache["pagesperslab"]
                for cache in parse_slabinfo(said["slabinfo"]).values())
    assert mem["Slab"] == PAGE_KIB * pages > 0
    assert mem["Slab"] == mem["SReclaimable"] + mem["SUnreclaim"]
    assert mem["KReclaimable"] == mem["SReclaimable"]


def test_meminfo_adds_up_to_the_zones(said, limits):
    mem = parse_meminfo(said["meminfo"])
    assert mem["MemTotal"] == PAGE_KIB * sum(zone["managed"] for zone in limits.values())
    assert mem["MemFree"] == PAGE_KIB * sum(zone["free"] for zone in limits.values())
    assert mem["HighTotal"] == PAGE_KIB * limits["HighMem"]["managed"]
    assert mem["HighFree"] == PAGE_KIB * limits["HighMem"]["free"]
    assert mem["LowTotal"] == mem["MemTotal"] - mem["HighTotal"]
    cached = sum(zone["cpus"][0]["count"] for zone in parse_zoneinfo(said["zoneinfo"]).values())
    assert mem["PerCpuLists"] == PAGE_KIB * cached
    assert cached > 0


def test_meminfo_has_the_lines_of_linux_in_their_order(said):
    linux = """MemTotal MemFree MemAvailable Buffers Cached SwapCached Active Inactive Active(anon)
        Inactive(anon) Active(file) Inactive(file) Unevictable Mlocked HighTotal HighFree LowTotal
        LowFree SwapTotal SwapFree Dirty Writeback AnonPages Mapped Shmem KReclaimable Slab
        SReclaimable SUnreclaim KernelStack PageTables SecPageTables NFS_Unstable Bounce
        WritebackTmp CommitLimit Committed_AS VmallocTotal VmallocUsed VmallocChunk Percpu
        AnonHugePages ShmemHugePages ShmemPmdMapped FileHugePages FilePmdMapped HugePages_Total
        HugePages_Free HugePages_Rsvd HugePages_Surp Hugepagesize Hugetlb DirectMap4k
        DirectMap4M""".split()
    names = list(parse_meminfo(said["meminfo"]))
    assert names[: len(linux)] == linux
    assert names[len(linux):] == ["PerCpuLists"]


# ---- programs written for Linux -----------------------------------------------------------------


def test_psutil_reads_meminfo(said, proc, monkeypatch):
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(proc))
    mem = parse_meminfo(said["meminfo"])
    seen = psutil.virtual_memory()
    assert seen.total == mem["MemTotal"] << 10
    assert seen.free == mem["MemFree"] << 10
    assert seen.available == mem["MemAvailable"] << 10
    assert seen.used == seen.total - seen.free
    assert (seen.cached, seen.buffers, seen.shared) == (0, 0, 0)
    assert seen.slab == mem["Slab"] << 10 > 0


def test_psutil_reads_the_low_watermarks_of_zoneinfo(said, proc, tmp_path, monkeypatch):
    """Without MemAvailable psutil works it out from zoneinfo, as for kernels before 3.14."""
    lines = said["meminfo"].splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("MemAvailable")]
    assert len(kept) == len(lines) - 1
    (tmp_path / "meminfo").write_text("".join(kept))
    (tmp_path / "zoneinfo").write_text((proc / "zoneinfo").read_text())
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path))
    mem = parse_meminfo(said["meminfo"])
    low = sum(zone["low"] for zone in parse_zoneinfo(said["zoneinfo"]).values())
    assert low > 0
    assert psutil.virtual_memory().available == (mem["MemFree"] - PAGE_KIB * low) << 10


@pytest.fixture(scope="module")
def procps(proc, tmp_path_factory):
    """Runs a program of procps on the captured /proc."""
    shim = tmp_path_factory.mktemp("shim") / "fakeproc.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", shim,
                    ROOT / "tests/host/fakeproc.c", "-ldl"], check=True)

    def run(*argv):
        env = dict(os.environ, LD_PRELOAD=str(shim), FAKEPROC=str(proc), LC_ALL="C")
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout

    return run


def test_procps_free_reads_meminfo(said, procps):
    mem = parse_meminfo(said["meminfo"])
    row = re.search(r"^Mem: +(.*)$", procps("free", "-k"), re.M)[1]
    total, used, free, shared, cache, available = map(int, row.split())
    assert (total, free, available) == (mem["MemTotal"], mem["MemFree"], mem["MemAvailable"])
    assert used in (total - free, total - available)    # versions differ
    assert (shared, cache) == (0, 0)


def test_procps_free_tells_low_from_high_memory(said, procps):
    mem = parse_meminfo(said["meminfo"])
    text = procps("free", "-k", "-l")
    for zone in ("Low", "High"):
        total, used, free = map(int, re.search(rf"^{zone}: +(.*)$", text, re.M)[1].split())
        assert (total, free) == (mem[f"{zone}Total"], mem[f"{zone}Free"])
        assert used == total - free


def test_procps_vmstat_reads_meminfo(said, procps):
    mem = parse_meminfo(said["meminfo"])
    text = procps("vmstat", "-s", "-S", "K")
    assert int(re.search(r"(\d+) K total memory", text)[1]) == mem["MemTotal"]
    assert int(re.search(r"(\d+) K free memory", text)[1]) == mem["MemFree"]


def test_procps_slabtop_reads_slabinfo(said, procps):
    """Its figures are sums over all caches, its lines the caches themselves."""
    caches = parse_slabinfo(said["slabinfo"])
    text = procps("slabtop", "-o", "-s", "n")
    active, total = map(int, re.search(r"Objects \(% used\) +: (\d+) / (\d+) ", text).groups())
    assert active == sum(cache["active_objs"] for cache in caches.values())
    assert total == sum(cache["num_objs"] for cache in caches.values())
    slabs = map(int, re.search(r"Slabs \(% used\) +: (\d+) / (\d+) ", text).groups())
    assert list(slabs) == [sum(cache[name] for cache in caches.values())
                           for name in ("active_slabs", "num_slabs")]
    rows = {row.split()[-1]: row.split() for row in text.splitlines() if "kmalloc-" in row}
    for name in OBJECTS:
        assert (int(rows[name][0]), int(rows[name][1])) == \
            (caches[name]["num_objs"], caches[name]["active_objs"]), rows[name]
