#!/usr/bin/python3
"""Make an allocation trace of what the command `record dump` printed.

    tools/trace_log.py LOG OUT.trace.gz         then: make replay TRACE=OUT.trace.gz

The recorder (mm/debug/alloc_trace.c) knows addresses; a trace has numbers, each for one object.  So
here an address becomes the object that lives there.  Left out, and counted in the header: frees of
what was taken before the recording, calls that failed, and the objects that slabs and areas need
for themselves.  Pages behind slabs and areas are marked as such.  A block that was split is freed
by the last of its pages.

Callers stay out of the trace, as its format has no place for them: with --callers FILE they are
written there, a line an object: number, operation, size, address of the call.
"""

import argparse
import collections
import re
import struct
import sys
import zlib
from pathlib import Path

import traces

RECORD = struct.Struct("<BBHIIII")      # op, order, context, gfp, size, caller, result
VERSION = "1"
BACKING_PAGES, BACKING_OBJECT, SPLIT = 0x80, 0x81, 0x82
SLAB_BACKING, VM_BACKING, RECLAIMABLE, MAY_FAIL = 0x01, 0x02, 0x20, 0x40
PAGE_SIZE = 4096
GFP_H = traces.ROOT / "include/quarry/gfp.h"
CLASS_BITS = {"HIGH": 0x02, "ZERO": 0x04, "HIGHMEM": 0x08, "DMA": 0x10, "DMA32": 0x20,
              "MOVABLE": 0x40}
FREES = {traces.KFREE, traces.CACHE_FREE, traces.PAGE_FREE, traces.VFREE}


class LogError(Exception):
    """A log has no recording, or not as it was printed."""


def gfp_bits(path=GFP_H):
    """{name: bit} of the masks."""
    return {name: int(value, 16) for name, value in
            re.findall(r"^#define __GFP_(\w+)\s+(0x[0-9a-f]+)u$", path.read_text(), re.M)}


# ---- the log ------------------------------------------------------------------------------------


def recorded(log):
    """(bytes of all records, dropped) of the last recording in a log."""
    begins = list(re.finditer(r"^alloc_trace begin version=(\d+) records=(\d+) dropped=(\d+)\s*$",
                              log, re.M))
    if not begins:
        raise LogError("no recording in this log")
    version, nr, dropped = begins[-1].groups()
    if version != VERSION:
        raise LogError(f"a recording of version {version}")
    data, total = bytearray(), 1
    body = log[begins[-1].end():]
    for line in re.finditer(r"^alloc_trace (\d+) ([0-9a-f]+) ([0-9a-f]{8})\s*$", body, re.M):
        if int(line[1]) * RECORD.size != len(data) or len(line[2]) % (2 * RECORD.size):
            raise LogError(f"a line is missing before record {line[1]}")
        piece = bytes.fromhex(line[2])
        total = zlib.adler32(piece, total)
        if total != int(line[3], 16):
            raise LogError(f"bad checksum at record {line[1]}")
        data += piece
    end = re.search(r"^alloc_trace end records=(\d+) sum=([0-9a-f]{8})\s*$", body, re.M)
    if not end or int(end[1]) != int(nr) or int(nr) * RECORD.size != len(data) or \
            int(end[2], 16) != total:
        raise LogError("the recording was cut")
    return bytes(data), int(dropped)


# ---- addresses to numbers ----------------------------------------------------------------------


class Converter:
    """Records in, trace records out."""

    def __init__(self):
        self.bits = gfp_bits()
        self.out = []               # [op, cls, arg, flags, id, size, aux]
        self.callers = []
        self.left_out = set()       # numbers of objects that are the allocator's own
        self.alive = {}             # ("page" or "object", place): index of its birth in out
        self.parts = {}             # place of a page of a split block: where alive has the block
        self.nr_parts = {}          # that place: pages of the block that are not freed
        self.nr_ids = 0
        self.caches = {}            # size: index
        self.count = collections.Counter()

    @staticmethod
    def kind(op):
        of_pages = op in (traces.PAGE_ALLOC, traces.PAGE_FREE, BACKING_PAGES, SPLIT)
        return "page" if of_pages else "object"

    def take(self, op, order, context, gfp, size, caller, result):
        place = (self.kind(op), result)
        if op == BACKING_PAGES:
            self.mark(place, VM_BACKING if order else SLAB_BACKING)
        elif op == BACKING_OBJECT:
            self.own(place)
        elif op == SPLIT:
            self.split(place, order)
        elif op in FREES:
            self.free(op, place, context)
        elif op in traces.BIRTHS:
            self.birth(op, order, context, gfp, size, caller, place)
        else:
            raise LogError(f"no operation has the number {op:#x}")

    def birth(self, op, order, context, gfp, size, caller, place):
        if not place[1]:
            self.count["failed-calls-left-out"] += 1
            return
        if place in self.alive or place in self.parts:
            self.count["inferred-frees"] += 1
            self.free({traces.PAGE_ALLOC: traces.PAGE_FREE, traces.VMALLOC: traces.VFREE,
                       traces.CACHE_ALLOC: traces.CACHE_FREE}.get(op, traces.KFREE), place, 0)
        self.nr_ids += 1
        cls = sum(bit for name, bit in CLASS_BITS.items() if gfp & self.bits[name])
        cls |= 0 if gfp & self.bits["WAIT"] else 1
        flags = context & 0xff | (RECLAIMABLE if gfp & self.bits["RECLAIMABLE"] else 0)
        flags |= MAY_FAIL if gfp & (self.bits["NORETRY"] | self.bits["NOWARN"]) else 0
        aux = size if op == traces.KMALLOC else 0
        if op == traces.CACHE_ALLOC:
            aux = self.caches.setdefault(size, len(self.caches))
        self.alive[place] = len(self.out)
        self.out.append([op, cls, order, flags, self.nr_ids, size, aux])
        self.callers.append((self.nr_ids, op, size, caller))

    def free(self, op, place, context):
        place = self.block_of(place)
        if place is None:
            return
        birth = self.alive.pop(place, None)
        if birth is None:
            self.count["dropped-foreign-frees"] += 1
            return
        made = self.out[birth]
        op = {traces.KMALLOC: traces.KFREE, traces.CACHE_ALLOC: traces.CACHE_FREE,
              traces.PAGE_ALLOC: traces.PAGE_FREE, traces.VMALLOC: traces.VFREE}[made[0]]
        aux = made[6] if op == traces.CACHE_FREE else 0
        flags = context & 0xff | made[3] & (SLAB_BACKING | VM_BACKING)
        self.out.append([op, 0, made[2], flags, made[4], made[5], aux])

    def mark(self, place, flag):
        place = self.parts.get(place, place)
        if place in self.alive:
            self.out[self.alive[place]][3] |= flag

    def own(self, place):
        if place in self.alive:
            self.left_out.add(self.out[self.alive[place]][4])

    def split(self, place, order):
        if place not in self.alive:
            return
        # Its first page may be somebody else's while others of it live: the block moves aside.
        block = ("split", self.alive[place])
        self.alive[block] = self.alive.pop(place)
        self.nr_parts[block] = 1 << order
        for i in range(1 << order):
            self.parts[(place[0], place[1] + i)] = block

    def block_of(self, place):
        """The block that this free ends; None: some of its pages are left."""
        block = self.parts.pop(place, None)
        if block is None:
            return place
        self.nr_parts[block] -= 1
        if self.nr_parts[block]:
            self.count["split-page-frees-merged"] += 1
            return None
        del self.nr_parts[block]
        return block

    def numbers(self):
        """{number: that in the trace}, without the allocator's own objects."""
        kept = [n for n in range(1, self.nr_ids + 1) if n not in self.left_out]
        return {number: new for new, number in enumerate(kept, 1)}

    def records(self):
        new = self.numbers()
        for op, cls, arg, flags, number, size, aux in self.out:
            if number in new:
                yield traces.RECORD.pack(op, cls, arg, flags, new[number], size, aux)


def convert(log):
    """(header, records, callers) of a log."""
    data, dropped = recorded(log)
    c = Converter()
    for fields in RECORD.iter_unpack(data):
        c.take(*fields)
    records = b"".join(c.records())
    header = [("kind", "kernel (Quarry)"), ("source", "alloc_trace"), ("command", "record")]
    header += [(key, str(c.count[key])) for key in
               ("dropped-foreign-frees", "failed-calls-left-out", "split-page-frees-merged",
                "inferred-frees")]
    header += [("own-objects-left-out", str(len(c.left_out))),
               ("dropped-when-full", str(dropped)), ("truncated", str(int(dropped > 0)))]
    header += counts(records)
    header += [("cache", f"{index} size-{size}") for size, index in c.caches.items()]
    new = c.numbers()
    callers = [(new[number], *rest) for number, *rest in c.callers if number in new]
    return header, records, callers


def counts(records):
    """What the header says of the records themselves."""
    nr_live = nr_pages = peak = peak_pages = births = highest = 0
    for op, _, arg, _, number, size, _ in traces.RECORD.iter_unpack(records):
        sign = 1 if op in traces.BIRTHS else -1
        births += sign > 0
        highest = max(highest, number)
        if op in (traces.PAGE_ALLOC, traces.PAGE_FREE):
            nr_pages += sign << arg
        else:
            nr_live += sign * size
        peak, peak_pages = max(peak, nr_live), max(peak_pages, nr_pages)
    return [("records", str(len(records) // traces.RECORD.size)), ("ids", str(highest)),
            ("alloc-ops", str(births)), ("peak-live-bytes", str(peak)),
            ("peak-live-pages", str(peak_pages))]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("log")
    parser.add_argument("out")
    parser.add_argument("--callers", help="a file for who called")
    args = parser.parse_args()
    try:
        log = Path(args.log).read_text(encoding="utf-8", errors="replace").replace("\r", "")
        header, records, callers = convert(log)
        traces.save(args.out, header, records)
        if args.callers:
            lines = [f"{number} {op:#x} {size} {caller:#010x}" for number, op, size, caller in
                     callers]
            Path(args.callers).write_text("\n".join(lines) + "\n", encoding="ascii")
    except (LogError, OSError) as error:
        print(f"trace_log: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"{key}: {value}" for key, value in header if key != "cache"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
