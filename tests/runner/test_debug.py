"""make debug: gdb stands at the kernel's entry, its symbols right before and after paging."""

import os
import re
import subprocess

import psutil
import pytest

import run_qemu
from run_qemu import ROOT

KERNEL = os.environ.get("QUARRY_KERNEL", str(ROOT / "build/x86-gcc/quarry.elf"))
PAGE_OFFSET = 0xC0000000
CR0_PG = 1 << 31


def debug(commands, *options):
    """What gdb prints for these commands at the kernel's entry."""
    gdb_args = "-batch " + " ".join(f"-ex '{command}'" for command in commands)
    done = subprocess.run(
        [ROOT / "tools/run_qemu.py", "debug", "--kernel", KERNEL, "--mem", "64M", *options,
         "--gdb-args", gdb_args],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False, cwd=ROOT,
        env={**os.environ, "QUARRY_BUILD": str(run_qemu.BUILD)})
    assert done.returncode == 0, done.stdout
    return done.stdout


def value(text, name):
    return int(re.search(rf"^{name}=(\w+)$", text, re.M)[1], 16)


@pytest.mark.parametrize("options", [(), ("--boot", "iso", "--machine", "q35")])
def test_gdb_stops_at_the_entry(options):
    text = debug(['printf "pc=%x\\n", $pc', "info symbol $pc"], *options)
    assert value(text, "pc") == run_qemu.elf_entry(KERNEL)
    assert "_start in section .boot" in text


def test_symbols_are_right_before_and_after_paging():
    text = debug(["break early_setup", "continue", 'printf "early_pc=%x\\n", $pc',
                  'printf "early_cr0=%x\\n", $cr0', "info symbol $pc", "info line *$pc", "delete",
                  "break kernel_entry", "continue", 'printf "late_pc=%x\\n", $pc',
                  'printf "late_cr0=%x\\n", $cr0', "info symbol $pc", "info line *$pc"])
    assert value(text, "early_pc") < PAGE_OFFSET and not value(text, "early_cr0") & CR0_PG
    assert value(text, "late_pc") >= PAGE_OFFSET and value(text, "late_cr0") & CR0_PG
    assert re.search(r"^early_setup\b.* in section ", text, re.M)
    assert re.search(r"^kernel_entry\b.* in section ", text, re.M)
    assert len(re.findall(r'^Line \d+ of "[^"]+\.c"', text, re.M)) == 2


def machines():
    """Command lines of the emulators that run our kernel."""
    found = [process.info["cmdline"] for process in psutil.process_iter(["name", "cmdline"])
             if process.info["name"].startswith("qemu-system")]
    return [line for line in found if KERNEL in line and str(run_qemu.BUILD) in " ".join(line)]


def test_no_machine_is_left_when_gdb_ends():
    debug(["info registers"])
    assert machines() == []
