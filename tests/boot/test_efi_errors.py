"""test_efi_errors.py - each thing that can be wrong with a stick: named, then back to the firmware.

One machine has a disk for every defect, in the firmware's boot order.  The loader on each must say
what is wrong on the serial line and return, or the next disk would not be tried.  The last one has
nothing wrong but the place of its kernel (tiny.asm), which boot services use until they end.
"""

import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import run_qemu  # noqa: E402

MACHINES = {"uefi64": {"cpu": "qemu64"}, "uefi32": {"machine": "q35"}}
if not os.environ.get("QUARRY_LONG"):
    del MACHINES["uefi32"]
MEM = "128M"
IN_THE_WAY = 0x6600000      # OVMF's drivers lie there, with 128 MiB of either machine
PLACE = 0x100000
TIMEOUT = 120
NR_MOVED = 2                # of the kernels: the one without room, and the good one
SECTORS_A_MIB = 2048

HEAD_SIZE, PHOFF = 0x8000, 28
PHDR, PADDR, MEMSZ, OFFSET = 52, 12, 20, 4
CONFIG = b"kernel=/boot/k.elf\n"


def run(*argv):
    subprocess.run([str(arg) for arg in argv], check=True, stdin=subprocess.DEVNULL)


class Workshop:
    """Where disks are made."""

    def __init__(self, folder):
        self.folder = folder
        run("nasm", "-f", "elf32", "-o", folder / "tiny.o", ROOT / "tests/boot/tiny.asm")
        self.drives = []

    def kernel(self, place=PLACE):
        """tiny.asm linked at an address."""
        path = self.folder / f"tiny-{place:x}.elf"
        if not path.exists():
            run("ld", "-m", "elf_i386", "-n", f"-Ttext={place:#x}", "-o", path,
                self.folder / "tiny.o")
        return path.read_bytes()

    def patched(self, segment, field, value, place=PLACE):
        """That with one word of a program header changed."""
        data = bytearray(self.kernel(place))
        struct.pack_into("<I", data, PHDR + 32 * segment + field, value)
        return bytes(data)

    def disk(self, files, folders=(), spoil=None):
        """One more disk, last in the boot order.  @spoil(image) may change it at the end."""
        path = self.folder / f"disk-{len(self.drives)}.img"
        mib = 4 + sum(len(data) for data in files.values()) // (1 << 20) * 9 // 8
        run("mformat", "-C", "-i", path, "-T", mib * SECTORS_A_MIB, "-h", 16, "-s", 63, "::")
        run("mmd", "-i", path, "::/EFI", "::/EFI/BOOT", "::/boot", *folders)
        for name in ("BOOTX64.EFI", "BOOTIA32.EFI"):
            run("mcopy", "-i", path, run_qemu.BUILD / "efi" / name, f"::/EFI/BOOT/{name}")
        for name, data in files.items():
            (self.folder / "file").write_bytes(data)
            run("mcopy", "-i", path, self.folder / "file", f"::/boot/{name}")
        if spoil:
            path.write_bytes(spoil(path.read_bytes()))
        nr = len(self.drives)
        self.drives += ["-drive", f"if=none,id=disk{nr},format=raw,snapshot=on,file={path}",
                        "-device", f"virtio-blk-pci,drive=disk{nr},bootindex={nr + 1}"]


def no_first_cluster(image):
    """The entry of the configuration file leads outside of the disk."""
    at = image.index(b"QUARRY  CFG")
    return image[:at + 26] + b"\xf0\x7f" + image[at + 28:]


def long_entry(image):
    """The directory gives the kernel's file more bytes than the disk has for it."""
    at = image.index(b"K       ELF") + 28
    return image[:at] + struct.pack("<I", 0x100000) + image[at + 4:]


def far_program_headers(kernel):
    """They are copied to where a loader that reads the head of a file does not see them."""
    table = kernel[PHDR:PHDR + 64]
    data = bytearray(kernel.ljust(HEAD_SIZE, b"\0") + table)
    struct.pack_into("<I", data, PHOFF, HEAD_SIZE)
    return bytes(data)


def defects(shop):
    """[(files on the disk, further arguments, the error as a regular expression)]"""
    kernel = shop.kernel()
    config = {"quarry.cfg": CONFIG}

    def with_kernel(data):
        return {**config, "k.elf": data}

    return [
        ({}, {}, r"/boot/quarry\.cfg: not found"),
        ({}, {"folders": ["::/boot/quarry.cfg"]}, r"/boot/quarry\.cfg: is a directory"),
        (config, {"spoil": no_first_cluster}, r"/boot/quarry\.cfg: volume corrupted"),
        ({"quarry.cfg": b"#" * 16385}, {}, r"/boot/quarry\.cfg: 16385 bytes are too many, .*"),
        ({"quarry.cfg": b"kernel=/k\ninit=/x\n"}, {}, r"/boot/quarry\.cfg: line 2: a key that .*"),
        ({"quarry.cfg": b"# nothing\n"}, {}, r"/boot/quarry\.cfg: no kernel="),
        (config, {}, r"/boot/k\.elf: not found"),
        (with_kernel(b""), {}, r"/boot/k\.elf: is shorter than an ELF header"),
        (with_kernel(b"no kernel" * 100), {}, r"/boot/k\.elf: is not an ELF file"),
        (with_kernel(Path("/bin/true").read_bytes()), {}, r"/boot/k\.elf: is not a 32-bit .*"),
        (with_kernel(bytes(33 << 20)), {}, r"/boot/k\.elf: 34603008 bytes are too many, .*"),
        (with_kernel(kernel.replace(struct.pack("<I", 0xE85250D6), bytes(4))), {},
         r"/boot/k\.elf: has no multiboot2 header"),
        (with_kernel(kernel[:80]), {}, r"/boot/k\.elf: has program headers outside of the file"),
        (with_kernel(far_program_headers(kernel)), {}, r"/boot/k\.elf: has program .* behind .*"),
        (with_kernel(kernel[:5000]), {}, r"/boot/k\.elf: has a segment whose .*header 1\)"),
        (with_kernel(kernel[:0xc000]), {"spoil": long_entry}, r"/boot/k\.elf: volume corrupted"),
        (with_kernel(shop.patched(1, PADDR, PLACE)), {}, r"/boot/k\.elf: has segments that .*"),
        (with_kernel(shop.patched(1, MEMSZ, 0xFFFFFFF0)), {}, r"/boot/k\.elf: .* past 4 GiB .*"),
        (with_kernel(shop.patched(1, PADDR, 0xF000)), {}, r"/boot/k\.elf: .* below 1 MiB .*"),
        (with_kernel(shop.patched(1, MEMSZ, 0x4000000)), {}, r"/boot/k\.elf: is too large in .*"),
        # The firmware keeps ACPI NVS at 0x806000, and there is no memory at 3.5 GiB.
        (with_kernel(shop.patched(1, MEMSZ, 0x800000)), {},
         r"no room for the kernel at 0x100000-0x901fff: 0x8\w+-0x\w+ is ACPI NVS"),
        (with_kernel(shop.kernel(0xE0000000)), {},
         r"no room for the kernel at 0xe0000000-0x\w+: 0xe0000000-0x\w+ is .+"),
        # What does not fit elsewhere until it can be moved.
        (with_kernel(shop.patched(1, PADDR, 0x6600000, 0x3000000)), {},
         r"/boot/k\.elf: no room for \d+ bytes below 4 GiB"),
        # Twice: what the first of them took, the second finds free again.
        *[({"quarry.cfg": CONFIG + b"module=/boot/m x\n", "k.elf": kernel}, {},
           r"/boot/m: not found")] * 2,
    ]


def boot_with_a_key_for_each_pause(machine):
    """(log, End) of a boot; the first pause is waited out."""
    qemu, log, nr_keys = run_qemu.Qemu(machine), b"", 0
    try:
        until = time.monotonic() + TIMEOUT
        while (piece := qemu.read(until - time.monotonic())):
            log += piece
            while log.count(b"a key, or five seconds") > nr_keys + 1:
                nr_keys += 1
                qemu.write(b" ")
        if piece is None:
            qemu.stop("hang", f"no end after {TIMEOUT} s")
    finally:
        end = qemu.close()
    return run_qemu.clean(log), end


@pytest.mark.parametrize("boot", MACHINES)
def test_each_defect_is_named_and_the_next_disk_is_tried(boot, tmp_path, monkeypatch):
    shop = Workshop(tmp_path)
    wanted = []
    for files, more, error in defects(shop):
        shop.disk(files, **more)
        wanted.append(error)
    shop.disk({"quarry.cfg": CONFIG, "k.elf": shop.kernel(IN_THE_WAY)})

    machine = run_qemu.Machine(kernel=str(tmp_path / f"tiny-{PLACE:x}.elf"), mem=MEM, boot=boot,
                               name=f"efi-errors-{boot}", **MACHINES[boot])
    plain_argv = run_qemu.qemu_argv
    monkeypatch.setattr(run_qemu, "qemu_argv", lambda m: plain_argv(m) + shop.drives)
    log, end = boot_with_a_key_for_each_pause(machine)

    errors = re.findall(r"quarry-efi: error: ([^\n]*)", log)
    for nr, error in enumerate(wanted):
        assert nr < len(errors), f"no error for disk {nr}: {error}\n{log[-2000:]}"
        assert re.fullmatch(error, errors[nr])
    assert errors[len(wanted):] == []
    assert len(re.findall(r"BdsDxe: failed to start Boot\w+", log)) == len(wanted)
    assert log.count("moved there when boot services have ended") == NR_MOVED
    assert re.search(r"k\.elf at 0x6600000-0x\w+, entry 0x\w+, moved there when", log)
    assert "\ntiny: fine\n" in log
    assert end.kind == "poweroff", str(end)
