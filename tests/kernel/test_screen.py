"""The text screen shows what the serial line says, and still does when the machine panics.

The screen is read where the device has it, by QEMU's pmemsave of the text window.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import run_qemu  # noqa: E402

KERNEL = str(run_qemu.BUILD / "x86-gcc/quarry.elf")
SCREEN, COLS, ROWS = 0xB8000, 80, 25
PATIENCE = 30       # seconds


def ask(qmp, command, **arguments):
    """The answer to one QMP command, whatever events come before it."""
    request = {"execute": command, "arguments": arguments, "id": "asked"}
    qmp.ours.sendall(json.dumps(request).encode() + b"\n")
    said = next(m for m in qmp.messages(10, last=b'"id": "asked"') if m.get("id") == "asked")
    assert "error" not in said, said
    return said["return"]


def rows(qmp, tmp_path):
    """What stands on the screen, a string a row."""
    saved = tmp_path / "screen"
    ask(qmp, "pmemsave", val=SCREEN, size=2 * COLS * ROWS, filename=str(saved))
    text = saved.read_bytes()[::2].decode("cp437")
    return [text[i:i + COLS].rstrip() for i in range(0, COLS * ROWS, COLS)]


def wait_for(qmp, tmp_path, line):
    """The screen's rows, once one of them begins with @line."""
    until = time.monotonic() + PATIENCE
    while True:
        shown = rows(qmp, tmp_path)
        if any(row.startswith(line) for row in shown):
            return shown
        assert time.monotonic() < until, shown
        time.sleep(0.05)


def folded(text):
    """Lines of @text as a screen of 80 columns has them."""
    for line in text.splitlines():
        yield from [line[i:i + COLS].rstrip() for i in range(0, len(line), COLS)] or [""]


@pytest.fixture(name="console")
def console_fixture():
    """A function: a kernel at its prompt."""
    made = []

    def start(**options):
        machine = run_qemu.Machine(KERNEL, mem="64M", name="test-screen", **options)
        made.append(run_qemu.Console(machine))
        return made[-1]
    yield start
    for console in made:
        console.kill()


@pytest.fixture(name="halted")
def halted_fixture(monkeypatch):
    """A function: a kernel that was started and, having no port to leave by, stays."""
    monkeypatch.setattr(run_qemu, "DEBUG_EXIT", "isa-debug-exit,iobase=0x8f4,iosize=4")
    made = []

    def start(append):
        made.append(run_qemu.Qemu(run_qemu.Machine(KERNEL, mem="64M", append=append,
                                                   name="test-screen")))
        return made[-1].qmp
    yield start
    for qemu in made:
        qemu.stop("killed")
        qemu.close()


@pytest.mark.parametrize("boot, machine", [("direct", "pc"), ("iso", "q35")])
def test_the_screen_shows_the_last_lines_of_the_serial_line(console, tmp_path, boot, machine):
    c = console(boot=boot, machine=machine)
    assert "console: text screen at 0xb8000" in c.greeting
    said = [*folded(c.greeting[c.greeting.index("Quarry:"):].rstrip("\n")), "quarry>"]
    assert rows(c.qemu.qmp, tmp_path) == said[-ROWS:]


def test_the_monitor_answers_on_the_screen_and_clears_it(console, tmp_path):
    c = console()
    c.command("\x0c")                   # ^L
    assert rows(c.qemu.qmp, tmp_path)[:3] == ["quarry>", "quarry>", ""]
    answer = c.command("limits")
    said = ["quarry>", "quarry> limits", *folded(answer.rstrip("\n")), "quarry>"]
    assert [row for row in rows(c.qemu.qmp, tmp_path) if row] == said


def test_what_was_logged_before_there_was_a_screen_is_shown_first(halted, tmp_path):
    qmp = halted("e820=absent.map")
    shown = wait_for(qmp, tmp_path, "panic: e820=absent.map")
    assert shown[0].startswith("Quarry: ")
    assert shown[1].startswith("boot: multiboot1")


def test_console_vga_leaves_the_serial_line_alone(halted, tmp_path):
    qmp = halted("console=vga")
    assert any("lapic: CPU 0" in row for row in wait_for(qmp, tmp_path, "quarry>"))


def test_console_vga_says_its_last_word_on_the_serial_line():
    machine = run_qemu.Machine(KERNEL, mem="64M", append="console=vga test=list.*",
                               name="test-screen")
    outcome = run_qemu.boot(machine, PATIENCE)
    assert outcome.end.kind == "poweroff", outcome
    assert outcome.log.rstrip().splitlines()[-1] == "console: nothing more on the serial line"


def test_console_serial_leaves_the_screen_alone(console, tmp_path):
    c = console(append="console=serial")
    assert "console:" not in c.greeting.replace("console=serial", "")
    assert not any("quarry>" in row for row in rows(c.qemu.qmp, tmp_path))


@pytest.mark.parametrize("crime, last", [
    ("double_free", "panic: page pfn="),
    ("write_text", "panic: page fault at eip="),
    ("stack_overflow", "panic: kernel stack overflow at eip="),
])
def test_a_panic_stays_on_the_screen(halted, tmp_path, crime, last):
    qmp = halted(f"death={crime}")
    wait_for(qmp, tmp_path, last)
    wait_for(qmp, tmp_path, "  #")


def test_an_nmi_comes_through_the_local_apic_and_is_reported_on_the_screen(halted, tmp_path):
    qmp = halted("")
    wait_for(qmp, tmp_path, "quarry>")
    ask(qmp, "inject-nmi")
    wait_for(qmp, tmp_path, "panic: NMI at eip=")


def test_a_machine_without_a_screen_says_so():
    machine = run_qemu.Machine(KERNEL, mem="64M", append="test=list.*", name="test-screen")
    argv = [*run_qemu.qemu_argv(machine), "-vga", "none", "-serial", "stdio", "-monitor", "none"]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    assert done.returncode == run_qemu.EXIT_POWEROFF
    assert "console: no text screen, no VGA in text mode" in done.stdout
