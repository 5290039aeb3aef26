"""test_elf_place.py - the EFI loader's ELF parser against readelf, on files that real linkers made.

The program is build/host/elf-place (tests/host/elf_place.c).
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = Path(os.environ.get("QUARRY_BUILD") or ROOT / "build")
KERNEL = os.environ.get("QUARRY_KERNEL", str(ROOT / "build/x86-gcc/quarry.elf"))
PROGRAM = BUILD / "host/elf-place"
PAGE, WORD = 4096, 4

SOURCE = """
section .text
global _start
_start: times 5000 db 0x90
section .data
dd 1, 2, 3, 4
db 5
section .bss
resb 70000
"""
# One with gaps between its segments, linked 3 GiB above where it is loaded.
SCRIPT = """
ENTRY(_start)
SECTIONS
{
	. = 0xC0200000;
	.text : AT(ADDR(.text) - 0xC0000000) { *(.text) }
	. = 0xC0210123;
	.data : AT(ADDR(.data) - 0xC0000000) { *(.data) }
	. = 0xC0230000;
	.bss : AT(ADDR(.bss) - 0xC0000000) { *(.bss) }
}
"""


def place(path):
    """(start, file_end, end, entry, bytes) of a file; the text of the refusal."""
    done = subprocess.run([PROGRAM, path], capture_output=True, check=False, timeout=60)
    assert done.stderr == b""
    line, _, image = done.stdout.partition(b"\n")
    if done.returncode:
        return line.decode()
    return (*(int(word, 16) for word in line.split()), image)


def load_segments(path):
    """(offset, virtual address, physical address, size in the file, in memory) of each."""
    text = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True,
                          check=True).stdout
    return [[int(word, 16) for word in m.groups()] for m in re.finditer(
        r"^ +LOAD +(0x\w+) (0x\w+) (0x\w+) (0x\w+) (0x\w+)", text, re.M)]


def round_up(value, unit):
    return -(-value // unit) * unit


def by_readelf(path):
    """What place() should find, from what readelf says."""
    header = subprocess.run(["readelf", "-hW", path], capture_output=True, text=True,
                            check=True).stdout
    data = Path(path).read_bytes()
    loads = [load for load in load_segments(path) if load[4]]
    start = min(pa for _, _, pa, _, _ in loads) // PAGE * PAGE
    file_end = round_up(max(pa + size for _, _, pa, size, _ in loads if size), WORD)
    end = round_up(max(pa + size for _, _, pa, _, size in loads), PAGE)
    virtual = int(re.search(r"Entry point address: +(0x\w+)", header)[1], 16)
    (entry,) = [pa + virtual - va for _, va, pa, size, _ in loads if 0 <= virtual - va < size]
    image = bytearray(file_end - start)
    for offset, _, pa, size, _ in loads:
        if size:
            image[pa - start:pa - start + size] = data[offset:offset + size]
    return start, file_end, end, entry, bytes(image)


@pytest.fixture(name="link")
def link_fixture(tmp_path):
    """A function: the path of SOURCE linked with these options."""
    def link(*options):
        (tmp_path / "a.asm").write_text(SOURCE)
        (tmp_path / "a.ld").write_text(SCRIPT)
        subprocess.run(["nasm", "-f", "elf32", "-o", tmp_path / "a.o", tmp_path / "a.asm"],
                       check=True)
        subprocess.run(["ld", "-m", "elf_i386", *options, "-o", tmp_path / "a.elf",
                        tmp_path / "a.o"], check=True, cwd=tmp_path)
        return tmp_path / "a.elf"
    return link


def test_the_kernel_is_laid_out_as_readelf_says():
    assert place(KERNEL) == by_readelf(KERNEL)


def test_the_kernels_segments_leave_no_gap_for_a_loader_to_use():
    """GRUB's information block would lie in it, and the page is freed after boot."""
    segments = sorted((pa, pa + size) for _, _, pa, _, size in load_segments(KERNEL))
    assert all(end == start for (_, end), (start, _) in zip(segments, segments[1:], strict=False))


@pytest.mark.parametrize("options", [
    ("-Ttext=0x300000",),
    ("-Ttext=0x400000", "-n"),
    ("-Ttext=0x200000", "-N"),
    ("-T", "a.ld"),
])
def test_what_ld_links_is_laid_out_as_readelf_says(link, options):
    path = link(*options)
    found, wanted = place(path), by_readelf(path)
    assert found[:4] == wanted[:4]
    assert found[4] == wanted[4]


def test_other_files_are_refused_by_name(link, tmp_path):
    assert place("/bin/true") == "refused: is not a 32-bit ELF file"
    link()
    assert place(tmp_path / "a.o") == "refused: is ELF but not an executable"
    assert place(tmp_path / "a.asm") == "refused: is not an ELF file"
    assert place(link("-Ttext=0x10000")) == "refused: has a segment below 1 MiB"
