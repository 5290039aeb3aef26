"""Allocation traces: the files of tests/data/traces, whose format is in FORMAT.md there."""

import dataclasses
import gzip
import os
import struct
import tempfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TRACES = ROOT / "tests/data/traces"
SUFFIX = ".trace.gz"
RECORD = struct.Struct("<BBBBIII")      # op, cls, arg, flags, id, size, aux
MAGIC = "ALLOCTRACE 1"
END = "%%"

MALLOC, CALLOC, REALLOC, FREE, MEMALIGN = range(1, 6)
(KMALLOC, KFREE, CACHE_ALLOC, CACHE_FREE, PAGE_ALLOC, PAGE_FREE, VMALLOC,
 VFREE) = range(0x10, 0x18)
BIRTHS = (MALLOC, CALLOC, MEMALIGN, KMALLOC, CACHE_ALLOC, PAGE_ALLOC, VMALLOC)
DEATHS = (FREE, KFREE, CACHE_FREE, PAGE_FREE, VFREE)
BACKING = 3             # bits of flags


class TraceError(Exception):
    """A file is no trace."""


@dataclasses.dataclass(frozen=True)
class Trace:
    """A header, as (key, value) in its order, and the bare records."""

    name: str
    header: tuple
    records: bytes

    def value(self, key):
        return dict(self.header).get(key)

    def __len__(self):
        return len(self.records) // RECORD.size

    def __iter__(self):
        return RECORD.iter_unpack(self.records)

    def cut(self, nr):
        return dataclasses.replace(self, records=self.records[:nr * RECORD.size])

    def is_of_kernel(self):
        return any(record[0] >= KMALLOC for record in self)


def named(word):
    """The file that a user means: one of ours by its name, or any path."""
    ours = TRACES / (word + SUFFIX)
    return ours if ours.exists() else Path(word)


def names():
    return sorted(path.name.removesuffix(SUFFIX) for path in TRACES.glob("*" + SUFFIX))


def parse_header(text, path):
    lines = text.rstrip().split("\n")
    if lines[0] != MAGIC or lines[-1].strip() != END:
        raise TraceError(f"{path}: no trace of version 1")
    return tuple(tuple(line.split(": ", 1)) for line in lines[1:-1] if ": " in line)


def load(path):
    try:
        with gzip.open(path) as packed:
            data = packed.read()
    except (OSError, EOFError, zlib.error) as error:
        raise TraceError(f"{path}: {error}") from error
    end = data.find(b"\n", data.find(b"\n" + END.encode()) + 1) + 1
    if not end or (len(data) - end) % RECORD.size:
        raise TraceError(f"{path}: no trace, or cut within a record")
    name = Path(path).name.removesuffix(SUFFIX)
    return Trace(name, parse_header(data[:end].decode("ascii", "replace"), path), data[end:])


def save(path, header, records):
    """Write a trace; the same contents are the same bytes."""
    text = "\n".join([MAGIC, *(f"{key}: {value}" for key, value in header), END])
    text += " " * (-(len(text) + 1) % RECORD.size) + "\n"
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.encode("ascii") + records)


def write_module(path, trace):
    """The bare records, unless they are there: what the kernel replays."""
    if path.exists() and path.read_bytes() == trace.records:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        part.write(trace.records)
    os.replace(part.name, path)


def living(trace):
    """{id: (op, size)} of what nobody frees."""
    alive = {}
    for op, _, _, _, number, size, _ in trace:
        if op in BIRTHS:
            alive[number] = (op, size)
        elif op == REALLOC:
            alive[number] = (alive[number][0], size)
        else:
            del alive[number]
    return alive
