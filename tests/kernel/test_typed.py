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
