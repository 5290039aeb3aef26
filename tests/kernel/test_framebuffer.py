"""Where firmware left no text mode the log is readable in the framebuffer, a panic too.

The screen is what QEMU would show, by QMP's screendump; its cells are looked up among the glyphs of
arch/x86/font.c.
"""

import os
import re
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import run_qemu  # noqa: E402
from screens import ask, folded  # noqa: E402

KERNEL = str(run_qemu.BUILD / "x86-gcc/quarry.elf")
WIDTH, HEIGHT = 8, 16       # of a cell
TOP, LINES = 2, 13          # of a glyph in its cell
UNDERLINED = bytes([0xFF, 0xFF])
PATIENCE = 30               # seconds
CONSOLES = ("pci-serial",) * 16     # to firmware: more device paths than fit into 1 KiB

MACHINES = {"uefi64": {"cpu": "qemu64"}, "uefi32": {"machine": "q35"},
            "grub-uefi64": {"cpu": "qemu64"}, "grub-uefi32": {"machine": "q35"}}
if not os.environ.get("QUARRY_LONG"):
    MACHINES = {"uefi64": MACHINES["uefi64"]}
    CONSOLES = ()           # they take as long as the rest


def glyphs():
    """The 16 lines of each cell that shows a character: the character."""
    text = (ROOT / "arch/x86/font.c").read_text()
    table = re.findall(r"\{((?:\s*0x\w\w,?){%d})\s*\}" % LINES, text.partition("glyphs[")[2])
    lines = [bytes(int(byte, 16) for byte in row.split(",")) for row in table]
    assert len(lines) == 0x7F - 0x20
    return {bytes(TOP) + line + bytes(HEIGHT - TOP - LINES): chr(0x20 + i)
            for i, line in enumerate(lines)}


GLYPHS = glyphs()


def read_ppm(path):
    """Width, height and, for each pixel, whether it is lit."""
    magic, size, _, pixels = path.read_bytes().split(b"\n", 3)
    assert magic == b"P6"
    width, height = map(int, size.split())
    return width, height, pixels[::3]       # grey: any of the three colours will do


def character(cell):
    """What a cell of 16 lines shows; the cursor underlines one."""
    if cell[-2:] == UNDERLINED:
        cell = cell[:-2] + bytes(2)
    return GLYPHS.get(cell, "\N{REPLACEMENT CHARACTER}")


def rows(qmp, tmp_path):
    """What stands on the screen, a string a row."""
    path = tmp_path / "screen.ppm"
    ask(qmp, "screendump", filename=str(path))
    width, height, lit = read_ppm(path)
    packed = [[int("".join("1" if p else "0" for p in lit[y * width + x:y * width + x + WIDTH]), 2)
               for x in range(0, width - WIDTH + 1, WIDTH)]
              for y in range(height // HEIGHT * HEIGHT)]
    return ["".join(character(bytes(cell)) for cell in zip(*packed[y:y + HEIGHT])).rstrip()
            for y in range(0, len(packed), HEIGHT)]


def wait_for(qmp, tmp_path, line):
    """The screen's rows, once one of them begins with @line."""
    until = time.monotonic() + PATIENCE
    while True:
        shown = rows(qmp, tmp_path)
        if any(row.startswith(line) for row in shown):
            return shown
        assert time.monotonic() < until, shown
        time.sleep(0.2)


@pytest.fixture(name="console", params=list(MACHINES))
def console_fixture(request, monkeypatch):
    """A kernel at its prompt that, having no port to leave by, stays when it panics."""
    monkeypatch.setattr(run_qemu, "DEBUG_EXIT", "isa-debug-exit,iobase=0x8f4,iosize=4")
    machine = run_qemu.Machine(KERNEL, mem="128M", boot=request.param, devices=CONSOLES,
                               name=f"test-framebuffer-{request.param}", **MACHINES[request.param])
    with run_qemu.Console(machine) as console:
        console.by_our_loader = not request.param.startswith("grub-")
        yield console


def test_the_framebuffer_shows_the_log_the_monitor_and_a_panic(console, tmp_path):
    said = re.search(r"^console: (\d+)x(\d+) characters on (\d+)x(\d+) pixels", console.greeting,
                     re.MULTILINE)
    assert said, console.greeting
    assert console.greeting.count("quarry-efi: /boot/quarry.elf at ") == console.by_our_loader
    cols, nr_rows, width, height = map(int, said.groups())
    assert (cols, nr_rows) == (width // WIDTH, height // HEIGHT)
    qmp = console.qemu.qmp
    shown = rows(qmp, tmp_path)
    assert len(shown) == nr_rows
    log = [*folded(console.command("dmesg"), cols), "quarry>"]
    assert [row for row in shown if row] == log[-len([row for row in shown if row]):]
    serial = console.greeting[console.greeting.index("Quarry: "):]
    assert log == [*folded(serial, cols), "quarry>"], "the screen comes later and shows the same"

    console.command("\x0c")                     # ^L
    answer = console.command("limits")
    said = ["quarry>", "quarry> limits", *folded(answer.rstrip("\n"), cols), "quarry>"]
    assert [row for row in rows(qmp, tmp_path) if row] == said

    ask(qmp, "inject-nmi")
    assert any(row.startswith("  #0 ") for row in wait_for(qmp, tmp_path, "panic: NMI at eip="))
