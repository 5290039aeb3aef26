"""The gdb commands, against a live QEMU: they agree with the monitor, and they work anywhere.

A machine's state is made by typing random allocations and frees into the monitor; the seed is
printed (QUARRY_SEED repeats one).  Then the same question is put to the monitor and, with the
machine stopped, to gdb.
"""

import contextlib
import os
import random
import re
import select
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import run_qemu  # noqa: E402

KERNEL = os.environ.get("QUARRY_KERNEL", str(ROOT / "build/x86-gcc/quarry.elf"))
SEED = int(os.environ.get("QUARRY_SEED", time.time_ns() & 0xffffffff))
COMMANDS = ("zones", "free", "pcp", "page 0x101", "pt &zones", "memmap", "memblock", "caches",
            "slabs kmem_cache", "objects kmem_cache", "areas", "pkmap", "fixmap", "whatis &zones",
            "help")
PAGE_OFFSET = 0xC0000000
PAGE = 4096
MAX_ORDER = 11
GDB_TIMEOUT = 30.0      # seconds until gdb has answered
GFPS = ("GFP_KERNEL", "GFP_HIGHUSER_MOVABLE", "GFP_DMA", "GFP_ATOMIC", "GFP_HIGHUSER",
        "GFP_KERNEL|__GFP_RECLAIMABLE", "GFP_KERNEL|__GFP_COMP")
NR_OPERATIONS = 60      # of them at most 64 allocations: the monitor's table
SLAB_OPERATIONS = 80    # few enough for the table of the monitor
SIZES = (8, 30, 64, 100, 128, 200, 500, 1000, 4096, 9000, 131072)
NR_ORDERS_LISTED = 5    # of which the blocks themselves are compared
TYPE_NAMES = {"ram": "RAM", "reserved": "reserved", "acpi_reclaim": "ACPI tables",
              "acpi_nvs": "ACPI NVS", "bad": "bad RAM"}


# ---- a machine with gdb -------------------------------------------------------------------------


class Gdb:
    """gdb, attached to a stub, with the kernel's symbols and the commands."""

    def __init__(self, address):
        as_debug = run_qemu.gdb_argv(run_qemu.Machine(KERNEL), address, "")
        argv = as_debug[:as_debug.index("-x")]      # all but init.gdb, which runs to the entry
        argv += ["-ex", "set prompt", "-ex", "set confirm off", "-ex", "set pagination off",
                 "-ex", "set width 0", "-ex", f"source {ROOT / 'tools/gdb/quarry.py'}"]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.nr_asked = 0
        assert "Error" not in self.run("")

    def send(self, *commands):
        """Type the commands and a mark behind them; see hear()."""
        self.nr_asked += 1
        lines = [*commands, f"echo \\n@@{self.nr_asked}@@\\n", ""]
        self.process.stdin.write("\n".join(lines).encode())
        self.process.stdin.flush()

    def hear(self):
        """What gdb printed for the last send()."""
        mark, text = b"\n@@%d@@\n" % self.nr_asked, b""
        until = time.monotonic() + GDB_TIMEOUT
        out = self.process.stdout
        while mark not in text:
            ready = select.select([out], [], [], max(0, until - time.monotonic()))[0]
            piece = os.read(out.fileno(), 65536) if ready else b""
            if not piece:
                self.process.kill()
                pytest.fail(f"gdb ended or hangs; it said:\n{text.decode(errors='replace')}")
            text += piece
        return text.partition(mark)[0].decode()

    def run(self, *commands):
        self.send(*commands)
        return self.hear()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@contextlib.contextmanager
def console(mem="64M", **options):
    """(a machine at the monitor's prompt, where its gdb stub listens)"""
    with tempfile.TemporaryDirectory(prefix="quarry-gdb-") as tmp:
        stub = ["-chardev", f"socket,id=gdb,path={tmp}/gdb,server=on,wait=off",
                "-gdb", "chardev:gdb"]
        plain = run_qemu.qemu_argv
        machine = run_qemu.Machine(KERNEL, mem=mem, name=f"gdb-{mem}", **options)
        with mock.patch.object(run_qemu, "qemu_argv", lambda m: plain(m) + stub):
            started = run_qemu.Console(machine)
        with started:
            yield started, f"{tmp}/gdb"


@contextlib.contextmanager
def attached(address):
    """gdb with the machine stopped; it runs on afterwards."""
    gdb = Gdb(address)
    try:
        yield gdb
    finally:
        gdb.run("detach")
        gdb.close()


@contextlib.contextmanager
def at_power_on(tmp_path, mem="64M", **options):
    """gdb at the firmware's first instruction."""
    machine = run_qemu.Machine(KERNEL, mem=mem, name=f"gdb-off-{mem}", **options)
    address = tmp_path / "gdb"
    argv = run_qemu.qemu_argv(machine) + [
        "-S", "-chardev", f"socket,id=gdb,path={address},server=on,wait=off",
        "-gdb", "chardev:gdb", "-monitor", "none", "-serial", f"file:{tmp_path}/serial"]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True) as qemu:
        try:
            while not address.exists():
                assert qemu.poll() is None
                time.sleep(0.01)
            gdb = Gdb(address)
            try:
                yield gdb
            finally:
                gdb.close()
        finally:
            qemu.kill()


def break_at(gdb, function):
    """Run to a function; its program counter."""
    gdb.run("delete", f"break {function}", "continue")
    text = gdb.run("info symbol $pc", 'printf "pc=%#x\\n", $pc')
    assert function in text, text
    return int(re.search(r"pc=(\w+)", text)[1], 16)


# ---- reading answers ----------------------------------------------------------------------------


def keys(line):
    """{key: value} of 'key=value key=value'."""
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def broken(text):
    """The lines about what contradicts itself."""
    return [line for line in text.splitlines() if line.startswith("BROKEN")]


def gdb_zones(text):
    """{zone: {key: value}}; a zone has two lines."""
    lines = text.strip().splitlines()
    found = [{**keys(first), **keys(second)} for first, second in zip(lines[::2], lines[1::2])]
    return {zone["zone"]: zone for zone in found}


def gdb_lists(text):
    """{zone: {mobility: [blocks of each order]}} of `quarry free`."""
    found, lists = {}, None
    for line in text.splitlines():
        if line.startswith("zone="):
            lists = found[keys(line)["zone"]] = {}
        elif row := re.match(r"  (\w+) +((?:\d+ *)+)$", line):
            if row[1] != "order":
                lists[row[1]] = [int(n) for n in row[2].split()]
    return found


def gdb_stacks(text):
    """{zone: keys of its line, "blocks": [(order, mobility, [pfn])]} of `quarry pcp`."""
    found, zone = {}, None
    for line in text.splitlines():
        if line.startswith("cpu="):
            zone = found[keys(line)["zone"]] = {**keys(line), "blocks": []}
        elif line.startswith("    order="):
            pfns = line.partition("pfns=")[2].split()
            zone["blocks"].append((keys(line)["order"], keys(line)["mobility"], pfns))
    return found


def monitor_zones(text):
    """{zone: {key: value}} of zoneinfo."""
    found = {}
    for part in text.split("Node 0, zone ")[1:]:
        zone = {name: int(n) for name, n in re.findall(r"^ +(?:pages )?(\w+):? +(\d+)$", part,
                                                       re.M)}
        zone["protection"] = re.search(r"protection: \((.*)\)", part)[1].replace(" ", "")
        pagesets = part.partition("pagesets")[2]
        for name in ("count", "high"):
            found_here = re.search(rf"{name}: +(\d+)", pagesets)
            zone[f"pcp_{name}"] = int(found_here[1]) if found_here else 0
        zone["watermark_high"] = int(re.search(r"^ +high +(\d+)$", part, re.M)[1])
        found[part.split()[0]] = zone
    return found


def monitor_lists(text):
    """{zone: {mobility: [blocks of each order]}} of pagetypeinfo."""
    found = {}
    for zone, kind, counts in re.findall(r"zone +(\w+), type +(\w+) +(.*)", text):
        found.setdefault(zone, {})[kind.lower()] = [int(n) for n in counts.split()]
    return found


def map_lines(text):
    """[(range, KiB, name of its type)] of `quarry memmap` as the monitor's e820 says it."""
    found = []
    for line in text.splitlines():
        if entry := re.match(r"  (0x\w+-0x\w+) +(\d+) KiB  (?:type=\d+ )?(.*)", line):
            found.append((entry[1], entry[2], TYPE_NAMES.get(entry[3], entry[3])))
        else:
            found.append(line)
    return found


# ---- the same state, asked twice ----------------------------------------------------------------


def pfn_in(line):
    return int(keys(line)["pfn"], 16)


def random_operations(machine, chance, blocks):
    """Type allocations and frees; @blocks, {pfn: order}, is what is allocated."""
    for _ in range(NR_OPERATIONS):
        if blocks and (len(blocks) >= 50 or chance.random() < 0.4):
            pfn = chance.choice(sorted(blocks))
            answer = machine.command(f"free {pfn:#x}")
            assert answer.startswith(f"freed pfn={pfn:#07x} order={blocks.pop(pfn)}"), answer
            continue
        order = min(int(chance.expovariate(0.5)), MAX_ORDER - 1)
        answer = machine.command(f"alloc {order} {chance.choice(GFPS)}")
        if answer.startswith("pfn="):
            blocks[pfn_in(answer)] = order
        else:
            assert "ENOMEM" in answer or "failed" in answer.lower(), answer


def interesting_pfns(chance, blocks, max_pfn):
    """Heads and tails of allocated blocks, reserved pages, and pages anywhere."""
    heads = chance.sample(sorted(blocks), min(8, len(blocks)))
    tails = [pfn + chance.randrange(1 << blocks[pfn]) for pfn in heads]
    return heads + tails + [0, 0x9f, 0x101, max_pfn - 1] + \
        [chance.randrange(max_pfn) for _ in range(24)]


class Answers:
    """What the monitor and gdb say about one state of a machine."""

    def __init__(self, machine, address, chance, blocks):
        random_operations(machine, chance, blocks)
        limits = machine.command("limits")
        ends = [int(pfn, 16) for pfn in re.findall(r"end_pfn=(0x\w+)", limits)]
        self.pfns = interesting_pfns(chance, blocks, max(ends))
        self.vas = [0, PAGE_OFFSET, PAGE_OFFSET + 0x101234, PAGE_OFFSET + 0x1000abc, 0xFFFFEFFC,
                    0xFFFFFFFF] + \
            [PAGE_OFFSET + chance.randrange(min(ends[1], 0x38000) * PAGE) for _ in range(8)]
        self.monitor = {name: machine.command(name) for name in
                        ("zoneinfo", "buddyinfo", "pagetypeinfo", "memblock", "e820")}
        self.pages = [machine.command(f"page pfn:{pfn:#x}").strip() for pfn in self.pfns]
        self.walks = [machine.command(f"pt {va:#x}").strip() for va in self.vas]
        with attached(address) as gdb:
            self.gdb = {name: gdb.run(f"quarry {name}") for name in
                        ("zones", "free", "pcp", "memblock", "memmap")}
            self.gdb_pages = [gdb.run(f"quarry page {pfn:#x}") for pfn in self.pfns]
            self.gdb_pages_by_pa = [gdb.run(f"quarry page pa:{pfn * PAGE + 5:#x}")
                                    for pfn in self.pfns]
            self.gdb_walks = [gdb.run(f"quarry pt {va:#x}") for va in self.vas]
            self.listed = {order: gdb.run(f"quarry free Normal {order}")
                           for order in chance.sample(range(MAX_ORDER), NR_ORDERS_LISTED)}
            self.stacks = gdb_stacks(self.gdb["pcp"])
            # The last page of each block: in larger ones it is not the one that the list names.
            last = [int(pfn, 16) + (1 << int(order)) - 1 for zone in self.stacks.values()
                    for order, _, pfns in zone["blocks"] for pfn in pfns]
            self.on_stacks = {pfn: gdb.run(f"quarry page {pfn}")
                              for pfn in chance.sample(last, min(16, len(last)))}
        self.monitor_on_stacks = {pfn: machine.command(f"page pfn:{pfn}").strip()
                                  for pfn in self.on_stacks}
        on_lists = [(order, pfn) for order, text in self.listed.items()
                    for line in text.splitlines() if line.startswith("  order=")
                    for pfn in line.partition("pfns=")[2].split() if pfn != "none"]
        self.on_lists = {(order, pfn): machine.command(f"page pfn:{pfn}")
                         for order, pfn in chance.sample(on_lists, min(12, len(on_lists)))}


@pytest.fixture(scope="module", params=["64M", "1G"])
def states(request):
    """Two random states of a machine, the second made from the first."""
    print(f"seed {SEED}: QUARRY_SEED={SEED} repeats this")
    chance = random.Random(f"{SEED} {request.param}")
    with console(request.param) as (machine, address):
        blocks = {}
        found = [Answers(machine, address, chance, blocks) for _ in range(2)]
        assert machine.command("check").strip() == "0 violations"
        assert machine.poweroff().kind == "poweroff"
    return found


def test_random_operations_leave_blocks_in_lists_of_every_kind(states):
    """Else the comparisons below compare nothing."""
    lists = gdb_lists(states[1].gdb["free"])
    assert sum(lists["Normal"]["unmovable"]) and sum(lists["Normal"]["movable"])
    assert any(zone["blocks"] for zone in states[1].stacks.values())
    said = Counter(keys(line)["state"] for answers in states for line in answers.pages)
    assert said["used"] and said["reserved"] and said["free"]


def test_nothing_is_broken_in_a_sound_state(states):
    for answers in states:
        for text in [*answers.gdb.values(), *answers.gdb_pages, *answers.listed.values()]:
            assert not broken(text)


def test_zones_agrees_with_zoneinfo(states):
    for answers in states:
        said, expected = gdb_zones(answers.gdb["zones"]), monitor_zones(answers.monitor["zoneinfo"])
        assert list(said) == ["DMA", "Normal", "HighMem"] == list(expected)
        for name, zone in said.items():
            want = expected[name]
            for key in ("free", "min", "low", "spanned", "present", "managed"):
                assert int(zone[key]) == want[key], (name, key)
            assert int(zone["high"]) == want["watermark_high"]
            assert zone["lowmem_reserve"] == want["protection"]
            assert int(zone["pcp"]) == want["pcp_count"]
            assert int(zone["start_pfn"], 16) == want.get("start_pfn", int(zone["end_pfn"], 16))
            assert zone["lock"] == "free"


def test_free_agrees_with_buddyinfo_and_pagetypeinfo(states):
    for answers in states:
        said = gdb_lists(answers.gdb["free"])
        by_type = monitor_lists(answers.monitor["pagetypeinfo"])
        by_order = {line.split()[3]: [int(n) for n in line.split()[4:]]
                    for line in answers.monitor["buddyinfo"].strip().splitlines()}
        assert set(said) == {"DMA", "Normal", "HighMem"} >= set(by_order)
        for zone, counts in by_order.items():
            assert [sum(column) for column in zip(*said[zone].values())] == counts
            assert len(said[zone]) == 3
            for mobility, row in said[zone].items():
                assert row == by_type[zone][mobility], (zone, mobility)


def test_free_lists_the_blocks_that_the_monitor_calls_free(states):
    for answers in states:
        assert answers.on_lists
        for (order, _), page in answers.on_lists.items():
            assert keys(page)["state"] == "free" and keys(page)["order"] == str(order)
            assert keys(page)["zone"] == "Normal" and "head" not in keys(page)
        counts = gdb_lists(answers.gdb["free"])["Normal"]
        for order, text in answers.listed.items():
            for line in text.splitlines():
                if line.startswith("  order="):
                    pfns = line.partition("pfns=")[2].replace("none", "").split()
                    assert len(set(pfns)) == counts[keys(line)["mobility"]][order]


def test_pcp_agrees_with_zoneinfo(states):
    for answers in states:
        expected = monitor_zones(answers.monitor["zoneinfo"])
        assert set(answers.stacks) == set(expected)
        for name, zone in answers.stacks.items():
            assert zone["cpu"] == "0"
            assert int(zone["pages"]) == expected[name]["pcp_count"]
            limits = zone["limits"].replace("none", "0").split(",")
            assert int(limits[0]) == expected[name]["pcp_high"]
            assert sum(len(pfns) << int(order) for order, _, pfns in zone["blocks"]) == \
                expected[name]["pcp_count"]


def test_pcp_lists_the_blocks_that_the_monitor_calls_per_cpu(states):
    assert any(answers.on_stacks for answers in states)
    for answers in states:
        for pfn, page in answers.on_stacks.items():
            assert keys(answers.monitor_on_stacks[pfn])["state"] == "per-cpu"
            assert page.strip().splitlines()[0] == answers.monitor_on_stacks[pfn] + " cpu=0"


def test_page_agrees_with_the_monitor(states):
    for answers in states:
        for pfn, want, said, by_pa in zip(answers.pfns, answers.pages, answers.gdb_pages,
                                          answers.gdb_pages_by_pa):
            assert keys(want)["pfn"] == f"{pfn:#07x}"
            first = said.strip().splitlines()[0]
            assert first.partition(" cpu=")[0] == want
            assert by_pa == said


def test_pt_agrees_with_the_monitor(states):
    nr_leaves = Counter()
    for answers in states:
        for want, said in zip(answers.walks, answers.gdb_walks):
            want, said = want.splitlines(), said.strip().splitlines()
            assert keys(said[0])["va"] == keys(want[0])["va"]
            assert len(said) == len(want)
            for ours, theirs in zip(said[1:], want[1:]):
                address, _, flags = ours.partition(" flags=")
                if flags:
                    assert theirs.startswith(address + " r")
                    prot = theirs[len(address) + 1:].split()
                    assert ("write" in flags.split("|")) == (prot[0] == "rwx")
                    assert ("global" in flags.split("|")) == ("global" in prot)
                    nr_leaves[keys(ours)["size"]] += 1
                else:
                    assert ours == theirs
    assert nr_leaves["4K"] and nr_leaves["4096K"], "large and small pages were both walked"


def test_memblock_agrees_with_the_monitor(states):
    for answers in states:
        said = answers.gdb["memblock"].strip().splitlines()
        assert said[:-1] == answers.monitor["memblock"].strip().splitlines()
        nr = Counter(line.split()[0] for line in said[:-1])
        assert int(keys(said[-1])["memory"]) == nr["memory"] > 0
        assert int(keys(said[-1])["reserved"]) == nr["reserved"] > 0
        assert "closed" in said[-1].split()


def test_memmap_agrees_with_the_monitor(states):
    for answers in states:
        said = map_lines(answers.gdb["memmap"].strip())
        assert said == map_lines(answers.monitor["e820"].strip())
        assert len([entry for entry in said if entry[2:] == ("RAM",)]) >= 4


# ---- slab caches, asked twice -------------------------------------------------------------------


def slabinfo(text):
    """{cache: [numbers of its line]}"""
    return {line.split()[0]: [int(n) for n in re.findall(r" (\d+)\b", line)]
            for line in text.strip().splitlines()[2:]}


def random_objects(machine, chance, held):
    """Type allocations and frees of objects; @held, {address: (command to free, cache)}."""
    for _ in range(SLAB_OPERATIONS):
        if held and chance.random() < 0.2:
            va = chance.choice(sorted(held))
            answer = machine.command(f"{held.pop(va)[0]} {va:#x}")
            assert answer.startswith(f"freed object={va:#x}"), answer
        elif chance.random() < 0.5:
            answer = machine.command(f"kmalloc {chance.choice(SIZES)}")
            size = int(keys(answer)["size"])
            held[int(keys(answer)["object"], 16)] = "kfree", f"kmalloc-{size}"
        else:
            cache = chance.choice(("kmalloc-192", "dma-kmalloc-64", "kmalloc-1024"))
            answer = machine.command(f"objalloc {cache} GFP_ATOMIC")
            held[int(keys(answer)["object"], 16)] = "objfree", cache


class Objects:
    """What the monitor and gdb say about the caches of one machine."""

    def __init__(self, machine, address, chance):
        self.held = {}
        random_objects(machine, chance, self.held)
        block = keys(machine.command("alloc 3"))
        self.freed = sorted(self.held)[0]
        machine.command(f"{self.held.pop(self.freed)[0]} {self.freed:#x}")
        self.slabinfo = slabinfo(machine.command("slabinfo"))
        self.names = sorted({cache for _, cache in self.held.values()} | {"kmem_cache"})
        self.slabs = {name: machine.command(f"slab {name}").strip().splitlines()
                      for name in self.names}
        with attached(address) as gdb:
            self.caches = gdb.run("quarry caches")
            self.gdb_slabs = {name: gdb.run(f"quarry slabs {name}") for name in self.names}
            self.objects = {(name, state): gdb.run(f"quarry objects {name} {state}")
                            for name in self.names for state in ("taken", "cached", "free", "")}
            places = [symbol_address(gdb, expression) for expression in (
                "&zones[1]", "(unsigned long)&df_stack_top - 8", "(unsigned long)&boot_stack_guard",
                "(unsigned long)&boot_stack_top - 4", "(unsigned long)whatis_show + 5",
                "(unsigned long)kernel_entry")]
            objs = chance.sample(sorted(self.held), 12)
            slab = keys(self.slabs["kmem_cache"][-1])
            self.vas = [*places, *objs, self.freed, *(va + 5 for va in objs),
                        int(slab["address"], 16), int(slab["objects"], 16) - 1,
                        int(block["va"], 16) + 2 * PAGE + 9,
                        0, 0x1000, PAGE_OFFSET - 1, PAGE_OFFSET, PAGE_OFFSET + 0x5000000,
                        0xFF000000, 0xFFFFE000, 0xFFFFEFFF, 0xFFFFFFFF]
            self.gdb_whatis = {va: gdb.run(f"quarry whatis {va:#x}").splitlines()
                               for va in self.vas}
        self.whatis = {va: machine.command(f"whatis {va:#x}").strip().splitlines()
                       for va in self.vas}
        assert machine.command("check").strip() == "0 violations"


@pytest.fixture(scope="module", params=["", "slab_debug=FZPU,*kmalloc-*"])
def made(request):
    """A machine with objects made by hand, without and with debug options of their caches."""
    chance = random.Random(f"{SEED} objects {request.param}")
    with console("64M", append=request.param) as (machine, address):
        found = Objects(machine, address, chance)
        found.debugged = bool(request.param)
        assert machine.poweroff().kind == "poweroff"
    return found


def gdb_caches(text):
    return {keys(line)["cache"]: keys(line) for line in text.strip().splitlines()}


def test_caches_agrees_with_slabinfo(made):
    said = gdb_caches(made.caches)
    assert list(said) == list(made.slabinfo)
    assert {"kmem_cache", "kmalloc-8", "kmalloc-131072", "dma-kmalloc-8"} <= set(said)
    for name, numbers in made.slabinfo.items():
        cache = {key: int(n) for key, n in said[name].items() if n.isdigit()}
        assert numbers[:4] == [cache["in_use"], cache["objs"], cache["stride"],
                               cache["objs_per_slab"]], name
        assert numbers[4] == 1 << cache["order"]
        assert numbers[8:] == [cache["slabs"] - cache["empty"], cache["slabs"], cache["shared"]]
        assert said[name]["lock"] == "free"
    assert ("store_user" in said["kmalloc-8"]["flags"]) == made.debugged
    assert said["kmem_cache"]["management"] == "on-slab"


def test_objects_made_by_hand_are_those_that_are_taken(made):
    held = {name: [va for va, (_, cache) in made.held.items() if cache == name]
            for name in made.names}
    assert sum(len(vas) for vas in held.values()) == len(made.held) > 12
    for name in made.names:
        taken = [int(keys(line)["object"], 16) for line in made.objects[name, "taken"].splitlines()]
        assert len(taken) == len(set(taken)) == made.slabinfo[name][0]
        assert set(held[name]) <= set(taken)
        assert made.freed not in taken
        # The rest holds management of others' slabs; no other cache has users at the monitor.
        if name in ("kmalloc-1024", "kmalloc-4096", "dma-kmalloc-64"):
            assert set(held[name]) == set(taken)


def test_slabs_agrees_with_the_monitor_and_its_maps_with_objects(made):
    for name in made.names:
        said = made.gdb_slabs[name]
        assert not broken(said)
        assert [line.strip() for line in said.splitlines() if line.startswith("  slab ")] == \
            [line for line in made.slabs[name] if line.startswith("slab ")]
        letters = Counter("".join(re.findall(r"^     +\d+ (.*)$", said, re.M)))
        nr = {state: len(made.objects[name, state].splitlines())
              for state in ("taken", "cached", "free", "")}
        assert letters == Counter({"T": nr["taken"], "c": nr["cached"], "-": nr["free"]})
        assert sum(letters.values()) == nr[""] == made.slabinfo[name][1]
        counts = next(keys(line) for line in made.slabs[name] if line.startswith("counts "))
        assert (int(counts["in_use"]), int(counts["cached"])) == (nr["taken"], nr["cached"])


def test_objects_tells_who_has_them_where_the_cache_remembers(made):
    lines = [line for name in made.names if name != "kmem_cache"
             for line in made.objects[name, "taken"].splitlines()]
    assert lines
    for line in lines:
        assert ("allocated_by" in keys(line)) == made.debugged
        if made.debugged:
            assert int(keys(line)["allocated_time"]) > 0
    if made.debugged:
        by_hand = [line for line in lines if int(keys(line)["object"], 16) in made.held]
        assert all(re.search(r"allocated_by=(take|__kmalloc|cmd_\w+)\+0x", line)
                   for line in by_hand), by_hand


def test_whatis_agrees_with_the_monitor(made):
    for va, said in made.gdb_whatis.items():
        assert not broken("\n".join(said))
        said = [line.partition(" cpu=0")[0] if line.startswith("page") else line for line in said]
        assert said == made.whatis[va], hex(va)
    kinds = Counter(line.split()[0] for lines in made.whatis.values() for line in lines)
    assert {"slab", "object", "page", "symbol", "stack", "image", "fixmap", "nothing",
            "region"} <= set(kinds)
    assert bool(kinds["allocated"]) == made.debugged
    states = Counter(keys(line).get("state") for va in made.held if va in made.whatis
                     for line in made.whatis[va] if line.startswith("object "))
    assert list(states) == ["taken"]
    assert not any("state=taken" in line for line in made.whatis[made.freed]
                   if line.startswith("object "))


def test_slab_commands_explain_a_wrong_name_or_state(toy):
    assert "no cache 'no-such'" in toy.run("quarry slabs no-such")
    assert "which cache?" in toy.run("quarry objects")
    assert "states are taken, cached, free" in toy.run("quarry objects kmem_cache lost")
    assert "one address" in toy.run("quarry whatis")


# ---- inside an allocation -----------------------------------------------------------------------

# Step through the allocator one instruction at a time; at each, ask and print one line.
STEPPER = r'''
import gdb, re
start = int(gdb.parse_and_eval("$sp"))
before = int(gdb.parse_and_eval("zones[0].nr_free"))
nr = 0
while int(gdb.parse_and_eval("$sp")) <= start and nr < 3000:
    said = gdb.execute("quarry free DMA", to_string=True)
    if nr % 25 == 0:
        for other in OTHERS:
            gdb.execute("quarry " + other, to_string=True)
    lists = {}
    for row in re.findall(r"^  (\w+able) +([\d ]+)$", said, re.M):
        lists[row[0]] = [int(n) for n in row[1].split()]
    pages = sum(n << order for row in lists.values() for order, n in enumerate(row))
    held = "lock=held" in said
    broken = [line for line in said.splitlines() if line.startswith("BROKEN")]
    print("step pages=%d held=%d broken=%d links=%d" % (pages, held, len(broken),
          sum("points back" in line or "reached from" in line for line in broken)))
    nr += 1
    gdb.execute("stepi", to_string=True)
print("stepped nr=%d before=%d" % (nr, before))
'''
ORDER_STEPPED = 7
GFP_STEPPED = "GFP_KERNEL|__GFP_RECLAIMABLE"     # a mobility that has no block of its own yet


def buddyinfo(text):
    """Blocks of each order in a machine of one zone."""
    return [int(n) for n in text.split()[4:]]


def test_commands_work_at_every_instruction_of_an_allocation(tmp_path):
    script = tmp_path / "step.py"
    script.write_text(STEPPER.replace("OTHERS", repr(COMMANDS)))
    with console("16M") as (machine, address):
        machine.command("quiesce")
        before_lists = buddyinfo(machine.command("buddyinfo"))
        with ThreadPoolExecutor(1) as pool, attached(address) as gdb:
            typed = pool.submit(machine.command, f"alloc {ORDER_STEPPED} {GFP_STEPPED}")
            break_at(gdb, "zone_take_blocks")
            text = gdb.run("delete", "set $blocks = blocks", f"source {script}")
            after, taken = gdb.run("quarry free DMA"), gdb.run("quarry page *$blocks")
            gdb.run("detach")
            answer = typed.result()
        assert f"order={ORDER_STEPPED}" in answer
        after_said = machine.command("buddyinfo")
        assert machine.poweroff().kind == "poweroff"
    assert "Error" not in text and "Traceback" not in text, text
    steps = [{key: int(n) for key, n in keys(line).items()}
             for line in text.splitlines() if line.startswith("step ")]
    before = int(re.search(r"before=(\d+)", text)[1])
    assert 50 < len(steps) == int(re.search(r"stepped nr=(\d+)", text)[1]) < 3000
    # The way in and out: lock free, everything in order, and the block gone in between.
    assert steps[0] == {"pages": before, "held": 0, "broken": 0, "links": 0}
    assert steps[-1] == {"pages": before - (1 << ORDER_STEPPED), "held": 0, "broken": 0,
                         "links": 0}
    # On the way lists are half-linked, which is seen, and only under the lock.
    assert any(step["links"] for step in steps)
    assert all(step["held"] for step in steps if step["broken"])
    # The largest block is taken, and what is left of it comes back, the smallest block first.
    assert len(before_lists) == MAX_ORDER
    largest = max(order for order, nr in enumerate(before_lists) if nr)
    assert {step["pages"] for step in steps} == \
        {before} | {before - (1 << largest) + (1 << order) - (1 << ORDER_STEPPED)
                    for order in range(ORDER_STEPPED, largest + 1)}
    rows = gdb_lists(after)["DMA"].values()
    assert [sum(column) for column in zip(*rows)] == buddyinfo(after_said)
    # The block was nobody's when the last instruction was reached.
    assert keys(taken)["state"] == "in-motion" and keys(taken)["pfn"] in answer


# The same with objects that a magazine takes from their slabs; the caller is the next frame.
SLAB_STEPPER = r'''
import gdb, re
start = int(gdb.parse_and_eval("$sp"))
nr = 0
while int(gdb.parse_and_eval("$sp")) <= start and nr < 5000:
    said = gdb.execute("quarry slabs kmalloc-64", to_string=True)
    letters = "".join(re.findall(r"^     +[0-9]+ (.*)$", said, re.M))
    broken = sum(line.startswith("BROKEN") for line in said.splitlines())
    print("step taken=%d free=%d held=%d broken=%d" % (letters.count("T"), letters.count("-"),
          "lock=held" in said, broken))
    nr += 1
    gdb.execute("stepi", to_string=True)
print("stepped nr=%d" % nr)
'''


def test_slabs_is_right_at_every_instruction_that_takes_objects(tmp_path):
    script = tmp_path / "step.py"
    script.write_text(SLAB_STEPPER)
    with console("16M") as (machine, address):
        for _ in range(2):      # the slab is there, and the magazine is empty
            assert machine.command("kmalloc 64").startswith("object=")
        machine.command("shrink")
        with ThreadPoolExecutor(1) as pool, attached(address) as gdb:
            typed = pool.submit(machine.command, "kmalloc 64")
            break_at(gdb, "cache_take")
            batch = int(re.search(r"= (\d+)", gdb.run("print c->batch"))[1])
            text = gdb.run("delete", f"source {script}")
            gdb.run("detach")
            answer = typed.result()
        assert answer.startswith("object=")
        assert machine.command("check").strip() == "0 violations"
        assert machine.poweroff().kind == "poweroff"
    assert "Error" not in text and "Traceback" not in text, text
    steps = [{key: int(n) for key, n in keys(line).items()}
             for line in text.splitlines() if line.startswith("step ")]
    assert 50 < len(steps) == int(re.search(r"stepped nr=(\d+)", text)[1]) < 5000
    # The way in and out: lock free, nothing broken, and a batch is taken in between.
    assert (steps[0]["held"], steps[0]["broken"]) == (steps[-1]["held"], steps[-1]["broken"]) == \
        (0, 0)
    assert steps[0]["free"] - steps[-1]["free"] == batch == \
        steps[-1]["taken"] - steps[0]["taken"] > 1
    # On the way an index is marked before it is counted, which is seen, and only under the lock.
    assert any(step["broken"] for step in steps)
    assert all(step["held"] for step in steps if step["broken"])


@pytest.fixture(scope="module")
def toy():
    """gdb and a small machine whose memory may be spoiled: it never runs on."""
    with console("16M") as (_, address):
        gdb = Gdb(address)
        yield gdb
        gdb.close()


@contextlib.contextmanager
def changed(gdb, expression, value):
    """The kernel's variable has another value for a while."""
    gdb.run(f"set $kept = {expression}")
    assert not gdb.run(f"set var {expression} = {value}").strip()
    try:
        yield
    finally:
        gdb.run(f"set var {expression} = $kept")


def test_every_kind_of_broken_link_ends_the_walk_and_is_named(toy):
    sound = gdb_lists(toy.run("quarry free DMA"))["DMA"]["movable"]
    order = max(i for i in range(MAX_ORDER) if sound[i] >= 2)
    toy.run(f"set $head = &zones[0].free_area[{order}].list[MOB_MOVABLE]",
            "set $first = $head->next", "set $last = $head->prev", "set $second = $first->next")
    for link, value, expected, reached in (
            ("$last->next", "$first", "never to its head", sound[order]),
            ("$last->next", "$last", "never to its head", sound[order]),
            ("$first->next", "(struct list_head *)0x13", "in no struct page", 1),
            ("$first->next", "(struct list_head *)0", "in no struct page", 1),
            ("$first->next", "&mem_map[7].lru", "not a free block of this list", None),
            ("$second->prev", "$second", "points back to", sound[order]),
            ("$head->prev", "$first", "points back to", sound[order]),
            ("$head->next", "(struct list_head *)0x41414141", "in no struct page", 0)):
        with changed(toy, link, value):
            said = toy.run("quarry free DMA")
        assert any(expected in line for line in broken(said)), said
        if reached is not None:
            assert gdb_lists(said)["DMA"]["movable"][order] == reached
    assert not broken(toy.run("quarry free"))


@pytest.mark.parametrize("variable, value, command, expected", [
    ("zones[0].nr_free", "zones[0].nr_free + 1", "free", "nr_free says"),
    ("zones[0].nonempty[1]", "zones[0].nonempty[1] ^ 4", "free", "nonempty is"),
    ("zones[0].free_area[0].nr_blocks[0]", "77", "free", "nr_blocks says 77"),
    ("pcp_stack[0].nr", "1 + pcp_stack[0].limit", "pcp", "limit="),
    ("pcp_stack[0].nr", "99", "pcp", "nr=99"),
    ("pcp_stack[0].bottom", "&mem_map[0]", "pcp", "bottom=0x"),
    ("cache_cache.nr_taken", "77", "slabs kmem_cache", "nr_taken says 77"),
    ("cache_cache.nr_slabs", "0", "slabs kmem_cache", "nr_slabs says 0"),
    ("cache_cache.nr_shared", "61", "slabs kmem_cache", "is no taken object"),
    ("cache_cache.full.next", "(void *)0x41414140", "slabs kmem_cache", "leads astray"),
    ("cache_cache.full.next", "cache_cache.full.next->next", "slabs kmem_cache", "points back to"),
    ("((struct slab *)cache_cache.full.next)->free", "3", "slabs kmem_cache",
     "never ends|leads to"),
    ("((struct slab *)cache_cache.full.next)->nr_taken", "1", "slabs kmem_cache", "are marked"),
    ("((struct slab *)cache_cache.full.next)->layout", "0", "slabs kmem_cache",
     "none of its cache's"),
    ("slab_caches.next->next", "slab_caches.next", "caches", "slab_caches: "),
    ("kernel_map_nr", "5000", "memmap", "there is room for"),
    ("memblock.memory.nr", "1000", "memblock", "memory has 1000 regions and room for"),
    ("memblock.memory.region[1].start", "0", "memblock", "memory region 1 is empty, or not behind"),
])
def test_wrong_counts_are_named(toy, variable, value, command, expected):
    assert not broken(toy.run(f"quarry {command}"))
    with changed(toy, variable, value):
        said = toy.run(f"quarry {command}")
    assert any(re.search(expected, line) for line in broken(said)), said


def test_pcp_shows_another_cpus_lists(toy):
    """A second copy of the per-CPU data, made by hand in free memory."""
    assert "cpu 1 has no lists" in toy.run("quarry pcp 1")
    pfn = max(int(pfn, 16) for pfn in re.findall(r"0x\w+", toy.run("quarry free DMA 10")))
    toy.run(f"set $copy = (struct percpu_stack *){PAGE_OFFSET + pfn * PAGE:#x}",
            "set $count = sizeof(pcp_stack) / sizeof(struct percpu_stack)", "set $i = 0",
            "while $i < $count", "set var $copy[$i].nr = 0", "set var $copy[$i].limit = 9",
            "set var $copy[$i].bottom = 0", "set $i = $i + 1", "end", "set var $copy[2].nr = 1",
            "set var $copy[2].slot[0] = &mem_map[0x123]")
    with changed(toy, "percpu_offset[1]", "(unsigned long)$copy - (unsigned long)&pcp_stack"):
        said = toy.run("quarry pcp 1")
    assert "    order=0 mobility=movable blocks=1 pfns=0x00123" in said.splitlines()
    assert ["cpu=1 list 2: pfn=0x123" in line for line in broken(said)] == [True]


def test_commands_leave_gdbs_view_of_memory_as_it_was(toy):
    """QEMU's switch between physical and the CPU's addresses."""
    mode = "maintenance packet qqemu.PhyMemMode"
    toy.run("quarry pt &zones")
    assert '"0"' in toy.run(mode)
    before = toy.run("quarry zones", "quarry pt &zones")
    toy.run("maintenance packet Qqemu.PhyMemMode:1")
    assert toy.run("quarry zones", "quarry pt &zones") == before
    assert '"1"' in toy.run(mode)
    toy.run("maintenance packet Qqemu.PhyMemMode:0")


# ---- before there is anything -------------------------------------------------------------------


def ask_all(gdb):
    answers = {command: gdb.run(f"quarry {command}") for command in COMMANDS}
    for command, text in answers.items():
        assert text.strip() and "Python" not in text and "Error" not in text, (command, text)
    return answers


def symbol_address(gdb, expression):
    return int(re.search(r"= .*?(0x\w+)", gdb.run(f"print/x {expression}"))[1], 16)


def test_commands_work_before_paging_is_on(tmp_path):
    with at_power_on(tmp_path) as gdb:
        gdb.run(f"thbreak *{run_qemu.elf_entry(KERNEL):#x}", "continue")
        assert break_at(gdb, "early_setup") < PAGE_OFFSET
        answers = ask_all(gdb)
        for command in ("zones", "free", "pcp", "memmap", "memblock"):
            assert answers[command].startswith("paging is off (CR0.PG=0)"), command
        assert answers["zones"].count("not made yet") == 3
        assert "no struct pages yet" in answers["page 0x101"]
        for command in ("caches", "slabs kmem_cache", "objects kmem_cache"):
            assert "no slab caches yet" in answers[command]
        assert "no struct pages yet" in answers["whatis &zones"]
        assert "symbol name=zones" in answers["whatis &zones"]
        assert "memory=0 reserved=0" in answers["memblock"]
        assert "has not been read yet" in answers["memmap"]
        assert "not present" in gdb.run(f"quarry pt {PAGE_OFFSET + 0x101000:#x}")
        # Initialised data is read where it is now: the kernel's lists of reservations are there.
        gdb.run("set $before = *(unsigned int *)((char *)&memblock.reserved.cap - 0xC0000000)")
        assert int(re.search(r"= (\d+)", gdb.run("print $before"))[1]) > 0
        # The tables that are ready when early_setup() returns translate the kernel's window.
        gdb.run("finish")
        for va in (0x101000, PAGE_OFFSET + 0x101234, PAGE_OFFSET + 0xfff000):
            said = gdb.run(f"quarry pt {va:#x}")
            assert "paging is off" in said and f" pa={va & ~PAGE_OFFSET:#x} size=4K" in said
        for va in (0x1000000, PAGE_OFFSET + 0x1000000, 0x80000000):
            assert "not present" in gdb.run(f"quarry pt {va:#x}")
        assert "cr0=0x31" in gdb.run('printf "cr0=%#x\\n", $cr0')


def test_commands_follow_the_boot(tmp_path):
    """Paging on, no zones; then early memory, no pages; then pages."""
    with at_power_on(tmp_path) as gdb:
        gdb.run(f"thbreak *{run_qemu.elf_entry(KERNEL):#x}", "continue")
        assert break_at(gdb, "mm_init") >= PAGE_OFFSET
        answers = ask_all(gdb)
        assert answers["zones"].count("not made yet") == 3
        assert "no struct pages yet" in answers["page 0x101"]
        log = Path(tmp_path, "serial").read_text()
        maps = answers["memmap"].partition("sanitised")
        for whose, text in (("BIOS-e820", maps[0]), ("e820", maps[2])):
            said = re.findall(r"(0x\w+)-(0x\w+) ", text)
            logged = re.findall(rf"(?<!\S){whose}: \[mem (0x\w+)-(0x\w+)\]", log)
            assert [tuple(int(n, 16) for n in pair) for pair in said] == \
                [tuple(int(n, 16) for n in pair) for pair in logged] != []
        assert "no slab caches yet" in answers["caches"]
        break_at(gdb, "memmap_alloc")
        answers = ask_all(gdb)
        ram = re.findall(r"^memory +\[mem (0x\w+)-(0x\w+)\]", answers["memblock"], re.M)
        assert sum(int(end, 16) + 1 - int(start, 16) for start, end in ram) > 60 << 20
        assert re.search(r"^reserved .* KiB kernel text$", answers["memblock"], re.M)
        assert "open" in answers["memblock"]
        break_at(gdb, "monitor_run")
        answers = ask_all(gdb)
        assert not any(broken(text) for text in answers.values())
        assert "state=reserved" in answers["page 0x101"]
        assert "cache=kmem_cache " in answers["caches"]
        assert "image " in answers["whatis &zones"] and "state=reserved" in answers["whatis &zones"]
        text = re.search(r"^reserved \[mem (0x\w+)-(0x\w+)\].* kernel text$",
                         answers["memblock"], re.M)
        said = gdb.run("quarry page zone_take_blocks", "quarry pt zone_take_blocks")
        pa = int(keys(said)["pa"], 16)
        assert int(text[1], 16) <= pa <= int(text[2], 16)
        assert "flags=present|accessed|global" in said, "text is read-only"


# Fill the kernel's variables with noise: random words, addresses of variables, small numbers.
SCRIBBLER = r'''
import gdb, random
chance = random.Random(SEED)
start, end = (int(gdb.parse_and_eval("(unsigned long)&image_" + name))
              for name in ("data_start", "bss_end"))
shift = SHIFT
for at in range(start, end, 4096):
    words = [chance.choice((chance.getrandbits(32), start + chance.randrange(end - start) // 4 * 4,
                            chance.randrange(64))) for _ in range(1024)]
    try:
        gdb.selected_inferior().write_memory(at - shift, b"".join(word.to_bytes(4, "little")
                                                                   for word in words))
    except gdb.MemoryError:
        pass    # a guard page
'''


def scribble(gdb, tmp_path, chance, shift):
    script = tmp_path / "scribble.py"
    script.write_text(SCRIBBLER.replace("SEED", str(chance.getrandbits(32)))
                      .replace("SHIFT", str(shift)))
    assert not gdb.run(f"source {script}").strip()


@pytest.mark.parametrize("paging", [False, True])
def test_commands_survive_noise_where_the_kernel_has_its_variables(tmp_path, paging):
    chance = random.Random(f"{SEED} noise {paging}")
    nr_broken = 0
    with at_power_on(tmp_path) as gdb:
        if paging:
            break_at(gdb, "monitor_run")
        for _ in range(2):
            scribble(gdb, tmp_path, chance, 0 if paging else PAGE_OFFSET)
            answers = ask_all(gdb)
            assert answers["zones"].startswith("paging is off") != paging
            assert all(len(broken(text)) <= 11 for text in answers.values())
            nr_broken += sum(len(broken(text)) for text in answers.values())
    assert nr_broken


def test_commands_need_a_kernel():
    done = subprocess.run(["gdb", "-q", "-nx", "-batch", "-x", ROOT / "tools/gdb/quarry.py",
                           "-ex", "quarry zones", "-ex", "file " + KERNEL, "-ex", "quarry free",
                           "-ex", "quarry help", "-ex", "quarry nonsense"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=GDB_TIMEOUT, check=False)
    assert done.stdout.count("no kernel is being debugged") == 2, done.stdout
    assert "quarry page " in done.stdout and "no command 'quarry nonsense'" in done.stdout


# ---- as make debug starts it --------------------------------------------------------------------


def test_debug_loads_the_commands_and_both_symbol_tables():
    """What `make debug GDB_ARGS=...` runs, from the entry to the monitor."""
    script = " ".join(f"-ex '{command}'" for command in (
        "quarry pt 0xC0101000", "break early_setup", "continue", "quarry zones", "delete",
        "break monitor_run", "continue", "info symbol $pc", "quarry zones", "quarry page 0x101"))
    with tempfile.TemporaryDirectory(prefix="quarry-gdb-") as build:
        done = subprocess.run(
            [ROOT / "tools/run_qemu.py", "debug", "--kernel", KERNEL, "--mem", "64M",
             "--gdb-args", f"-batch {script}"], cwd=ROOT, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60, check=False,
            env={**os.environ, "QUARRY_BUILD": build})
    assert done.returncode == 0, done.stdout
    assert "early_setup (magic=732803074)" in done.stdout
    assert re.search(r"^monitor_run( \+ \d+)? in section \.text", done.stdout, re.M)
    assert done.stdout.count("not made yet") == 3
    assert set(gdb_zones("\n".join(re.findall(r"^(?:zone=\w+ start_pfn.*|    min=.*)",
                                              done.stdout, re.M)))) == {"DMA", "Normal", "HighMem"}
    assert "state=reserved flags=reserved" in done.stdout
