"""quarry_slab.py - slab caches, and what an address is, read from outside, for quarry.py.

IDEA.  As quarry_mm.py: lists are walked with each link checked and no step taken twice; a slab's
list of free objects is followed for at most as many steps as it has objects; a magazine's count is
cut at its slots.  What an object is follows from two places: its slab's list of indices says
whether it was handed out, the magazines say whether to somebody or to one of them.

`whatis` prints the lines of the kernel's whatis_show(), in its order.
"""

import gdb

from quarry_machine import (Unreadable, bit_names, enum, length, lookup_type, place, show_bits)
from quarry_areas import area_lines, fixmap_lines, pkmap_lines
from quarry_mm import PageTables, Pages, page_line
from quarry_symbols import name_of, user_text

OBJECT_STATES = ("taken", "cached", "free")
MAP_LETTERS = {"taken": "T", "cached": "c", "free": "-"}
MAP_WIDTH = 64
LISTS = ("full", "partial", "empty")


# ---- lists --------------------------------------------------------------------------------------


def walk(machine, head, limit):
    """([address of a link, ...], what is wrong or None) of a list from its head."""
    where = lookup_type("struct list_head")
    next_at, prev_at = place(where, "next")[0], place(where, "prev")[0]
    found, seen, at = [], set(), head
    try:
        link = machine.word(head + next_at)
        while link != head:
            if link in seen or len(found) >= limit:
                return found, f"the list at {head:#x} never comes back to its head"
            back = machine.word(link + prev_at)
            if back != at:
                return found, f"the link at {link:#x} points back to {back:#x}, not to {at:#x}"
            seen.add(link)
            found.append(link)
            at, link = link, machine.word(link + next_at)
    except Unreadable as error:
        return found, f"the list at {head:#x} leads astray: {error}"
    return found, None


# ---- caches -------------------------------------------------------------------------------------


class Cache:
    """One struct kmem_cache."""

    def __init__(self, machine, va):
        self.m, self.va = machine, va
        self.type = lookup_type("struct kmem_cache")
        self.value = machine.load(va, self.type)
        self.name = machine.text(va + place(self.type, "name")[0])
        self.stride, self.size = self.number("stride"), self.number("object_size")
        self.flags, self.wide = self.number("flags"), self.number("wide")
        self.nr_layouts = length(self.value["layouts"].type)
        self.magazines = None

    def number(self, field):
        return int(self.value[field])

    def layout(self, index):
        return self.value["layouts"][index]

    def layout_address(self, index):
        return self.va + place(self.type, "layouts", index)[0]

    def off_slab(self):
        """Name of the cache that has the management, or None."""
        va = self.number("off_slab")
        return self.m.text(va + place(self.type, "name")[0]) if va else None

    def lock_held(self):
        raw = self.value["lock"]["raw"]
        return int(raw["owner"]) != int(raw["next"])

    def shared(self):
        slots = self.value["shared"]
        return [int(slots[i]) for i in range(min(self.number("nr_shared"), length(slots.type)))]

    def cpu_magazines(self):
        """{cpu: (nr, limit, [objects])} of the boot CPU, and of every other with its own copy."""
        where, found = lookup_type("struct percpu_stack"), {}
        offsets, template = self.m.variable("percpu_offset"), self.number("magazine")
        for cpu in range(length(offsets.type)):
            if cpu and not int(offsets[cpu]):
                continue
            value = self.m.load(template + int(offsets[cpu]) & self.m.word_mask, where)
            slots, nr = value["slot"], int(value["nr"])
            found[cpu] = (nr, int(value["limit"]),
                          [int(slots[i]) for i in range(min(nr, length(slots.type)))])
        return found

    def cached(self):
        """The objects in all magazines."""
        if self.magazines is None:
            found = set(self.shared())
            for _, _, objs in self.cpu_magazines().values():
                found.update(objs)
            self.magazines = found
        return self.magazines

    def nr_cached(self):
        return self.number("nr_shared") + sum(nr for nr, _, _ in self.cpu_magazines().values())

    def head(self, name):
        return self.va + place(self.type, name)[0]


def all_caches(machine, report):
    head = machine.address_of("slab_caches")
    where = lookup_type("struct kmem_cache")
    link_at = place(where, "link")[0]
    if machine.word(head) in (0, head):
        raise Unreadable("no slab caches yet: kmem_cache_init() has not made them")
    limit = max(machine.number("max_pfn"), 1) * (machine.page_size // where.sizeof)
    links, wrong = walk(machine, head, limit)
    if wrong:
        report.broken(f"slab_caches: {wrong}")
    found = []
    for link in links:
        try:
            found.append(Cache(machine, link - link_at))
        except Unreadable as error:
            report.broken(f"a cache at {link - link_at:#x}: {error}")
    return found


def cache_line(cache, report):
    wanted = cache.layout(0)
    names = bit_names("slab_flag")
    try:
        nr_cached = cache.nr_cached()
    except Unreadable as error:
        report.broken(f"cache {cache.name}: its magazine: {error}")
        nr_cached = 0
    taken = cache.number("nr_taken")
    if nr_cached > taken:
        report.broken(f"cache {cache.name}: {nr_cached} objects in magazines, {taken} taken")
    return (f"cache={cache.name} at={cache.va:#010x} object_size={cache.size} "
            f"stride={cache.stride} align={cache.number('align')} order={int(wanted['order'])} "
            f"objs_per_slab={int(wanted['nr_objs'])} slabs={cache.number('nr_slabs')} "
            f"empty={cache.number('nr_empty')} pages={cache.number('nr_pages')} "
            f"objs={cache.number('nr_objs')} in_use={taken - nr_cached} cached={nr_cached} "
            f"shared={cache.number('nr_shared')} management={cache.off_slab() or 'on-slab'} "
            f"flags={show_bits(cache.flags, names)} lock={'held' if cache.lock_held() else 'free'}")


# ---- slabs --------------------------------------------------------------------------------------


class Slab:
    """One struct slab and its list of indices."""

    def __init__(self, cache, va):
        self.c, self.va = cache, va
        self.type = lookup_type("struct slab")
        value = cache.m.load(va, self.type)
        marks = enum("slab_index")
        self.taken_mark, self.end_mark = marks["SLAB_TAKEN"], marks["SLAB_END"]
        self.objs, self.nr_taken = int(value["objs"]), int(value["nr_taken"])
        self.free = int(value["free"])
        layouts = {cache.layout_address(i): i for i in range(cache.nr_layouts)}
        self.layout = layouts.get(int(value["layout"]))
        self.nr = 0 if self.layout is None else int(cache.layout(self.layout)["nr_objs"])
        self.order = 0 if self.layout is None else int(cache.layout(self.layout)["order"])
        width = 2 if cache.wide else 1
        data = cache.m.read(va + self.type.sizeof, self.nr * width)
        self.index = [int.from_bytes(data[i * width:(i + 1) * width], "little")
                      for i in range(self.nr)]
        if not cache.wide:      # as bytes, the marks are their low halves
            low, high = self.end_mark & 0xff, self.end_mark & ~0xff
            self.index = [n | high if n >= low else n for n in self.index]

    def address(self, i):
        return self.objs + i * self.c.stride

    def state(self, i):
        if self.index[i] != self.taken_mark:
            return "free"
        return "cached" if self.address(i) in self.c.cached() else "taken"

    def listed(self):
        """Indices on the free list, and what is wrong with it or None."""
        found, at = [], self.free
        while at != self.end_mark:
            if at >= self.nr:
                return found, f"its list leads to object {at} of {self.nr}"
            if len(found) > self.nr:
                return found, "its list never ends"
            found.append(at)
            at = self.index[at]
        return found, None

    def problems(self, which):
        if self.layout is None:
            return ["its layout is none of its cache's"]
        found, wrong = self.listed()
        problems = [wrong] if wrong else []
        nr_marked = sum(n == self.taken_mark for n in self.index)
        if nr_marked != self.nr_taken or (not wrong and len(found) != self.nr - nr_marked):
            problems.append(f"nr_taken={self.nr_taken}, {nr_marked} are marked, "
                            f"{len(found)} are listed of {self.nr}")
        right = "empty" if not self.nr_taken else "full" if self.nr_taken == self.nr else "partial"
        if which != right:
            problems.append(f"{self.nr_taken} of {self.nr} are taken, but it is on {which}")
        return problems


def slabs_of(cache, report):
    """(list's name, slab) for each slab of a cache."""
    link_at = place(lookup_type("struct slab"), "link")[0]
    limit = max(cache.m.number("max_pfn"), 1)
    for name in LISTS:
        links, wrong = walk(cache.m, cache.head(name), limit)
        if wrong:
            report.broken(f"cache {cache.name}: {name}: {wrong}")
        for link in links:
            try:
                yield name, Slab(cache, link - link_at)
            except Unreadable as error:
                report.broken(f"cache {cache.name}: the slab at {link - link_at:#x}: {error}")


def show_map(slab, report):
    letters = "".join(MAP_LETTERS[slab.state(i)] for i in range(slab.nr))
    for start in range(0, slab.nr, MAP_WIDTH):
        report.line(f"    {start:5} {letters[start:start + MAP_WIDTH]}")


def check_counts(cache, seen, report):
    """The cache's counts against those of what was walked."""
    sums = {"nr_slabs": len(seen), "nr_empty": sum(name == "empty" for name, _ in seen),
            "nr_pages": sum(1 << slab.order for _, slab in seen),
            "nr_objs": sum(slab.nr for _, slab in seen),
            "nr_taken": sum(slab.nr_taken for _, slab in seen)}
    for field, number in sums.items():
        if cache.number(field) != number:
            report.broken(f"cache {cache.name}: {field} says {cache.number(field)}, "
                          f"the slabs say {number}")


def show_slabs(cache, report):
    if cache.lock_held():
        report.line("  the cache's lock is held: its slabs may be in motion")
    for cpu, (nr, limit, objs) in cache.cpu_magazines().items():
        report.line(f"  magazine cpu={cpu} objs={nr} limit={limit}")
        if nr > limit or nr != len(objs):
            report.broken(f"cache {cache.name}: cpu {cpu}: a magazine of {nr}, limit {limit}")
    report.line(f"  magazine cpu=shared objs={cache.number('nr_shared')} "
                f"limit={cache.number('shared_limit')}")
    seen = []
    for name, slab in slabs_of(cache, report):
        seen.append((name, slab))
        free = "none" if slab.free == slab.end_mark else slab.free
        report.line(f"  slab list={name} address={slab.va:#010x} objects={slab.objs:#010x} "
                    f"taken={slab.nr_taken} of={slab.nr} free={free}")
        show_map(slab, report)
        for problem in slab.problems(name):
            report.broken(f"cache {cache.name}: the slab at {slab.va:#x}: {problem}")
    check_counts(cache, seen, report)
    known = {slab.address(i) for _, slab in seen for i in range(slab.nr)
             if slab.index[i] == slab.taken_mark}
    for obj in sorted(cache.cached() - known):
        report.broken(f"cache {cache.name}: {obj:#x} in a magazine is no taken object")


# ---- objects ------------------------------------------------------------------------------------


def users(cache, obj):
    """[(what, caller, time)] of an object whose cache remembers: allocated, freed."""
    try:
        remembers = cache.flags & enum("slab_flag")["SLAB_STORE_USER"]
        where = lookup_type("struct slab_track")
    except (KeyError, gdb.GdbError):
        return []
    if not remembers:
        return []
    track = cache.m.load(obj + cache.number("track_offset"), where)
    return [(what, int(track[field]["caller"]), int(track[field]["when"]))
            for what, field in (("allocated", "alloc"), ("freed", "free"))
            if int(track[field]["caller"])]


def object_lines(cache, wanted, report):
    for _, slab in slabs_of(cache, report):
        for i in range(slab.nr):
            state, obj = slab.state(i), slab.address(i)
            if wanted not in (None, state):
                continue
            line = f"object={obj:#010x} index={i} slab={slab.va:#010x} state={state}"
            for what, caller, when in users(cache, obj):
                by = user_text(cache.m, caller).split()[1]
                line += f" {what}_by={by} {what}_time={when}"
            yield line


# ---- what an address is -------------------------------------------------------------------------


def stack_lines(machine, va):
    sp = int(gdb.parse_and_eval("$sp")) & machine.word_mask
    stacks = machine.variable("kernel_stacks")
    for i in range(length(stacks.type)):
        guard, end = int(stacks[i]["guard"]), int(stacks[i]["end"])
        start = guard + machine.page_size
        if not guard <= va < end:
            continue
        if va < start:
            use = f"guard below_start={start - va}"
        elif start <= sp < end:
            use = f"{'live' if va >= sp else 'unused'} below_top={end - va}"
        else:
            use = f"idle below_top={end - va}"
        yield (f"stack name={machine.text(int(stacks[i]['name']))} start={start:#010x} "
               f"end={end:#010x} use={use}")


def image_lines(machine, pages, va):
    """Stack, symbol and part of the image; nothing for a part whose pages boot has freed."""
    parts = gdb.parse_and_eval("port_image::parts")
    base = int(parts.address) & machine.word_mask
    parts = machine.load(base if base >= machine.offset else base + machine.offset, parts.type)
    for i in range(length(parts.type)):
        start, end = int(parts[i]["start"]), int(parts[i]["end"])
        if not start <= va < end:
            continue
        pfn = va - machine.offset >> machine.page_shift
        if int(parts[i]["boot_only"]) and pages.base and pfn < pages.max_pfn and \
                not pages.flags(pfn) & pages.reserved:
            continue
        yield from stack_lines(machine, va)
        found = name_of(machine, va)
        if found:
            yield f"symbol name={found[0]} offset={found[1]:#x} size={found[2]:#x}"
        name = machine.text(int(parts[i]["name"]))
        yield f"image start={start:#010x} end={end:#010x} name={name}"


def slab_lines(machine, pages, pfn, va):
    value = machine.load(pages.va(pfn), pages.type)
    flags = pages.flags(pfn)
    if not flags & enum("page_flag")["PG_slab"]:
        return
    cache = Cache(machine, int(value["slab_cache"]))
    slab = Slab(cache, int(value["slab"]))
    line = (f"slab cache={cache.name} slab={slab.va:#010x} objects={slab.objs:#010x} "
            f"taken={slab.nr_taken} of={slab.nr}")
    i, offset = divmod(va - slab.objs, cache.stride) if cache.stride else (-1, 0)
    if not 0 <= i < slab.nr:
        yield f"{line} address={va:#010x} in no object"
        return
    yield line
    obj = slab.address(i)
    yield (f"object start={obj:#010x} index={i} offset={offset} size={cache.size} "
           f"state={slab.state(i)}")
    for what, caller, when in users(cache, obj):
        yield f"{what} by={user_text(cache.m, caller)} time={when}"


def kmalloc_line(machine, pages, pfn, va):
    head = pages.block_head(pfn)
    if head is not None and pages.flags(head) & enum("page_flag")["PG_kmalloc"]:
        start = machine.offset + (head << machine.page_shift)
        size = machine.page_size << pages.order(pages.flags(head))
        yield f"kmalloc start={start:#010x} size={size} offset={va - start}"


def lowmem_lines(machine, pages, va, report):
    pfn = va - machine.offset >> machine.page_shift
    if va < machine.offset or pfn >= int(machine.variable("mm_layout")["lowmem_end_pfn"]):
        return
    if not pages.base:
        return
    try:
        yield from slab_lines(machine, pages, pfn, va)
    except Unreadable as error:
        report.broken(f"page {pfn:#x} says that it is a slab's: {error}")
    yield from kmalloc_line(machine, pages, pfn, va)
    yield "page " + page_line(machine, pages, pfn, report)


def region_name(machine, va):
    """The parts of the address space from 0 up, each to its inclusive end."""
    layout, marks = machine.variable("mm_layout"), enum("va_mark")
    ends = ((machine.offset, "unmapped (user)"),
            (int(layout["high_memory"]), "direct map"),
            (int(layout["vmalloc_start"]), "vmalloc hole"),
            (int(layout["vmalloc_end"]), "vmalloc"),
            (marks["VA_PKMAP_START"], "vmalloc guard"), (marks["VA_PKMAP_END"], "pkmap"),
            (marks["VA_FIXMAP_START"], "fixmap guard"), (marks["VA_FIXMAP_END"], "fixmap"))
    return next((name for end, name in ends if va < end), "top page (error pointers)")


def whatis_lines(machine, va, report):
    pages, known = Pages(machine), False
    pa = PageTables(machine).walk(va)[1]
    if not pages.base:
        yield "no struct pages yet: mm_init() has not made them"
    for line in (*image_lines(machine, pages, va), *area_lines(machine, pages, pa, va, report),
                 *lowmem_lines(machine, pages, va, report),
                 *pkmap_lines(machine, pages, va, report),
                 *fixmap_lines(machine, pages, pa, va, report)):
        known = True
        yield line
    if not known:
        yield f"nothing address={va:#010x}"
    yield (f"region address={va:#010x} mapped={'no' if pa is None else 'yes'} "
           f"name={region_name(machine, va)}")
