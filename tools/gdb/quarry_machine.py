"""quarry_machine.py - the stopped machine and the kernel's debug information, for quarry.py.

MEMORY.  While paging is off (CR0.PG) a kernel address is read at its physical place, KERNEL_OFFSET
lower.  While it is on, kernel addresses are read through the CPU's own page tables, and physical
memory by QEMU's Qqemu.PhyMemMode or, with another stub, through the direct map.  All reads go
through a copy that lasts for one command.

CONSTANTS.  Names, numbers and layouts come from the debug information: sizes and offsets from
types, numbers of things from the lengths of arrays, bits from enums.  No constant of the kernel is
written down in these files.
"""

import os.path

import gdb

PROBLEMS_SHOWN = 10     # lines about broken state that one command prints
TEXT_MAX = 256          # bytes of a string in the kernel: a longer one is none
CHUNK = 512             # bytes fetched at once: one packet, and never across pages


class Unreadable(Exception):
    """An address without memory, or state that is not there yet; says which."""


class Report:
    """What a command prints, and what it found broken."""

    def __init__(self):
        self.nr_broken = 0

    def line(self, text=""):
        gdb.write(text + "\n")

    def broken(self, text):
        self.nr_broken += 1
        if self.nr_broken <= PROBLEMS_SHOWN:
            self.line(f"BROKEN {text}")

    def end(self):
        if self.nr_broken > PROBLEMS_SHOWN:
            self.line(f"BROKEN {self.nr_broken - PROBLEMS_SHOWN} more things")


# ---- debug information --------------------------------------------------------------------------


def lookup(name):
    for objfile in gdb.objfiles():
        found = objfile.lookup_global_symbol(name) or objfile.lookup_static_symbol(name)
        if found is not None:
            return found
    return None


def symbol(name):
    """A variable of the kernel, static ones included, with its full type."""
    found = lookup(name)
    if found is not None and str(found.type).endswith("[]"):
        # gdb has read no more than a file that declares the array without its length.
        gdb.execute("maintenance expand-symtabs", to_string=True)
        found = lookup(name)
    if found is None:
        raise gdb.GdbError(f"no symbol '{name}': load the kernel first (file build/.../quarry.elf)")
    return found


def lookup_type(name):
    try:
        return gdb.lookup_type(name)
    except gdb.error as error:
        raise gdb.GdbError(str(error)) from error


def enum(name):
    """{enumerator: value}"""
    return {field.name: field.enumval for field in lookup_type(f"enum {name}").fields()}


def enum_names(name):
    """{value: name}, without the prefix that all have in common and the number of them, NR_x."""
    values = {key: value for key, value in enum(name).items() if not key.startswith("NR_")}
    prefix = os.path.commonprefix(list(values))
    prefix = prefix[:prefix.rfind("_") + 1]
    return {value: key[len(prefix):].lower() for key, value in values.items()}


def bit_names(name):
    """The enumerators that are one bit each."""
    return {value: key for value, key in enum_names(name).items() if value.bit_count() == 1}


def show_bits(bits, names):
    """Names of the bits that are set, joined by '|'; the rest in hex."""
    found = [name for bit, name in sorted(names.items()) if bits & bit]
    rest = bits & ~sum(names)
    if rest:
        found.append(f"{rest:#x}")
    return "|".join(found) or "none"


def member(where, name):
    """(byte offset, type) of a member, those of unnamed unions and structures included; or None."""
    for field in where.strip_typedefs().fields():
        if field.name == name:
            return field.bitpos // 8, field.type
        inner = None if field.name else member(field.type, name)
        if inner:
            return field.bitpos // 8 + inner[0], inner[1]
    return None


def place(where, *path):
    """(byte offset, type) of a path of member names and array indices in a type."""
    offset = 0
    for step in path:
        if isinstance(step, int):
            where = where.strip_typedefs().target()
            offset += step * where.sizeof
        else:
            inner, where = member(where, step)
            offset += inner
    return offset, where


def length(where):
    """Number of elements of an array type."""
    low, high = where.strip_typedefs().range()
    return high - low + 1


# ---- the machine --------------------------------------------------------------------------------


def register(name):
    """A register's value, or None where the stub has no such register."""
    value = gdb.parse_and_eval(f"${name}")
    return None if value.type.code == gdb.TYPE_CODE_VOID else value


class Machine:
    """Memory and control registers of the stopped machine, during one command."""

    def __init__(self):
        self.inferior = gdb.selected_inferior()
        if not self.inferior.pid:
            raise gdb.GdbError("no kernel is being debugged: see make debug")
        self.offset = int(gdb.parse_and_eval("(unsigned long)&KERNEL_OFFSET"))
        self.word_size = lookup_type("unsigned long").sizeof
        self.word_mask = (1 << 8 * self.word_size) - 1
        self.page_size = symbol("fixmap_table").type.sizeof     # a table fills a page
        self.page_shift = self.page_size.bit_length() - 1
        cr0 = register("cr0")
        if cr0 is None:     # not QEMU's stub: the program counter tells
            self.paging = int(register("pc")) & self.word_mask >= self.offset
        else:
            self.paging = "PG" in str(cr0)
        self.kernel_chunks, self.physical_chunks = {}, {}
        self.users_mode = self.mode = self.ask("qqemu.PhyMemMode")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.set_mode(self.users_mode)

    def ask(self, packet):
        """QEMU's answer to a packet; '' from a stub that does not know it."""
        send = getattr(self.inferior.connection, "send_packet", None)
        return send(packet).decode("ascii", "replace") if send else ""

    def set_mode(self, mode):
        """What addresses are to QEMU's stub: "1" physical, "0" the CPU's; "" to any other stub."""
        if self.mode != mode:
            self.ask(f"Qqemu.PhyMemMode:{mode}")
            self.mode = mode

    def fetch(self, address, physical):
        """A chunk from gdb; None where there is no memory."""
        if self.mode:
            self.set_mode("1" if physical else "0")
        try:
            return bytes(self.inferior.read_memory(address, CHUNK))
        except gdb.MemoryError:
            return None

    def physical_chunk(self, pa):
        if not self.paging or self.mode:
            return self.fetch(pa, self.paging)
        return self.fetch(pa + self.offset, False)

    def kernel_chunk(self, va):
        if self.paging:
            return self.fetch(va, False)
        return self.fetch(va - self.offset if va >= self.offset else va, False)

    def read_chunks(self, address, size, chunks, fetch, what):
        data, end = b"", address + size
        while address < end:
            start = address & -CHUNK
            if start not in chunks:
                chunks[start] = fetch(start)
            if chunks[start] is None or start > self.word_mask:
                raise Unreadable(f"no memory at {what} {address:#x}")
            part = chunks[start][address - start:end - start]
            data += part
            address += len(part)
        return data

    def read(self, va, size):
        return self.read_chunks(va, size, self.kernel_chunks, self.kernel_chunk, "address")

    def read_physical(self, pa, size):
        return self.read_chunks(pa, size, self.physical_chunks, self.physical_chunk, "pa")

    def word(self, va):
        return int.from_bytes(self.read(va, self.word_size), "little")

    def load(self, va, where):
        """A gdb value of this type, detached from memory."""
        return gdb.Value(self.read(va, where.sizeof), where)

    def address_of(self, name):
        """Where the kernel is linked for; a second symbol table may be lower by KERNEL_OFFSET."""
        address = int(symbol(name).value().address) & self.word_mask
        return address if address >= self.offset else address + self.offset

    def variable(self, name):
        return self.load(self.address_of(name), symbol(name).type)

    def number(self, name):
        return int(self.variable(name))

    def text(self, va):
        """A C string; a description of the pointer if it leads to none."""
        if not va:
            return None
        data = b""
        try:
            while b"\0" not in data and len(data) < TEXT_MAX:
                data += self.read(va + len(data), 1)
        except Unreadable:
            pass
        body, end, _ = data.partition(b"\0")
        if end and body.isascii() and body.decode("ascii").isprintable():
            return body.decode("ascii")
        return f"<no string at {va:#x}>"
