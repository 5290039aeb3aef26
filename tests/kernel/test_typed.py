"""test_typed.py - the kernel at the other end of a serial line hears, answers and reboots."""

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


def test_reboot_starts_the_kernel_again(machine, capfd):
    end = run_qemu.run_typed(machine, ["help\n", "reboot\n", "help\n"], 60)
    assert end.kind == "poweroff", end
    text = capfd.readouterr().out
    assert text.count("quarry> ") >= 4          # a prompt for each line, and for the poweroff
    greeting = text.split("quarry> ", 1)[0].strip().split("\n")[0]
    assert greeting and text.count(greeting) == 2, greeting
