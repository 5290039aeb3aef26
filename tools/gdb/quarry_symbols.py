"""quarry_symbols.py - names of addresses, by the table that the kernel carries, for quarry.py.

IDEA.  gdb's own names would do, but a tool that shows what the kernel shows must call a place what
the kernel calls it.
"""

import gdb


def linked_address(machine, name):
    """Of a symbol without debug information, where the kernel is linked for."""
    va = int(gdb.parse_and_eval(f"(unsigned long)&{name}")) & machine.word_mask
    return va if va >= machine.offset else va + machine.offset


def name_of(machine, va):
    """(symbol, offset, size) as the kernel's own table has it; None outside of it."""
    addrs = linked_address(machine, "ksym_addrs")
    count, width = machine.word(linked_address(machine, "ksym_count")), machine.word_size

    def start(i):
        return machine.word(addrs + i * width)

    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if start(middle) <= va else (low, middle)
    if not low or va >= start(count):
        return None
    first = low - 1
    while first and start(first - 1) == start(first):
        first -= 1
    offset = machine.word(linked_address(machine, "ksym_name_offsets") + first * width)
    name = machine.text(linked_address(machine, "ksym_names") + offset)
    return name, va - start(first), start(low) - start(first)


def caller_text(machine, va):
    """A caller as the kernel's reports have it."""
    found = name_of(machine, va)
    return f"{found[0]}+{found[1]:#x}/{found[2]:#x}" if found else f"{va:#010x}"


def user_text(machine, caller):
    name, offset, size = name_of(machine, caller) or ("?", 0, 0)
    return f"{caller:#010x} {name}+{offset:#x}/{size:#x}"
