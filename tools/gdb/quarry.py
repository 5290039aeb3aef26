"""quarry.py - gdb commands that show the memory subsystem of a stopped kernel.

    (gdb) source tools/gdb/quarry.py        `make debug` has done it
    (gdb) quarry                            lists the commands

IDEA.  The kernel may stand anywhere: at the firmware's first instruction, before paging is on,
before mm_init(), inside an allocation with a zone's lock held and a list half-linked.  So nothing
that memory says is believed (quarry_mm.py), and what contradicts itself is shown in a line that
starts with BROKEN.  Nothing is ever called in the kernel.  How memory is read, and where constants
come from: quarry_machine.py.  Slab caches, and what an address is: quarry_slab.py.  Areas, slots
of kmap() and the fixmap: quarry_areas.py.

STATE.  None between commands.

NOT HERE.  Other ports than x86.
"""

import itertools
import os.path
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from quarry_machine import (  # noqa: E402
    PROBLEMS_SHOWN, Machine, Report, Unreadable, enum_names, length, show_bits, symbol)
from quarry_mm import (  # noqa: E402
    PageTables, Pages, all_stacks, all_zones, check_stack, page_line, walk_list, zone_label)
from quarry_areas import areas, fixmap, pkmap  # noqa: E402
from quarry_slab import (  # noqa: E402
    OBJECT_STATES, all_caches, cache_line, object_lines, show_slabs, whatis_lines)


# ---- what the user types ------------------------------------------------------------------------


def evaluate(text):
    try:
        return gdb.parse_and_eval(text)
    except gdb.error as error:
        raise gdb.GdbError(str(error)) from error


def number_of(machine, text):
    value = evaluate(text)
    if value.type.strip_typedefs().code in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FUNC):
        value = value.address
    try:
        return int(value) & ((1 << 64) - 1 if value.type.sizeof > machine.word_size
                             else machine.word_mask)
    except gdb.error as error:
        raise gdb.GdbError(f"{text} is no number: {error}") from error


def is_struct_page(where):
    where = where.strip_typedefs()
    return where.code == gdb.TYPE_CODE_STRUCT and where.tag == "page"


def struct_page_address(text):
    """Address of the struct page that an expression points to or is; None if it is none."""
    value = evaluate(text)
    where = value.type.strip_typedefs()
    if where.code == gdb.TYPE_CODE_PTR and is_struct_page(where.target()):
        return int(value)
    if is_struct_page(where) and value.address is not None:
        return int(value.address)
    return None


def parse_pfn(machine, pages, text):
    """The page that a user means: see the help of `quarry page`."""
    kind, colon, rest = text.partition(":")
    if colon and kind == "pa":
        return number_of(machine, rest) >> machine.page_shift
    if colon and kind == "pfn":
        return number_of(machine, rest)
    address = struct_page_address(text)
    if address is not None:
        pfn = pages.pfn(address & machine.word_mask)
        if pfn is None:
            raise gdb.GdbError(f"{text}: no struct page is at {address:#x}")
        return pfn
    number = number_of(machine, text)
    if number < machine.offset:
        return number
    if not machine.paging:
        return number - machine.offset >> machine.page_shift
    pa = PageTables(machine).walk(number)[1]
    if pa is None:
        raise gdb.GdbError(f"{number:#x} is not mapped: try `quarry pt {number:#x}`")
    return pa >> machine.page_shift


def choose_zones(machine, args):
    zones = all_zones(machine)
    if not args:
        return zones
    names = enum_names("zone_type")
    wanted = args[0].lower()
    chosen = [z for z in zones if wanted in ((z.name or "").lower(), names[z.index])]
    if not chosen:
        raise gdb.GdbError(f"no zone '{args[0]}': " + ", ".join(names.values()))
    return chosen


# ---- the commands -------------------------------------------------------------------------------


def zones(machine, report, args):
    """Zones: range, pages, watermarks, what each keeps from requests that could use higher ones.

    quarry zones [ZONE]

    free are the pages on the zone's lists, pcp those on the lists of all CPUs."""
    pages = Pages(machine)
    nr_pcp = dict.fromkeys(range(length(symbol("zones").type)), 0)
    for stack in all_stacks(machine, pages, report):
        nr_pcp[stack.zone] = nr_pcp.get(stack.zone, 0) + stack.nr_pages()
    for zone in choose_zones(machine, args):
        if not zone.made:
            report.line(f"zone={zone_label(machine, zone.index)} not made yet")
            continue
        marks = enum_names("watermark")
        limits = [f"{marks[i]}={n}" for i, n in enumerate(zone.numbers("watermark"))]
        reserve = ",".join(str(n) for n in zone.numbers("lowmem_reserve"))
        report.line(f"zone={zone.name} start_pfn={zone.start:#07x} "
                    f"end_pfn={zone.start + zone.spanned:#07x} spanned={zone.spanned} "
                    f"present={zone.number('nr_present')} managed={zone.number('nr_managed')} "
                    f"free={zone.number('nr_free')} pcp={nr_pcp[zone.index]} lock={zone.state()}")
        report.line(f"    {' '.join(limits)} lowmem_reserve={reserve} "
                    f"steals={zone.number('nr_steals')} "
                    f"block_moves={zone.number('nr_block_moves')}")


def show_table(report, title, rows):
    report.line(f"  {title[0]:14}" + "".join(f"{cell:>7}" for cell in title[1]))
    for name, cells in rows:
        report.line(f"  {name:14}" + "".join(f"{cell:>7}" for cell in cells))


def check_counts(machine, pages, zone, lists, report):
    nr_pages = sum(len(blocks) << order for (order, _), blocks in lists.items())
    for (order, mobility), blocks in lists.items():
        if len(blocks) != zone.nr_blocks(order, mobility):
            report.broken(f"order {order} {pages.mobility_name(mobility)}: {len(blocks)} blocks, "
                          f"nr_blocks says {zone.nr_blocks(order, mobility)}")
    for mobility, bits in enumerate(zone.numbers("nonempty")):
        seen = sum(1 << order for (order, mob), b in lists.items() if mob == mobility and b)
        if seen != bits:
            report.broken(f"{pages.mobility_name(mobility)}: nonempty is {bits:#x}, "
                          f"the lists say {seen:#x}")
    if nr_pages == zone.number("nr_free"):
        report.line(f"  pages={nr_pages}, as nr_free says")
    else:
        report.line(f"  pages={nr_pages}")
        report.broken(f"nr_free says {zone.number('nr_free')}")


def show_zone_lists(machine, pages, zone, orders, report):
    report.line(f"zone={zone_label(machine, zone.index)} free={zone.number('nr_free')} "
                f"lock={zone.state()}" + ("" if zone.made else " not made yet"))
    if not zone.made:
        return
    if zone.lock_held():
        report.line("  the zone's lock is held: its lists may be in motion")
    lists = {}
    for order, mobility in itertools.product(range(pages.nr_orders), pages.mobilities):
        lists[order, mobility], wrong = walk_list(machine, pages, zone, order, mobility)
        for what in wrong:
            report.broken(f"order {order} {pages.mobility_name(mobility)}: {what}")
    show_table(report, ("order", range(pages.nr_orders)),
               [(name, [len(lists[order, mob]) for order in range(pages.nr_orders)])
                for mob, name in pages.mobilities.items()])
    check_counts(machine, pages, zone, lists, report)
    for order, (mob, name) in itertools.product(orders, pages.mobilities.items()):
        blocks = " ".join(f"{pfn:#07x}" for pfn in lists[order, mob])
        report.line(f"  order={order} mobility={name} pfns={blocks or 'none'}")


def free(machine, report, args):
    """Free blocks by order and mobility, counted by walking the lists.

    quarry free [ZONE [ORDER]]

    With an order, the blocks themselves, first the one to be taken next.  Each link, each block's
    flags and the zone's counts are checked; a contradiction is normal while the lock is held."""
    pages = Pages(machine)
    orders = []
    if len(args) > 1:
        orders = [number_of(machine, args[1])]
        if orders[0] >= pages.nr_orders:
            raise gdb.GdbError(f"orders are 0 to {pages.nr_orders - 1}")
    for zone in choose_zones(machine, args):
        show_zone_lists(machine, pages, zone, orders, report)


def pcp(machine, report, args):
    """Per-CPU lists: blocks that are free for all purposes, but on no zone's list.

    quarry pcp [CPU]

    The last block is the newest, to be taken next."""
    pages = Pages(machine)
    only = number_of(machine, args[0]) if args else None
    stacks = [s for s in all_stacks(machine, pages, report) if only in (None, s.cpu)]
    if not stacks:
        raise gdb.GdbError(f"cpu {only} has no lists")
    for cpu, zone in itertools.product(sorted({s.cpu for s in stacks}),
                                       range(length(symbol("zones").type))):
        mine = [s for s in stacks if (s.cpu, s.zone) == (cpu, zone)]
        limits = [max(s.limit for s in mine if s.order == order)
                  for order in sorted({s.order for s in mine}) if order < pages.nr_orders]
        report.line(f"cpu={cpu} zone={zone_label(machine, zone)} "
                    f"pages={sum(s.nr_pages() for s in mine)} "
                    f"limits={','.join(str(n) for n in limits if n) or 'none'}")
        for stack in mine:
            if stack.blocks:
                pfns = " ".join(f"{va:#x}(no_page)" if pages.pfn(va) is None
                                else f"{pages.pfn(va):#07x}" for va in stack.blocks)
                report.line(f"    order={stack.order} "
                            f"mobility={pages.mobility_name(stack.mobility)} "
                            f"blocks={stack.nr} pfns={pfns}")
    for stack in stacks:
        check_stack(stack, pages, report)


def page(machine, report, args):
    """What is known about a page frame.

    quarry page EXPRESSION | pa:EXPRESSION | pfn:EXPRESSION

    A struct page, or a pointer to one, is that page; a number below KERNEL_OFFSET is a page frame
    number; a higher one an address, which is translated.  state= is reserved, used, free (on a
    zone's list), per-cpu (on a CPU's), or in-motion: on its way from one of these to another.
    order=, mobility= are the block's in which the page lies, head= its first page."""
    if len(args) != 1:
        raise gdb.GdbError("one page: see help quarry page")
    pages = Pages(machine)
    pages.require()
    pfn = parse_pfn(machine, pages, args[0])
    if pfn >= pages.max_pfn:
        raise gdb.GdbError(f"pfn {pfn:#x} has no struct page: RAM ends at {pages.max_pfn:#x}")
    report.line(page_line(machine, pages, pfn, report))
    report.line(f"    (struct page *){pages.va(pfn):#x}")


def pt(machine, report, args):
    """Walk the page tables to an address, as the CPU does: from CR3, by physical addresses.

    quarry pt EXPRESSION

    While paging is off, the walk is in the tables that CR3 is going to get."""
    if len(args) != 1:
        raise gdb.GdbError("one address: see help quarry pt")
    va = number_of(machine, args[0]) & machine.word_mask
    tables = PageTables(machine)
    if not machine.paging:
        report.line("paging is off (CR0.PG=0): boot_root is what CR3 is going to get")
    report.line(f"va={va:#010x} {tables.whose}={tables.root:#x}")
    steps, pa = tables.walk(va)
    for level, index, entry in steps:
        report.line(f"level={level} index={index} entry={entry:#x} "
                    f"{tables.describe(level, entry, pa)}")


def show_regions(report, regions, nr, what):
    """nr is the kernel's word for how many entries of the array are in use."""
    room = length(regions.type)
    report.line(f"{what} map, {nr} entries:")
    if nr > room:
        report.broken(f"there is room for {room}")
        return
    types = enum_names("mem_type")
    for i in range(nr):
        start, size = int(regions[i]["start"]), int(regions[i]["size"])
        kind = int(regions[i]["type"])
        end = (start + size - 1 if size else start) & (1 << 64) - 1
        report.line(f"  {start:#014x}-{end:#014x}  {size >> 10:10} KiB  "
                    f"type={kind} {types.get(kind, 'unknown')}" + ("" if size else " (empty)"))


def memmap(machine, report, args):
    """The memory map: the firmware's as the boot loader gave it, and what was made of it.

    quarry memmap"""
    pointer = symbol("kernel_bootinfo").type.strip_typedefs()
    va = machine.number("kernel_bootinfo")
    if not va:
        raise Unreadable("no kernel in memory yet")
    info = machine.load(va, pointer.target().strip_typedefs())
    show_regions(report, info["map"], int(info["nr_map"]), "firmware's")
    if int(info["nr_map_dropped"]):
        report.line(f"  and {int(info['nr_map_dropped'])} more, for which there was no room")
    show_regions(report, machine.variable("kernel_map"), machine.number("kernel_map_nr"),
                 "sanitised")
    if not int(info["nr_map"]):
        report.line("the boot information has not been read yet")


def show_memblock_type(machine, report, value, what):
    where = value["region"].type.target()
    nr, cap, va = int(value["nr"]), int(value["cap"]), int(value["region"])
    if nr > cap:
        report.broken(f"{what} has {nr} regions and room for {cap}")
        return
    last = 0
    for i in range(nr):
        region = machine.load(va + i * where.sizeof, where)
        start, end = int(region["start"]), int(region["end"])
        name = machine.text(int(region["name"]))
        report.line(f"{what:8} [mem {start:#012x}-{end - 1:#012x}] {(end - start) >> 10:8} KiB"
                    + (f" {name}" if name else ""))
        if not last <= start < end:
            report.broken(f"{what} region {i} is empty, or not behind the one before it")
            if i >= PROBLEMS_SHOWN and report.nr_broken >= PROBLEMS_SHOWN:
                return
        last = end


def memblock(machine, report, args):
    """RAM and who has reserved which part of it, from before there are pages.

    quarry memblock"""
    value = machine.variable("memblock")
    for what in ("memory", "reserved"):
        show_memblock_type(machine, report, value[what], what)
    nr = [int(value[what]["nr"]) for what in ("memory", "reserved")]
    report.line(f"memblock limit={int(value['limit']):#x} "
                f"direction={'bottom-up' if value['bottom_up'] else 'top-down'} "
                f"{'closed' if value['closed'] else 'open'} memory={nr[0]} reserved={nr[1]}")


def choose_cache(machine, report, args):
    if not args:
        raise gdb.GdbError("which cache? `quarry caches` lists them")
    found = [c for c in all_caches(machine, report) if c.name == args[0]]
    if not found:
        raise gdb.GdbError(f"no cache '{args[0]}': quarry caches lists them")
    return found[0]


def caches(machine, report, args):
    """Slab caches, a line each: geometry, and how many objects there are of which kind.

    quarry caches

    in_use are the objects that somebody has, cached those in magazines."""
    for cache in all_caches(machine, report):
        report.line(cache_line(cache, report))


def slabs(machine, report, args):
    """The slabs of one cache, as its lists have them, and a map of the objects of each.

    quarry slabs CACHE

    In the map T is an object that somebody has, c one in a magazine, - one on its slab's list.
    Links, lists and counts are checked; a contradiction is normal while the lock is held."""
    cache = choose_cache(machine, report, args)
    report.line(cache_line(cache, report))
    show_slabs(cache, report)


def objects(machine, report, args):
    """The objects of one cache: address, index, slab, state, and who took and gave it, if known.

    quarry objects CACHE [taken|cached|free]"""
    cache = choose_cache(machine, report, args)
    if len(args) > 1 and args[1] not in OBJECT_STATES:
        raise gdb.GdbError("states are " + ", ".join(OBJECT_STATES))
    for line in object_lines(cache, args[1] if len(args) > 1 else None, report):
        report.line(line)


def whatis(machine, report, args):
    """What an address is: all that the monitor's command of that name knows, from outside.

    quarry whatis EXPRESSION"""
    if len(args) != 1:
        raise gdb.GdbError("one address: see help quarry whatis")
    for line in whatis_lines(machine, number_of(machine, args[0]) & machine.word_mask, report):
        report.line(line)


def show_help(machine, report, args):
    """List the commands.

    quarry help"""
    for name, function in COMMANDS.items():
        report.line(f"quarry {name:9} {function.__doc__.splitlines()[0]}")
    report.line("More about one: help quarry NAME.  A line that starts with BROKEN is a "
                "contradiction in the kernel's state.")


COMMANDS = {"zones": zones, "free": free, "pcp": pcp, "page": page, "pt": pt, "memmap": memmap,
            "memblock": memblock, "caches": caches, "slabs": slabs, "objects": objects,
            "areas": areas, "pkmap": pkmap, "fixmap": fixmap, "whatis": whatis, "help": show_help}
ARGS_MAX = {"zones": 1, "free": 2, "pcp": 1, "page": None, "pt": None, "slabs": 1, "objects": 2,
            "whatis": None}
NEEDS_NO_MACHINE = ("help",)


class Command(gdb.Command):
    """One command below the prefix."""

    def __init__(self, name, function):
        self.name, self.function = name, function
        self.__doc__ = "\n".join(line.strip() for line in function.__doc__.splitlines())
        super().__init__(f"quarry {name}", gdb.COMMAND_DATA)

    def words(self, argument):
        """An expression may hold blanks: where one is due, all of the line is one word."""
        limit = ARGS_MAX.get(self.name, 0)
        if limit is None:
            return [argument.strip()] if argument.strip() else []
        words = gdb.string_to_argv(argument)
        if len(words) > limit:
            raise gdb.GdbError(f"too many words: see help quarry {self.name}")
        return words

    def invoke(self, argument, from_tty):
        args, report = self.words(argument), Report()
        if self.name in NEEDS_NO_MACHINE:
            self.function(None, report, args)
            return
        try:
            with Machine() as machine:
                if not machine.paging and self.name != "pt":
                    report.line("paging is off (CR0.PG=0): reading at physical addresses")
                self.function(machine, report, args)
        except Unreadable as error:
            report.line(str(error))
        except gdb.error as error:
            raise gdb.GdbError(str(error)) from error
        report.end()


class Prefix(gdb.Command):
    """Show the memory subsystem of the stopped kernel; `quarry help` lists how."""

    def __init__(self):
        super().__init__("quarry", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)

    def invoke(self, argument, from_tty):
        if argument:
            raise gdb.GdbError(f"no command 'quarry {argument}': see quarry help")
        show_help(None, Report(), [])


Prefix()
for command_name, command_function in COMMANDS.items():
    Command(command_name, command_function)
