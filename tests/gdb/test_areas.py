"""The gdb commands about areas, slots of kmap() and the fixmap, against a live QEMU.

As test_gdb.py: what is there is made by typing into the monitor, and then the same question is put
to the monitor and, with the machine stopped, to gdb.
"""

import random
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from test_gdb import PAGE, SEED, attached, break_at, broken, changed, console, keys, pfn_in
from test_gdb import Gdb

PKMAP_START = 0xFF800000
FIXMAP_START = 0xFFD5F000
FIXMAP_END = 0xFFFFF000
NR_OPERATIONS = 60
SIZES = (1, PAGE, PAGE + 1, 10000, 70000, 1 << 20)


def type_areas(machine, chance, held):
    """Areas made by hand, some of them given back; @held, {address: size}."""
    for _ in range(NR_OPERATIONS):
        if held and chance.random() < 0.4:
            va = chance.choice(sorted(held))
            assert machine.command(f"vfree {va:#x}").startswith("freed area=")
            del held[va]
        else:
            size = chance.choice(SIZES)
            answer = keys(machine.command(f"vmalloc {size}"))
            held[int(answer["area"], 16)] = size


def type_slots(machine, chance, counts):
    """Pages mapped by hand, some more than once, some no more; @counts, {pfn: users}."""
    pfns = [pfn_in(machine.command("alloc 0 GFP_HIGHUSER")) for _ in range(12)]
    counts.update(dict.fromkeys(pfns, 0))
    for _ in range(NR_OPERATIONS // 2):
        pfn = chance.choice(pfns)
        if counts[pfn] and chance.random() < 0.5:
            assert machine.command(f"kunmap {pfn:#x}") == f"unmapped pfn={pfn:#07x}\n"
            counts[pfn] -= 1
        else:
            assert pfn_in(machine.command(f"kmap {pfn:#x}")) == pfn
            counts[pfn] += 1


class Answers:
    """What the monitor and gdb say about one state."""

    def __init__(self, machine, address, chance):
        self.areas, self.counts = {}, {}
        type_areas(machine, chance, self.areas)
        type_slots(machine, chance, self.counts)
        some = chance.sample(sorted(self.areas), min(6, len(self.areas)))
        sizes = {va: -(-self.areas[va] // PAGE) * PAGE for va in some}
        self.vas = some + [va + sizes[va] - 1 for va in some] + [va + sizes[va] for va in some] + \
            [PKMAP_START + i * PAGE + 7 for i in range(16)] + \
            [FIXMAP_START, FIXMAP_END - 1, FIXMAP_END - 512 * PAGE, PKMAP_START - 1, 0xF0000000]
        self.monitor = {name: machine.command(name).strip().splitlines()
                        for name in ("vmallocinfo", "pkmap", "fixmap")}
        self.whatis = {va: machine.command(f"whatis {va:#x}").strip().splitlines()
                       for va in self.vas}
        with attached(address) as gdb:
            self.gdb = {name: gdb.run(f"quarry {name}") for name in ("areas", "pkmap", "fixmap")}
            self.gdb_whatis = {va: gdb.run(f"quarry whatis {va:#x}") for va in self.vas}


@pytest.fixture(scope="module", params=[("2G", ""), ("64M", "kmap_debug=1")])
def made(request):
    """Areas and slots made by hand, where there is highmem and where lowmem has slots."""
    mem, append = request.param
    print(f"seed {SEED}: QUARRY_SEED={SEED} repeats this")
    with console(mem, append=append) as (machine, address):
        found = Answers(machine, address, random.Random(f"{SEED} areas {mem}"))
        assert machine.command("check").strip() == "0 violations"
        assert machine.poweroff().kind == "poweroff"
    return found


def test_areas_agrees_with_vmallocinfo(made):
    text = made.gdb["areas"]
    assert not broken(text)
    said = [keys(line) for line in text.splitlines() if line.startswith("area ")]
    assert len(said) == len(made.monitor["vmallocinfo"]) >= len(made.areas)
    for area, line in zip(said, made.monitor["vmallocinfo"]):
        start, grip_end, size, rest = re.match(r"(0x\w+)-(0x\w+) +(\d+) (.*)", line).groups()
        assert area["start"] == start
        assert int(area["size"]) + int(area["guard"]) == int(size) == \
            int(grip_end, 16) - int(start, 16)
        if rest == "unpurged vm_area":
            assert area["state"] == "lazy"
            continue
        assert area["state"] == "living" and rest.split()[0] == area["by"]
        assert ("vmalloc" in rest.split()) == ("vmalloc" in area["flags"].split("|"))
        assert keys(rest).get("pages", "0") == area["pages"]


def test_areas_made_by_hand_are_there_and_freed_ones_are_lazy_or_gone(made):
    said = {int(keys(line)["start"], 16): keys(line) for line in made.gdb["areas"].splitlines()
            if line.startswith("area ")}
    for va, size in made.areas.items():
        assert int(said[va]["size"]) == -(-size // PAGE) * PAGE
        assert int(said[va]["pages"]) == -(-size // PAGE)
        assert said[va]["by"].startswith("cmd_vmalloc+0x")
    living = {va for va, area in said.items() if area["by"].startswith("cmd_vmalloc+")
              and area["state"] == "living"}
    assert living == set(made.areas)


@pytest.mark.parametrize("command", ["pkmap", "fixmap"])
def test_slots_and_fixed_pages_agree_with_the_monitor(made, command):
    assert made.gdb[command].strip().splitlines() == made.monitor[command]
    assert not broken(made.gdb[command])


def test_slots_made_by_hand_have_the_right_counts(made):
    said = {pfn_in(line): keys(line) for line in made.monitor["pkmap"][:-1]}
    for pfn, count in made.counts.items():
        assert int(said[pfn]["count"]) == count + 1 if count else said.get(pfn) is None or \
            said[pfn]["count"] == "1"
        if count:
            assert said[pfn]["by"].startswith("cmd_kmap+0x")
    held = sum(count > 0 for count in made.counts.values())
    assert int(keys(made.monitor["pkmap"][-1])["held"]) == held > 0


def test_whatis_agrees_with_the_monitor_about_areas_slots_and_fixed_pages(made):
    for va, text in made.gdb_whatis.items():
        assert not broken(text)
        said = [line.partition(" cpu=0")[0] if line.startswith("page") else line
                for line in text.splitlines()]
        assert said == made.whatis[va], hex(va)
    kinds = {line.split()[0] for lines in made.whatis.values() for line in lines}
    assert {"area", "page", "pkmap", "fixmap", "region"} <= kinds
    parts = {keys(lines[0]).get("part") for lines in made.whatis.values()}
    assert {"inside", "guard"} <= parts


def test_a_local_slot_is_shown_with_its_holder_while_it_is_held():
    """Stopped in the middle of clearing a page, with the slot of this CPU in use."""
    with console("2G") as (machine, address):
        with ThreadPoolExecutor(1) as pool, attached(address) as gdb:
            typed = pool.submit(machine.command, "alloc 0 GFP_HIGHUSER|__GFP_ZERO")
            break_at(gdb, "kunmap_local_slot")
            fixmap = gdb.run("quarry fixmap")
            line = next(line for line in fixmap.splitlines() if "use=kmap_local" in line)
            va = int(keys(line)["va"], 16)
            whatis = gdb.run(f"quarry whatis {va + 100:#x}", "delete", "detach")
            answer = typed.result()
        assert keys(answer)["pfn"] == keys(line)["pfn"]
        assert (keys(line)["cpu"], keys(line)["nr"]) == ("0", "0")
        assert re.match(r"\w+\+0x", keys(line)["by"])
        assert f"use=kmap_local cpu=0 nr=0 by={keys(line)['by']} pfn={keys(line)['pfn']}" in whatis
        assert "mapped=3" in fixmap     # the local APIC and the text screen, too
        # The slot was popped: nobody holds it any more.
        assert "by=" not in machine.command(f"whatis {va:#x}").splitlines()[0]
        assert machine.poweroff().kind == "poweroff"


@pytest.fixture(scope="module")
def toy():
    """gdb and a machine with two areas, a lazy one and two slots, whose memory may be spoiled."""
    with console("1G") as (machine, address):
        first = keys(machine.command("vmalloc 5000"))["area"]
        machine.command("vmalloc 5000")
        machine.command("vfree " + keys(machine.command("vmalloc 5000"))["area"])
        for _ in range(2):
            machine.command(f"kmap {pfn_in(machine.command('alloc 0 GFP_HIGHUSER')):#x}")
        gdb = Gdb(address)
        gdb.run(f"set $area = {first}")
        yield gdb
        gdb.close()


TOP = "((struct vm_area *)'mm/vmalloc.c'::space.root.top)"
LAZY = "((struct vm_area *)((char *)'mm/vmalloc.c'::lazy.next" \
    " - (long)&((struct vm_area *)0)->link))"


@pytest.mark.parametrize("variable, value, command, expected", [
    ("'mm/vmalloc.c'::counts.nr_areas", "77", "areas", "nr_areas says 77"),
    ("'mm/vmalloc.c'::counts.nr_pages", "0", "areas", "nr_pages says 0"),
    ("'mm/vmalloc.c'::counts.nr_lazy_pages", "9", "areas", "nr_lazy_pages says 9"),
    (TOP + "->size", "4096", "areas", "its range has"),
    (TOP + "->range.end", TOP + "->range.start", "areas", "not behind the one before it, or empty"),
    (TOP + "->range.node.child[0]", "(void *)" + TOP, "areas", "the tree of areas comes back"),
    (TOP + "->range.node.child[1]", "(void *)0x41414140", "areas", "tree of areas leads astray"),
    ("'mm/vmalloc.c'::lazy.next", "(void *)0x41414140", "areas", "the list lazy leads astray"),
    (LAZY + "->link.next", "'mm/vmalloc.c'::lazy.next", "areas", "the list lazy comes back"),
    ("pkmap[0].count.val", "0", "pkmap", "slot 0: count=0 page=0x"),
    ("pkmap[0].count.val", "-3", "pkmap", "slot 0: count=-3 page=0x"),
    ("pkmap[0].page", "0", "pkmap", "slot 0: count=2 page=0"),
    ("pkmap[0].page", "(void *)0xC0000123", "pkmap", "slot 0: no struct page is at 0xc0000123"),
    ("pkmap[0].page", "pkmap[1].page", "pkmap", "slot 0: the page tables have 0x"),
    ("pkmap[1].pte->raw", "0", "pkmap", "slot 1: the page tables have nothing"),
    ("pkmap[1].page->virtual", "(void *)0", "pkmap", "slot 1: pfn=0x.* says that it is at 0x0"),
])
def test_wrong_areas_and_slots_are_named(toy, variable, value, command, expected):
    assert not broken(toy.run(f"quarry {command}"))
    with changed(toy, variable, value):
        said = toy.run(f"quarry {command}")
    assert any(re.search(expected, line) for line in broken(said)), said
