"""quarry_mm.py - the memory subsystem's structures, read from outside, for quarry.py.

IDEA.  Nothing that memory says is believed: every list is walked for at most as many steps as its
zone has pages and each of its links is checked; a stack's count is cut at its slots; and what
contradicts itself is reported, not followed.
"""

from quarry_machine import (Unreadable, bit_names, enum, enum_names, length, lookup_type, place,
                            register, show_bits, symbol)


# ---- struct page and zones ----------------------------------------------------------------------


class Pages:
    """The struct page array."""

    def __init__(self, machine):
        self.m = machine
        self.type = lookup_type("struct page")
        self.base = machine.number("mem_map")
        self.max_pfn = machine.number("max_pfn")
        fields = enum("page_flags_field")
        self.mob_shift, self.mob_mask = fields["PG_MOBILITY_SHIFT"], fields["PG_MOBILITY_MASK"]
        self.zone_shift, self.zone_mask = fields["PG_ZONE_SHIFT"], fields["PG_ZONE_MASK"]
        self.order_shift, self.order_mask = fields["PG_ORDER_SHIFT"], fields["PG_ORDER_MASK"]
        self.bits_mask = fields["PG_MASK"]
        bits = enum("page_flag")
        self.reserved, self.buddy = bits["PG_reserved"], bits["PG_buddy"]
        self.bit_names = bit_names("page_flag")
        self.mobilities = enum_names("mobility")
        self.nr_orders = length(place(symbol("zones").type, 0, "free_area")[1])
        self.flags_at = place(self.type, "flags")[0]
        self.count_at = place(self.type, "_count")[0]
        self.lru_at = place(self.type, "lru")[0]
        self.next_at = place(self.type, "lru", "next")[0] - self.lru_at
        self.prev_at = place(self.type, "lru", "prev")[0] - self.lru_at

    def require(self):
        if not self.base or not self.max_pfn:
            raise Unreadable("no struct pages yet: mm_init() has not made them")

    def va(self, pfn):
        return (self.base + pfn * self.type.sizeof) & self.m.word_mask

    def pfn(self, va):
        """The page whose struct page is at @va, or None."""
        pfn, rest = divmod(va - self.base, self.type.sizeof)
        return pfn if self.base and not rest and 0 <= pfn < self.max_pfn else None

    def pfn_by_lru(self, va):
        return self.pfn(va - self.lru_at)

    def flags(self, pfn):
        return self.m.word(self.va(pfn) + self.flags_at)

    def order(self, flags):
        return (flags & self.order_mask) >> self.order_shift

    def zone(self, flags):
        return (flags & self.zone_mask) >> self.zone_shift

    def mobility(self, flags):
        return (flags & self.mob_mask) >> self.mob_shift

    def mobility_name(self, mobility):
        return self.mobilities.get(mobility, "none")

    def count(self, pfn):
        value = self.m.load(self.va(pfn), self.type)["_count"]
        return int(value[value.type.fields()[0]])

    def heads_block(self, pfn):
        flags = self.flags(pfn)
        return not flags & self.reserved and (bool(flags & self.buddy) or self.count(pfn) > 0)

    def block_head(self, pfn):
        """Head of the block that the page lies in, of the free lists' or somebody's; or None."""
        if self.flags(pfn) & self.reserved:
            return None
        if self.heads_block(pfn):
            return pfn
        for order in range(1, self.nr_orders):
            head = pfn & -(1 << order)
            if head != pfn and self.heads_block(head) and self.order(self.flags(head)) >= order:
                return head
        return None


class Zone:
    """One zone, as its struct says."""

    def __init__(self, machine, index):
        self.m, self.index = machine, index
        zones = symbol("zones").type
        self.va = machine.address_of("zones") + place(zones, index)[0]
        self.type = zones.target()
        self.value = machine.load(self.va, self.type)
        self.made = int(self.value["name"]) != 0
        self.name = machine.text(int(self.value["name"]))
        self.start, self.spanned = int(self.value["start_pfn"]), int(self.value["nr_spanned"])

    def number(self, field):
        return int(self.value[field])

    def numbers(self, field):
        return [int(self.value[field][i]) for i in range(length(self.value[field].type))]

    def lock_held(self):
        """The lock word; a kernel built for one CPU does not write it."""
        raw = self.value["lock"]["raw"]
        return int(raw["owner"]) != int(raw["next"])

    def state(self):
        return "held" if self.lock_held() else "free"

    def list_head(self, order, mobility):
        return self.va + place(self.type, "free_area", order, "list", mobility)[0]

    def nr_blocks(self, order, mobility):
        return int(self.value["free_area"][order]["nr_blocks"][mobility])


def all_zones(machine):
    return [Zone(machine, i) for i in range(length(symbol("zones").type))]


def zone_label(machine, index):
    names = enum_names("zone_type")
    if index not in names:
        return "none"
    return Zone(machine, index).name or names[index]


# ---- lists of free blocks -----------------------------------------------------------------------


def walk_one_way(machine, pages, head, forward, limit):
    """([pfn, ...], [what is wrong, ...]) from a list's head along one direction."""
    along, back = ((pages.next_at, pages.prev_at) if forward else (pages.prev_at, pages.next_at))
    found, wrong, seen = [], [], set()
    at, link = head, machine.word(head + along)
    while link != head:
        pfn = pages.pfn_by_lru(link)
        if pfn is None:
            wrong.append(f"the link at {at:#x} leads to {link:#x}, which is in no struct page")
            break
        if link in seen or len(found) >= limit:
            wrong.append(f"the list comes back to pfn={pfn:#x} and never to its head")
            break
        seen.add(link)
        found.append(pfn)
        if machine.word(link + back) != at:
            wrong.append(f"pfn={pfn:#x} points back to {machine.word(link + back):#x}, "
                         f"not to {at:#x} where it was reached from")
        at, link = link, machine.word(link + along)
    else:
        if machine.word(head + back) != at:
            wrong.append(f"the head at {head:#x} points back to {machine.word(head + back):#x}, "
                         f"not to {at:#x} where it was reached from")
    return found, wrong


def walk_list(machine, pages, zone, order, mobility):
    """Blocks on one free list from its front, and what is wrong with the list."""
    head = zone.list_head(order, mobility)
    try:
        found, wrong = walk_one_way(machine, pages, head, True, zone.spanned)
        if wrong and found:
            behind = walk_one_way(machine, pages, head, False, zone.spanned)[0]
            wrong.append(f"{len(found)} blocks are reached from the front, "
                         f"{len(behind)} from the back")
    except Unreadable as error:
        found, wrong = [], [str(error)]
    for pfn in found:
        flags = pages.flags(pfn)
        want = (zone.index, order, mobility)
        have = (pages.zone(flags), pages.order(flags), pages.mobility(flags))
        if have != want or not flags & pages.buddy:
            wrong.append(f"pfn={pfn:#x} has flags {flags:#010x}: not a free block of this list")
    return found, wrong


# ---- per-CPU lists ------------------------------------------------------------------------------


class Stack:
    """One CPU's stack of blocks of one order, zone and mobility."""

    def __init__(self, machine, pages, cpu, offset, index):
        stacks = symbol("pcp_stack").type
        at, where = place(stacks, index)
        va = (machine.address_of("pcp_stack") + offset + at) & machine.word_mask
        value = machine.load(va, where)
        flags = index << pages.mob_shift
        self.cpu, self.index = cpu, index
        self.order, self.zone = pages.order(flags), pages.zone(flags)
        self.mobility = pages.mobility(flags)
        self.nr, self.limit = int(value["nr"]), int(value["limit"])
        self.bottom = int(value["bottom"])
        slots = value["slot"]
        self.room = length(slots.type)
        self.blocks = [int(slots[i]) for i in range(min(self.nr, self.room))]

    def nr_pages(self):
        return len(self.blocks) << self.order


def all_stacks(machine, pages, report):
    """The stacks of the boot CPU, and of every other that has a copy of its own."""
    offsets = machine.variable("percpu_offset")
    found = []
    for cpu in range(length(offsets.type)):
        offset = int(offsets[cpu])
        if cpu and not offset:
            continue
        try:
            found += [Stack(machine, pages, cpu, offset, index)
                      for index in range(length(symbol("pcp_stack").type))]
        except Unreadable as error:
            report.broken(f"cpu={cpu} percpu_offset={offset:#x}: {error}")
    return found


def check_stack(stack, pages, report):
    where = f"cpu={stack.cpu} list {stack.index}"
    if not stack.nr <= stack.limit <= stack.room:
        report.broken(f"{where}: nr={stack.nr} limit={stack.limit}, room for {stack.room}")
    if stack.bottom:
        report.broken(f"{where}: bottom={stack.bottom:#x}, must be 0")
    for va in stack.blocks:
        pfn = pages.pfn(va)
        if pfn is None:
            report.broken(f"{where}: {va:#x} is no struct page")
        elif pages.flags(pfn) != stack.index << pages.mob_shift:
            report.broken(f"{where}: pfn={pfn:#x} has flags {pages.flags(pfn):#010x}")


def pcp_holder(machine, pages, pfn, report):
    """The stack with the block that the page lies in, or None."""
    for stack in all_stacks(machine, pages, report):
        for va in stack.blocks:
            head = pages.pfn(va)
            if head is not None and head <= pfn < head + (1 << stack.order):
                return stack
    return None


# ---- one page -----------------------------------------------------------------------------------


def block_text(pages, pfn, head):
    flags = pages.flags(head)
    text = (f" order={pages.order(flags)} "
            f"mobility={pages.mobility_name(pages.mobility(flags))}")
    return text + (f" head={head:#07x}" if head != pfn else "")


def page_line(machine, pages, pfn, report):
    """What the kernel's page_show() says, and for a page on a CPU's list, which CPU's."""
    value = machine.load(pages.va(pfn), pages.type)
    flags, head = pages.flags(pfn), pages.block_head(pfn)
    holder = None
    if flags & pages.reserved:
        state = "reserved"
    elif head is not None:
        state = "free" if pages.flags(head) & pages.buddy else "used"
    else:
        holder = pcp_holder(machine, pages, pfn, report)
        state = "per-cpu" if holder else "in-motion"
    lru = [int(value["lru"][link]) for link in ("next", "prev")]
    virtual = int(value["virtual"])
    return (f"pfn={pfn:#07x} pa={pfn << machine.page_shift:#010x} "
            f"va={f'{virtual:#010x}' if virtual else 'none'} "
            f"zone={zone_label(machine, pages.zone(flags))} state={state} "
            f"flags={show_bits(flags & pages.bits_mask, pages.bit_names)} "
            f"count={pages.count(pfn)}"
            + (block_text(pages, pfn, head) if head is not None else "")
            + f" private={int(value['private']):#x} lru={lru[0]:#010x},{lru[1]:#010x}"
            + (f" cpu={holder.cpu}" if holder else ""))


# ---- page tables --------------------------------------------------------------------------------


class PageTables:
    """The tables that hang from CR3, read at their physical addresses."""

    def __init__(self, machine):
        self.m = machine
        pte = lookup_type("pte_t")
        bits = enum("pte_bit")
        self.bits = bit_names("pte_bit")
        self.present, self.large = bits["PTE_PRESENT"], bits["PTE_LARGE"]
        self.pfn_mask = bits["PTE_PFN_MASK"]
        self.entry_size = pte.sizeof
        self.entries = machine.page_size // pte.sizeof
        self.index_bits = self.entries.bit_length() - 1
        address_bits = 8 * machine.word_size
        self.levels = -(-(address_bits - machine.page_shift) // self.index_bits)
        if machine.paging:
            cr3 = register("cr3")
            if cr3 is None:
                raise Unreadable("the stub has no register cr3")
            self.root, self.whose = int(cr3) & -machine.page_size, "cr3"
        else:
            self.root, self.whose = machine.address_of("boot_root") - machine.offset, "boot_root"

    def shift(self, level):
        return self.m.page_shift + level * self.index_bits

    def walk(self, va):
        """[(level, index, entry)] down to the leaf or the first entry that is not present, and the
        physical address, None if there is none."""
        steps, table = [], self.root
        for level in reversed(range(self.levels)):
            index = va >> self.shift(level) & (self.entries - 1)
            data = self.m.read_physical(table + index * self.entry_size, self.entry_size)
            entry = int.from_bytes(data, "little")
            steps.append((level, index, entry))
            if not entry & self.present:
                return steps, None
            if self.is_leaf(level, entry):
                rest = (1 << self.shift(level)) - 1
                return steps, entry & self.pfn_mask & ~rest | va & rest
            table = entry & self.pfn_mask
        raise AssertionError("level 0 is a leaf or not present")

    def is_leaf(self, level, entry):
        return level == 0 or bool(entry & self.large)

    def describe(self, level, entry, pa):
        if not entry & self.present:
            return "not present"
        if not self.is_leaf(level, entry):
            return f"table={entry & self.pfn_mask:#x}"
        kib = 1 << self.shift(level) - 10
        return f"pa={pa:#x} size={kib}K flags={show_bits(entry & ~self.pfn_mask, self.bits)}"
