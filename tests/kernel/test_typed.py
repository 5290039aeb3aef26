"""test_typed.py - the kernel at the other end of a serial line hears, answers and reboots."""

import dataclasses
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import run_qemu  # noqa: E402


@pytest.fixture
def machine():
    kernel = run_qemu.BUILD / "x86-gcc/quarry.elf"
    return run_qemu.Machine(kernel=str(kernel), mem="64M", name="test-typed")


def test_what_is_typed_is_answered(machine):
    with run_qemu.Console(machine) as console:
        assert "reboot" in console.command("help")
        assert console.command("no_such_command").strip()
        assert console.poweroff().kind == "poweroff"


# What allocates, what the report says of it, and what gives it back.
PLANTED = [
    ("alloc 2", r"^pfn=(0x\w+)", "free {}",
     r"^page pages=4 kib=16 nr=1 kind=page by=cmd_alloc\+0x"),
    ("vmalloc 10000", r"^area=(0x\w+)", "vfree {}",
     r"^area pages=3 kib=12 nr=1 kind=vmalloc by=cmd_vmalloc\+0x"),
    ("kmalloc 100", r"^object=(0x\w+)", "kfree {}",
     r"^object bytes=128 nr=1 cache=kmalloc-128 by=take\+0x"),
]


def test_a_planted_leak_is_listed_by_its_caller_until_it_is_given_back(machine):
    machine = dataclasses.replace(machine, append="page_owner=1 slab_debug=U")
    with run_qemu.Console(machine) as console:
        since_boot = console.command("leaks")
        assert re.search(r"^object .* cache=kmem_cache by=\w+\+0x", since_boot, re.M), since_boot
        console.command("leaks mark")
        for take, name, give, line in PLANTED:
            assert not re.search(line, console.command("leaks"), re.M)
            taken = re.search(name, console.command(take), re.M)
            report = console.command("leaks")
            assert re.search(line, report, re.M), report
            assert len(re.findall(r" by=", report)) == 1, report
            console.command(give.format(taken.group(1)))
            report = console.command("leaks")
            assert " by=" not in report, report
        assert console.poweroff().kind == "poweroff"


def test_reboot_starts_the_kernel_again(machine, capfd):
    end = run_qemu.run_typed(machine, ["help\n", "reboot\n", "help\n"], 60)
    assert end.kind == "poweroff", end
    text = capfd.readouterr().out
    assert text.count("quarry> ") >= 4          # a prompt for each line, and for the poweroff
    greeting = text.split("quarry> ", 1)[0].strip().split("\n")[0]
    assert greeting and text.count(greeting) == 2, greeting


# ---- made by hand, seen in the reports, given back ----------------------------------------------


@pytest.fixture(scope="module")
def large():
    """The prompt of a machine with 2 GiB, 1152 MiB of them HighMem."""
    kernel = run_qemu.BUILD / "x86-gcc/quarry.elf"
    with run_qemu.Console(run_qemu.Machine(kernel=str(kernel), mem="2G",
                                           name="test-typed-2G")) as console:
        yield console
        assert console.command("check").strip() == "0 violations"
        assert console.poweroff().kind == "poweroff"


def keys(line):
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


def ask(console, command):
    return console.command(command).strip().splitlines()


def slab_counts(console, cache):
    """(objects in use, objects) of a line of slabinfo."""
    line = next(line for line in ask(console, "slabinfo") if line.split()[0] == cache)
    return tuple(int(n) for n in line.split()[1:3])


def test_an_object_made_by_hand_is_in_slabinfo_and_whatis_until_it_is_freed(large):
    before = slab_counts(large, "kmalloc-256")
    made = keys(large.command("kmalloc 200"))
    va = int(made["object"], 16)
    assert slab_counts(large, "kmalloc-256")[0] == before[0] + 1
    slab, obj, page, *_, region = ask(large, f"whatis {va + 199:#x}")
    assert slab.startswith("slab cache=kmalloc-256 ")
    assert (int(keys(obj)["start"], 16), keys(obj)["offset"], keys(obj)["state"]) == \
        (va, "199", "taken")
    assert int(keys(page)["pfn"], 16) == (va - 0xC0000000) >> 12 and keys(page)["flags"] == "slab"
    assert region.endswith(" mapped=yes name=direct map")
    assert large.command(f"kfree {va:#x}").startswith("freed object=")
    assert slab_counts(large, "kmalloc-256")[0] == before[0]
    assert all("state=taken" not in line for line in ask(large, f"whatis {va:#x}"))


def test_an_area_made_by_hand_is_in_vmallocinfo_and_whatis_until_it_is_freed(large):
    before = ask(large, "vmallocinfo")
    va = int(keys(large.command("vmalloc 20000"))["area"], 16)
    [line] = [line for line in ask(large, "vmallocinfo") if line not in before]
    assert line.startswith(f"{va:#010x}-{va + 24576:#010x}   24576 cmd_vmalloc+0x")
    assert line.endswith(" pages=5 vmalloc")
    area, page, region = ask(large, f"whatis {va + 20479:#x}")
    assert area.startswith(f"area kind=vmalloc start={va:#010x} size=20480 offset=20479 "
                           "part=inside state=living by=cmd_vmalloc+0x")
    assert keys(page)["zone"] == "HighMem" and keys(page)["state"] == "used"
    assert region.endswith(" mapped=yes name=vmalloc")
    guard, region = ask(large, f"whatis {va + 20480:#x}")
    assert keys(guard)["part"] == "guard" and keys(region)["mapped"] == "no"
    assert large.command(f"vfree {va:#x}").startswith("freed area=")
    large.command("quiesce")
    assert ask(large, "vmallocinfo") == before
    assert ask(large, f"whatis {va:#x}")[0].startswith("nothing ")
    assert keys(large.command(f"page {page.split()[1][4:]}"))["state"] != "used"


def test_a_page_mapped_by_hand_is_in_pkmap_and_whatis_until_it_is_unmapped(large):
    assert keys(ask(large, "pkmap")[-1])["held"] == "0"
    made = keys(large.command("alloc 0 GFP_HIGHUSER"))
    pfn = made["pfn"]
    assert (made["va"], made["zone"]) == ("none", "HighMem")
    mapped = [keys(large.command(f"kmap {pfn}")) for _ in range(2)]
    va = mapped[0]["va"]
    assert mapped[0] == mapped[1] == {"pfn": pfn, "va": va}
    [slot, total] = ask(large, "pkmap")
    assert slot.startswith("pkmap slot=") and slot.endswith(keys(slot)["by"])
    assert (keys(slot)["count"], keys(slot)["pfn"]) == ("3", pfn)
    assert keys(slot)["by"].startswith("cmd_kmap+0x")
    assert (keys(total)["held"], keys(total)["unused"]) == ("1", "0")
    said, page, region = ask(large, f"whatis {int(va, 16) + 4095:#x}")
    assert said == slot and keys(page)["pfn"] == pfn and keys(page)["va"] == va
    assert region.endswith(" mapped=yes name=pkmap")
    for held in ("1", "0"):
        assert large.command(f"kunmap {pfn}").strip() == f"unmapped pfn={pfn}"
        assert keys(ask(large, "pkmap")[-1])["held"] == held
    assert "nothing that kmap mapped" in large.command(f"kunmap {pfn}")
    # Nobody holds it, and its slot still maps it: until the next flush.
    assert keys(ask(large, "pkmap")[-1])["unused"] == "1"
    assert keys(large.command(f"page {pfn}"))["va"] == va
    large.command("quiesce")
    assert [keys(line).get("unused") for line in ask(large, "pkmap")] == ["0"]
    assert keys(large.command(f"page {pfn}"))["va"] == "none"
    assert [line.split()[0] for line in ask(large, f"whatis {va}")] == ["pkmap", "region"]
    assert large.command(f"free {pfn}").startswith("freed pfn=")


def test_a_lowmem_page_mapped_by_hand_takes_no_slot(large):
    made = keys(large.command("alloc 0 GFP_KERNEL"))
    assert keys(large.command(f"kmap {made['pfn']}"))["va"] == f"{int(made['va'], 16):#010x}"
    assert len(ask(large, "pkmap")) == 1
    assert large.command(f"kunmap {made['pfn']}").strip() == f"unmapped pfn={made['pfn']}"
    assert large.command(f"free {made['pfn']}").startswith("freed pfn=")


def test_fixmap_and_whatis_agree_about_every_fixed_page(large):
    *lines, total = ask(large, "fixmap")
    assert total.startswith("fixmap slots=") and int(keys(total)["mapped"]) == len(lines)
    for line in lines:
        said = next(said for said in ask(large, f"whatis {keys(line)['va']}")
                    if said.startswith("fixmap "))
        assert (keys(said)["slot"], keys(said)["pfn"]) == (keys(line)["slot"], keys(line)["pfn"])
        assert keys(line)["use"] not in ("kmap_local", "test", "test_last")
    # Nobody holds a local slot at the prompt.
    first, last = 0xFFFFF000 - 0x1000 * 32 * 16, 0xFFFFE000
    for va in (first, first + 15 * 0x1000, last):
        slot, region = ask(large, f"whatis {va:#x}")
        assert "use=kmap_local" in slot and slot.endswith(" pfn=none")
        assert keys(region)["mapped"] == "no"
