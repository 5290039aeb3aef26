"""Every restartable sequence of the kernel may be restarted: read off its instructions.

That is R1..R3 of <quarry/asm/percpu_stack.h>: the last instruction commits; before it no word that
is in use is written, no input is overwritten, and no jump leads anywhere but out.  The offsets come
from the debug information, not from here.
"""

import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KERNEL = os.environ.get("QUARRY_KERNEL", str(ROOT / "build/x86-gcc/quarry.elf"))
FAST_PATHS = ("alloc_pages", "__free_pages")    # they must pop and push inline

MEMORY = re.compile(r"%fs:(?P<offset>-?(?:0x)?[\da-f]*)\((?P<registers>[^)]*)\)")


def run(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                          check=True).stdout


def symbols():
    """name -> (address, size)"""
    lines = [line.split() for line in run("nm", "-S", KERNEL).splitlines()]
    return {f[-1]: (int(f[0], 16), int(f[1], 16) if len(f) == 4 else 0) for f in lines}


@pytest.fixture(scope="module", name="table")
def read_table(tmp_path_factory):
    """[(start, end)], from the image."""
    names = symbols()
    start, end = names["restart_table"][0], names["restart_table_end"][0]
    image = tmp_path_factory.mktemp("restart") / "data"
    run("objcopy", "-O", "binary", "-j", ".data", KERNEL, str(image))
    offset = start - names["image_data_start"][0]
    data = image.read_bytes()[offset:offset + end - start]
    return list(struct.iter_unpack("<II", data))


@pytest.fixture(scope="module", name="layout")
def read_layout():
    """Offset of each member of struct percpu_stack."""
    commands = [f'printf "{name} %d\\n", (int)&((struct percpu_stack *)0)->{name}'
                for name in ("nr", "limit", "bottom", "slot")]
    text = run("gdb", "-nx", "-batch", *(word for c in commands for word in ("-ex", c)), KERNEL)
    return {name: int(offset) for name, offset in (line.split() for line in text.splitlines())}


@pytest.fixture(scope="module", name="code")
def disassemble():
    """address -> (mnemonic, operands), for all of .text."""
    text = run("objdump", "-d", "--no-show-raw-insn", "-j", ".text", KERNEL)
    found = re.findall(r"^([\da-f]+):\t(?:[cdefgs]s )?(\w+) *(.*)$", text, re.M)
    return {int(address, 16): (mnemonic, operands) for address, mnemonic, operands in found}


def instructions(code, start, end):
    assert start in code and end in code, f"{start:#x}..{end:#x} are no borders of instructions"
    return [code[address] for address in sorted(a for a in range(start, end) if a in code)]


def memory(operand):
    """(offset, registers) of a per-CPU memory operand, or None."""
    m = MEMORY.fullmatch(operand)
    return m and (int(m["offset"] or "0", 16), m["registers"].split(","))


def split(operands):
    """AT&T operands, source first; a comma in parentheses is no border."""
    return [o.strip() for o in re.split(r",(?![^(]*\))", operands)]


def faults(insns, start, end, layout):
    """What is wrong with one sequence."""
    wrong = []
    *before, (commit, operand) = insns
    word = memory(operand)
    if commit not in ("decl", "incl") or not word or word[0] != layout["nr"] or len(word[1]) != 1:
        return [f"ends with {commit} {operand}, which commits nothing"]
    inputs, written = set(word[1]), set()
    for mnemonic, operands in before:
        ops = split(operands)
        if mnemonic.startswith("j"):
            target = int(ops[0].split()[0], 16)
            if start <= target < end:
                wrong.append(f"{mnemonic} {operands} stays inside")
        elif mnemonic in ("cmp", "cmpl", "test"):
            inputs |= {o for o in ops if o.startswith("%e")} - written
        elif mnemonic == "mov" and ops[-1].startswith("%e"):
            written.add(ops[-1])
        elif mnemonic == "mov" and memory(ops[-1]):
            offset, registers = memory(ops[-1])
            inputs.add(ops[0])
            if offset != layout["slot"] or len(registers) != 3:
                wrong.append(f"{mnemonic} {operands} writes what is in use")
        else:
            wrong.append(f"{mnemonic} {operands} is not known to be harmless")
    if inputs & written:
        wrong.append(f"overwrites its inputs {sorted(inputs & written)}")
    return wrong


def test_every_sequence_may_be_restarted(table, layout, code):
    assert table
    wrong = [f"{start:#x}: {fault}" for start, end in table
             for fault in faults(instructions(code, start, end), start, end, layout)]
    assert not wrong, "\n".join(wrong)


def test_the_table_has_both_operations_and_no_overlaps(table, code):
    commits = {instructions(code, start, end)[-1][0] for start, end in table}
    assert commits == {"decl", "incl"}
    ordered = sorted(table)
    assert all(end <= start for (_, end), (start, _) in zip(ordered, ordered[1:]))


@pytest.mark.parametrize("function", FAST_PATHS)
def test_a_fast_path_has_its_sequence_inline(table, function):
    address, size = symbols()[function]
    assert size
    assert any(address <= start < end <= address + size for start, end in table)


GOOD_POP = [("mov", "%fs:(%edx),%esi"), ("mov", "%fs:0x8(%edx,%esi,4),%esi"),
            ("test", "%esi,%esi"), ("je", "200 <f+0x100>"), ("decl", "%fs:(%edx)")]
GOOD_PUSH = [("mov", "%fs:(%eax),%edx"), ("cmp", "%fs:0x4(%eax),%edx"), ("jae", "200 <f>"),
             ("cmp", "%fs:0x8(%eax,%edx,4),%ecx"), ("je", "200 <f>"),
             ("mov", "%ecx,%fs:0xc(%eax,%edx,4)"), ("incl", "%fs:(%eax)")]


@pytest.mark.parametrize("good, at, bad, expected", [
    (GOOD_POP, 4, ("decl", "(%edx)"), "commits nothing"),
    (GOOD_POP, 4, ("decl", "%fs:0x4(%edx)"), "commits nothing"),
    (GOOD_POP, 4, ("mov", "%esi,%fs:(%edx)"), "commits nothing"),
    (GOOD_POP, 3, ("je", "108 <f+0x8>"), "stays inside"),
    (GOOD_POP, 1, ("mov", "%fs:0x8(%edx,%esi,4),%edx"), "overwrites its inputs"),
    (GOOD_POP, 2, ("decl", "%fs:(%edx)"), "not known to be harmless"),
    (GOOD_PUSH, 0, ("mov", "%fs:(%eax),%ecx"), "overwrites its inputs"),
    (GOOD_PUSH, 5, ("mov", "%ecx,%fs:0x8(%eax,%edx,4)"), "writes what is in use"),
    (GOOD_PUSH, 5, ("mov", "%ecx,%fs:(%eax)"), "writes what is in use"),
])
def test_a_sequence_with_one_thing_wrong_is_found(layout, good, at, bad, expected):
    assert not faults(good, 0x100, 0x120, layout)
    said = faults([*good[:at], bad, *good[at + 1:]], 0x100, 0x120, layout)
    assert any(expected in fault for fault in said), said
