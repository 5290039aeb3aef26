"""Firmware memory maps as text: which memory a kernel may use of one, and has a machine got it?

This is deliberately not the kernel's algorithm: addresses are cut at every start and end that the
map mentions, and a piece is usable if some entry calls it RAM and no entry calls it anything else.
Where a map is ambiguous (an entry that wraps past 2^64) the answer errs towards "usable": the
question asked here is whether the machine has RAM wherever a kernel might look for some.
"""

import re
from pathlib import Path

from run_qemu import parse_size

PAGE = 4096
TOP = 1 << 64
KERNEL_END = 1 << 32        # without PAE nothing above is used, whatever the map says
RAM = 1
RAM_NAMES = ("1", "type 1", "usable")
START_SIZE = re.compile(r"(0x[0-9a-fA-F]+)\s+(0x[0-9a-fA-F]+)\s+(\S.*)$")
FIRST_LAST = re.compile(r"\[mem (0x[0-9a-fA-F]+)-(0x[0-9a-fA-F]+)\]\s+(\S.*)$")
LOWMEM_END = 896 << 20
STRUCT_PAGE = 16            # bytes at least, for each page from 0 to the last RAM
HOLE = (0xA0000, 0x100000)  # VGA and ROM: never RAM, whatever a map says


def read(path):
    """[(start, size, type)] of a map file; the type is 1 for RAM, 0 for anything else."""
    entries = []
    for number, line in enumerate(Path(path).read_text(encoding="ascii").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        if found := START_SIZE.match(text):
            start, size = (int(word, 16) for word in found.group(1, 2))
        elif found := FIRST_LAST.search(text):
            start, last = (int(word, 16) for word in found.group(1, 2))
            size = last - start + 1
        else:
            raise ValueError(f"line {number}: {line.strip()}")
        entries.append((start, size, RAM if found[3] in RAM_NAMES else 0))
    if not entries:
        raise ValueError("no entry")
    return entries


def clip(start, size, kind):
    """[start, end) of an entry; of those that wrap, RAM goes on to the top and the rest is void."""
    if start + size <= TOP:
        return start, start + size
    return (start, TOP) if kind == RAM else (start, start)


def merge(runs):
    """Sorted, disjoint, non-adjacent runs."""
    merged = []
    for start, end in sorted(run for run in runs if run[0] < run[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def subtract(runs, holes):
    """What is in @runs and not in @holes."""
    left = []
    for start, end in merge(runs):
        for hole_start, hole_end in merge(holes):
            if hole_end <= start or end <= hole_start:
                continue
            if start < hole_start:
                left.append((start, hole_start))
            start = min(hole_end, end)
        if start < end:
            left.append((start, end))
    return left


def whole_pages(runs):
    """The runs without the pages that they hold only a part of."""
    inner = [(-(-start // PAGE) * PAGE, end // PAGE * PAGE) for start, end in runs]
    return [(start, end) for start, end in inner if start < end]


def usable(entries):
    """Runs of whole pages below 4 GiB that a kernel may use."""
    ram = [clip(*entry) for entry in entries if entry[2] == RAM]
    other = [clip(*entry) for entry in entries if entry[2] != RAM]
    return whole_pages(subtract(ram, [*other, HOLE, (KERNEL_END, TOP)]))


def affordable(runs):
    """The runs without those at the top whose struct pages would fill over half of lowmem."""
    while runs:
        lowmem = sum(max(0, min(end, LOWMEM_END) - start) for start, end in runs)
        limit = lowmem // 2 // STRUCT_PAGE * PAGE
        if runs[-1][1] <= limit:
            break
        runs = subtract(runs, [(limit, TOP)])
    return runs


def machine_ram(machine, mem):
    """Runs below 4 GiB where QEMU's machine of that size has RAM.

    pc puts up to 3.5 GiB below 4 GiB, and 3 GiB if it has more; q35 2.75 GiB, and 2 GiB if more.
    """
    size = parse_size(mem)
    limit, split = {"pc": (0xE0000000, 0xC0000000), "q35": (0xB0000000, 0x80000000)}[machine]
    end = size if size < limit else split
    return [(0, HOLE[0]), (HOLE[1], end)]
