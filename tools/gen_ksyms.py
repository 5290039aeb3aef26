#!/usr/bin/python3
"""Turn the symbols of a linked kernel into the table that lib/ksyms.c looks addresses up in.

usage: nm ELF | gen_ksyms.py [--min ADDRESS] > TABLE.asm

The output is a nasm source.  The build links three times:

    1. without a table
    2. with the table of the first image: everything lies where it will stay
    3. with the table of the second image

Both tables have the same symbols and so the same size; the table of the third image equals that
of the second, which the build checks.

Left out: symbols below --min (boot code that runs at its physical address), absolute and undefined
ones, the compiler's local labels, and the table's own symbols, which the first image lacks.
"""

import argparse
import sys

KINDS = "TtDdBbRrVvWw"  # code, data, bss, read-only data, weak ones that are defined
OWN = {"ksym_count", "ksym_addrs", "ksym_name_offsets", "ksym_names"}
IMAGE_START = 0xC0000000
ADDRESS_MAX = 0xFFFFFFFF


def read_symbols(lines):
    """All (address, kind, name) that nm lists with an address."""
    symbols = []
    for line in lines:
        fields = line.split()
        if len(fields) == 3:
            symbols.append((int(fields[0], 16), fields[1], fields[2]))
    return symbols


def is_kept(symbol, lowest):
    address, kind, name = symbol
    return (
        kind in KINDS
        and lowest <= address <= ADDRESS_MAX
        and name not in OWN
        and not name.startswith((".L", "__func__", "__PRETTY_FUNCTION__"))
    )


def sort_key(symbol):
    """By address; at one address global names first, then by name, so that the order is total."""
    address, kind, name = symbol
    return address, kind.islower(), name


def make_table(symbols, lowest):
    """(addresses and behind them the end, name offsets, names)."""
    kept = sorted((s for s in symbols if is_kept(s, lowest)), key=sort_key)
    # The last symbol of all, of whatever kind, is taken for the label behind the image.
    end = max((s[0] for s in symbols if lowest <= s[0] <= ADDRESS_MAX), default=lowest)
    kept = [s for s in kept if s[0] < end]
    offsets, names, offset = [], [], 0
    for _, _, name in kept:
        offsets.append(offset)
        names.append(name)
        offset += len(name) + 1
    return [s[0] for s in kept] + [end], offsets, names


def asm_words(label, words):
    lines = [f"global {label}", f"{label}:"]
    for i in range(0, len(words), 8):
        lines.append("\tdd " + ", ".join(f"0x{w:08x}" for w in words[i : i + 8]))
    return lines


def asm_text(table):
    addresses, offsets, names = table
    lines = [
        "; Made by tools/gen_ksyms.py from the linked kernel: symbols by address.",
        "section .rodata align=4",
    ]
    lines += asm_words("ksym_count", [len(offsets)])
    lines += asm_words("ksym_addrs", addresses)
    lines += asm_words("ksym_name_offsets", offsets)
    lines += ["global ksym_names", "ksym_names:"]
    lines += [f'\tdb "{name}", 0' for name in names]
    if not names:
        lines.append("\tdb 0")
    lines.append("section .note.GNU-stack noalloc noexec nowrite progbits")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--min", type=lambda s: int(s, 0), default=IMAGE_START)
    args = parser.parse_args()
    sys.stdout.write(asm_text(make_table(read_symbols(sys.stdin), args.min)))


if __name__ == "__main__":
    main()
