"""Before paging is on: a fault prints, and page tables that would lose the kernel are named."""

import os
import subprocess

import pytest

from run_qemu import ROOT

KERNEL = os.environ.get("QUARRY_KERNEL", str(ROOT / "build/x86-gcc/quarry.elf"))
UD2 = 0x0b0f
KERNEL_DIRECTORY_ENTRY = 0xC0000000 >> 22


def serial_after(commands, build):
    """What the kernel printed when gdb interfered with it, the machine having ended by itself."""
    gdb_args = "-batch " + " ".join(f"-ex '{command}'" for command in commands)
    done = subprocess.run(
        [ROOT / "tools/run_qemu.py", "debug", "--kernel", KERNEL, "--mem", "64M",
         "--gdb-args", gdb_args],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=60, check=False, cwd=ROOT, env={**os.environ, "QUARRY_BUILD": str(build)})
    assert "exited" in done.stdout or "Remote connection closed" in done.stdout, done.stdout
    (log,) = (build / "logs").glob("*.serial.log")
    return log.read_text(errors="replace")


# The IDT is loaded by then, paging is off.
TO_EARLY_IDT = ["tbreak early_trap_init", "continue", "finish", 'printf "cr0=%x\\n", $cr0']


def test_a_fault_before_paging_is_printed_instead_of_rebooting(tmp_path):
    text = serial_after([*TO_EARLY_IDT, f"set *(unsigned short *)$pc = {UD2:#x}", "continue"],
                        tmp_path)
    assert "panic: exception 6 at eip=00" in text
    assert "cr3=" in text and "esp=" in text


@pytest.mark.parametrize("entry, lost", [
    (0, "panic: boot page tables lose EIP (early_setup): va=00"),
    (KERNEL_DIRECTORY_ENTRY, "panic: boot page tables lose EIP (early_setup): va=c0"),
])
def test_page_tables_that_lose_an_address_are_refused_by_name(entry, lost, tmp_path):
    text = serial_after(["tbreak check_one", "continue", f"set boot_root[{entry}].raw = 0",
                         "continue"], tmp_path)
    assert lost in text


def test_an_unknown_loader_is_refused(tmp_path):
    text = serial_after(["tbreak early_setup", "continue", "set magic = 0x12345678", "continue"],
                        tmp_path)
    assert "panic: cannot boot: not started by a multiboot loader: EAX (12345678)" in text


def test_a_boot_block_that_cannot_be_read_is_not_half_believed(tmp_path):
    text = serial_after(["tbreak multiboot1_parse", "continue", "return (int)-84", "continue"],
                        tmp_path)
    assert "panic: boot: the " in text and "cannot be used (-84)" in text
