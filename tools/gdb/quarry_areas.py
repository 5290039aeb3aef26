"""quarry_areas.py - vm areas, slots of kmap() and the fixmap, read from outside, for quarry.py.

IDEA.  As quarry_mm.py: the tree of areas is walked for as many steps as the vmalloc range has pages
at most, and no node is visited twice; a slot is compared with the page that it says it has, with
that page's address, and with the page tables.

The lines of pkmap and fixmap are those of the monitor's commands; those about one address are those
of the kernel's whatis_show().
"""

import gdb

from quarry_machine import Unreadable, enum, length, lookup_type, place, show_bits, symbol
from quarry_mm import PageTables, Pages, page_line
from quarry_symbols import caller_text


def static_address(machine, name, file):
    """(address, type) of a static variable of one source file: others may have the same name."""
    for found in gdb.lookup_static_symbols(name):
        if found.symtab.filename.endswith(file):
            va = int(found.value().address) & machine.word_mask
            return va if va >= machine.offset else va + machine.offset, found.type
    raise gdb.GdbError(f"{file} has no '{name}'")


def of_vmalloc(machine, name):
    """A static variable of the file that has the areas."""
    return machine.load(*static_address(machine, name, "mm/vmalloc.c"))


def lock_state(value):
    raw = value["raw"]
    return "held" if int(raw["owner"]) != int(raw["next"]) else "free"


# ---- vm areas -----------------------------------------------------------------------------------


class Area:
    """One struct vm_area."""

    def __init__(self, machine, va):
        self.va = va
        value = machine.load(va, lookup_type("struct vm_area"))
        found = value["range"]
        self.start, self.end = int(found["start"]), int(found["end"])
        self.grip_end, self.hole = int(found["grip_end"]), int(found["hole"])
        self.size, self.flags = int(value["size"]), int(value["flags"])
        self.caller, self.nr_pages = int(value["caller"]), int(value["nr_pages"])
        self.pa, self.freed = int(value["pa"]), bool(value["freed"])

    def kind(self):
        kinds = {value: name[3:].lower() for name, value in enum("vm_flag").items()}
        kinds[enum("vm_flag")["VM_ALLOC"]] = "vmalloc"
        kinds[enum("vm_flag")["VM_MAP"]] = "vmap"
        return show_bits(self.flags, kinds)


def children(machine, node):
    """(left, right) of a node of a tree."""
    where = lookup_type("struct rb_node")
    return [machine.word(node + place(where, "child", side)[0]) for side in (0, 1)]


def all_areas(machine, report):
    """Areas in order of addresses, lazy ones included."""
    space = of_vmalloc(machine, "space")
    if not int(space["end"]):
        raise Unreadable("no areas yet: vmalloc_init() has not run")
    node_at = place(lookup_type("struct vm_area"), "range", "node")[0]
    limit = (int(space["end"]) - int(space["start"])) >> machine.page_shift
    found, seen, path, node = [], set(), [], int(space["root"]["top"])
    try:
        while node or path:
            while node:
                if node in seen or len(seen) > limit:
                    report.broken(f"the tree of areas comes back to {node:#x}")
                    return found
                seen.add(node)
                path.append(node)
                node = children(machine, node)[0]
            at = path.pop()
            found.append(Area(machine, at - node_at))
            node = children(machine, at)[1]
    except Unreadable as error:
        report.broken(f"the tree of areas leads astray: {error}")
    return found


def links(machine, name, report):
    """Addresses of what is linked in a list of vmalloc.c."""
    head = static_address(machine, name, "mm/vmalloc.c")[0]
    next_at = place(lookup_type("struct list_head"), "next")[0]
    found, link = set(), machine.word(head + next_at)
    while link not in (0, head):
        if link in found:
            report.broken(f"the list {name} comes back to {link:#x}")
            break
        found.add(link)
        try:
            link = machine.word(link + next_at)
        except Unreadable as error:
            report.broken(f"the list {name} leads astray: {error}")
            break
    return found


def lazy_areas(machine, report):
    """Addresses of the areas that wait for the flush."""
    link_at = place(lookup_type("struct vm_area"), "link")[0]
    return {link - link_at for link in links(machine, "lazy", report)}


def area_state(area, lazy):
    if not area.freed:
        return "living"
    return "lazy" if area.va in lazy else "unfinished"


def check_areas(machine, areas, lazy, report):
    end = 0
    for area in areas:
        if not end <= area.start < area.end <= area.grip_end:
            report.broken(f"area {area.start:#x}: not behind the one before it, or empty")
        if area.size != area.end - area.start:
            report.broken(f"area {area.start:#x}: size={area.size}, its range has "
                          f"{area.end - area.start}")
        end = area.grip_end
    for va in lazy - {area.va for area in areas}:
        report.broken(f"the lazy area at {va:#x} is not in the tree")
    counts = of_vmalloc(machine, "counts")
    alloc = enum("vm_flag")["VM_ALLOC"]
    seen = {"nr_areas": sum(not a.freed for a in areas),
            "nr_pages": sum(a.nr_pages for a in areas if not a.freed and a.flags & alloc),
            "nr_lazy_pages": len(links(machine, "lazy_pages", report)),
            "lazy_bytes": sum(a.grip_end - a.start for a in areas if a.va in lazy)}
    for name, nr in seen.items():
        if int(counts[name]) != nr:
            report.broken(f"{name} says {int(counts[name])}, the areas say {nr}")
    return seen


def areas(machine, report, args):
    """Areas of the vmalloc range by address, freed ones that wait for their flush included.

    quarry areas

    pages are the area's own while it lives, size= and its guard bytes.  state= is living, lazy
    (unmapped, waits for a flush; neighbours are one), or unfinished (freed in an interrupt, still
    mapped)."""
    found, lazy = all_areas(machine, report), lazy_areas(machine, report)
    for area in found:
        line = (f"area start={area.start:#010x} end={area.end:#010x} size={area.size} "
                f"guard={area.grip_end - area.end} pages={area.nr_pages} flags={area.kind()} "
                f"state={area_state(area, lazy)} by={caller_text(machine, area.caller)}")
        if area.flags & enum("vm_flag")["VM_IOREMAP"]:
            line += f" pa={area.pa:#010x}"
        report.line(line)
    seen = check_areas(machine, found, lazy, report)
    lock = lock_state(of_vmalloc(machine, "vmap_lock"))
    report.line(f"areas living={seen['nr_areas']} pages={seen['nr_pages']} "
                f"lazy={len(lazy)} lazy_pages={seen['nr_lazy_pages']} lock={lock}")


def area_lines(machine, pages, pa, va, report):
    layout = machine.variable("mm_layout")
    if not int(layout["vmalloc_start"]) <= va < int(layout["vmalloc_end"]):
        return
    try:
        found = [a for a in all_areas(machine, report) if a.start <= va < a.grip_end]
    except Unreadable:
        return
    flags = enum("vm_flag")
    for area in found:
        kind = next(text for name, text in (("VM_ALLOC", "vmalloc"), ("VM_MAP", "vmap"),
                                            ("VM_IOREMAP", "ioremap"), (None, "unknown"))
                    if name is None or area.flags & flags[name])
        yield (f"area kind={kind} start={area.start:#010x} size={area.size} "
               f"offset={va - area.start} part={'inside' if va < area.end else 'guard'} "
               f"state={'freed' if area.freed else 'living'} "
               f"by={caller_text(machine, area.caller)}")
        if pa is not None and pages.base and pa >> machine.page_shift < pages.max_pfn:
            yield "page " + page_line(machine, pages, pa >> machine.page_shift, report)


# ---- slots of kmap() ----------------------------------------------------------------------------


class Slot:
    """One struct kmap_slot."""

    def __init__(self, machine, pages, value, i):
        self.i, self.va = i, enum("va_mark")["VA_PKMAP_START"] + (i << machine.page_shift)
        self.count = int(value["count"]["val"])
        self.page, self.caller = int(value["page"]), int(value["caller"])
        self.pfn = pages.pfn(self.page) if self.page else None

    def line(self, machine):
        line = f"pkmap slot={self.i} count={self.count}"
        if not self.count or not self.page:
            return line + " pfn=none"
        pfn = f"{self.pfn:#07x}" if self.pfn is not None else f"{self.page:#x}(no_page)"
        return line + f" pfn={pfn} by={caller_text(machine, self.caller)}"


def check_slot(machine, pages, tables, slot, report):
    pa = tables.walk(slot.va)[1]
    mapped = None if pa is None else pa >> machine.page_shift
    if slot.count < 0 or bool(slot.count) != bool(slot.page):
        report.broken(f"slot {slot.i}: count={slot.count} page={slot.page:#x}")
    elif slot.page and slot.pfn is None:
        report.broken(f"slot {slot.i}: no struct page is at {slot.page:#x}")
    elif mapped != slot.pfn:
        report.broken(f"slot {slot.i}: the page tables have "
                      f"{'nothing' if mapped is None else hex(mapped)} there")
    elif slot.pfn is not None:
        virtual = int(machine.load(slot.page, pages.type)["virtual"])
        highmem = pages.zone(pages.flags(slot.pfn)) == enum("zone_type")["ZONE_HIGHMEM"]
        if highmem and virtual != slot.va:
            report.broken(f"slot {slot.i}: pfn={slot.pfn:#x} says that it is at {virtual:#x}")


def pkmap(machine, report, args):
    """Slots of kmap() that map a page: count, page, who holds it or held it last.

    quarry pkmap

    A count is the users + 1: 1 is a slot that nobody uses and no flush has freed yet."""
    pages, tables = Pages(machine), PageTables(machine)
    pages.require()
    values = machine.variable("pkmap")
    slots = [Slot(machine, pages, values[i], i) for i in range(length(values.type))]
    for slot in slots:
        if slot.count or slot.page:
            report.line(slot.line(machine))
        check_slot(machine, pages, tables, slot, report)
    report.line(f"pkmap slots={len(slots)} held={sum(s.count > 1 for s in slots)} "
                f"unused={sum(s.count == 1 for s in slots)}")


def pkmap_lines(machine, pages, va, report):
    marks = enum("va_mark")
    if not marks["VA_PKMAP_START"] <= va < marks["VA_PKMAP_END"] or not pages.base:
        return
    i = va - marks["VA_PKMAP_START"] >> machine.page_shift
    slot = Slot(machine, pages, machine.variable("pkmap")[i], i)
    yield slot.line(machine)
    if slot.pfn is not None:
        yield "page " + page_line(machine, pages, slot.pfn, report)


# ---- the fixmap ---------------------------------------------------------------------------------


def local_text(machine, va):
    """' cpu= nr= by=' of a slot of kmap_local_page(); who, while the CPU's stack reaches above."""
    marks = enum("va_mark")
    cpu, nr = divmod(va - marks["VA_KMAP_LOCAL_START"] >> machine.page_shift,
                     marks["VA_KMAP_LOCAL_SLOTS"])
    line, offset = f" cpu={cpu} nr={nr}", int(machine.variable("percpu_offset")[cpu])
    if cpu and not offset:
        return line
    stack = machine.load(machine.address_of("kmap_local_stack") + offset & machine.word_mask,
                         symbol("kmap_local_stack").type)
    if nr < int(stack["depth"]):
        line += f" by={caller_text(machine, int(stack['caller'][nr]))}"
    return line


def fixmap_user(slot):
    numbers = enum("fixed_addresses")
    for name in ("LAPIC", "VGA_TEXT"):
        if slot == numbers[f"FIX_{name}"]:
            return name.lower()
    ends = ("EARLY_END", "early_ioremap"), ("SPARE_END", "spare"), ("KMAP_LOCAL_END", "kmap_local")
    return next(user for end, user in ends if slot < numbers[f"FIX_{end}"])


def fixmap(machine, report, args):
    """Fixed pages that are mapped: number, address, user, frame; kmap_local's with their holders.

    quarry fixmap"""
    marks, tables = enum("va_mark"), PageTables(machine)
    nr = marks["VA_FIXMAP_END"] - marks["VA_FIXMAP_START"] >> machine.page_shift
    nr_mapped = 0
    for i in range(nr):
        va = marks["VA_FIXMAP_START"] + (i << machine.page_shift)
        pa = tables.walk(va)[1]
        if pa is None:
            continue
        nr_mapped += 1
        local = va >= marks["VA_KMAP_LOCAL_START"]
        report.line(f"fixmap slot={i} va={va:#010x} use={fixmap_user(i)} "
                    f"pfn={pa >> machine.page_shift:#07x}"
                    + (local_text(machine, va) if local else ""))
    report.line(f"fixmap slots={nr} mapped={nr_mapped}")


def fixmap_lines(machine, pages, pa, va, report):
    marks = enum("va_mark")
    if not marks["VA_FIXMAP_START"] <= va < marks["VA_FIXMAP_END"]:
        return
    slot = va - marks["VA_FIXMAP_START"] >> machine.page_shift
    line = f"fixmap slot={slot} use={fixmap_user(slot)}"
    if va >= marks["VA_KMAP_LOCAL_START"]:
        line += local_text(machine, va)
    if pa is None:
        yield f"{line} pfn=none"
        return
    pfn = pa >> machine.page_shift
    yield f"{line} pfn={pfn:#07x}"
    if pages.base and pfn < pages.max_pfn:
        yield "page " + page_line(machine, pages, pfn, report)
