"""usbimage.py - a disk image for a USB stick: BIOS by GRUB, UEFI by our own loader or by GRUB.

    sector 0        GRUB's boot.img and a partition table with one entry
    sector 1...     GRUB's core.img, where boot.img looks for it
    sector 2048     a FAT32 file system, of the type that UEFI calls a system partition

The files on it: /boot/quarry.elf, /boot/NAME for each boot module, /boot/grub/grub.cfg for GRUB,
/boot/quarry.cfg for our loader, and /EFI/BOOT/BOOTX64.EFI and BOOTIA32.EFI, which firmware starts.
"""

import os
import struct
import subprocess
import tempfile
from pathlib import Path

SECTOR = 512
PART_START = 2048           # sectors: where every partitioner starts
BOOT_CODE = 440             # bytes of boot.img before the disk signature
PART_TABLE = 446
PART_ACTIVE, PART_EFI = 0x80, 0xEF
CHS_TOO_LARGE = b"\xfe\xff\xff"
GRUB_DIR = Path("/usr/lib/grub")
GRUB_MODULES = ("fat", "part_msdos", "multiboot2", "normal", "terminal", "boot", "echo", "halt")
BIOS_MODULES = (*GRUB_MODULES, "biosdisk", "serial")
EFI_MODULES = (*GRUB_MODULES, "all_video")
EFI_PROGRAMS = {"x86_64-efi": "BOOTX64.EFI", "i386-efi": "BOOTIA32.EFI"}

# FAT32 begins at 65525 clusters; with fewer, firmware takes it for FAT16.
SIZE_MIN = 40 << 20
SLACK = 4 << 20             # directories, the last cluster of each file, and room for an edit
SMALL_CLUSTERS_MAX = 512 << 20
VOLUME_ID = "51554152"


class ImageError(Exception):
    """The image cannot be made."""


def run(*argv):
    done = subprocess.run([str(arg) for arg in argv], stdin=subprocess.DEVNULL, check=False,
                          capture_output=True, text=True)
    if done.returncode:
        raise ImageError(f"{argv[0]}: {done.stderr.strip()}")


def grub_image(kind, prefix, out, modules):
    """GRUB for one platform, in one file; it reads grub.cfg from @prefix."""
    run("grub-mkimage", "-O", kind, "-d", GRUB_DIR / kind, "-p", prefix, "-o", out, *modules)


def grub_efi_programs(folder):
    """GRUB as UEFI's programs: their paths."""
    paths = []
    for kind, name in EFI_PROGRAMS.items():
        grub_image(kind, "/boot/grub", folder / name, EFI_MODULES)
        paths.append(folder / name)
    return paths


def without_debug_info(kernel, folder):
    """The kernel as it is loaded: what only gdb reads would have to be read from the stick, too."""
    stripped = folder / "quarry.elf"
    run("objcopy", "--strip-debug", kernel, stripped)
    return stripped


def write_boot_sectors(image, nr_sectors):
    """boot.img, the partition table and core.img."""
    boot = (GRUB_DIR / "i386-pc/boot.img").read_bytes()
    with tempfile.TemporaryDirectory() as tmp:
        grub_image("i386-pc", "(,msdos1)/boot/grub", Path(tmp) / "core.img", BIOS_MODULES)
        core = (Path(tmp) / "core.img").read_bytes()
    if len(core) > (PART_START - 1) * SECTOR:
        raise ImageError("GRUB's core does not fit before the partition")
    sector = bytearray(SECTOR)
    sector[:BOOT_CODE] = boot[:BOOT_CODE]
    struct.pack_into("<B3sB3sII", sector, PART_TABLE, PART_ACTIVE, CHS_TOO_LARGE, PART_EFI,
                     CHS_TOO_LARGE, PART_START, nr_sectors)
    struct.pack_into("<H", sector, SECTOR - 2, 0xAA55)
    image.write(sector + core)


def make_file_system(image, nr_sectors, files):
    """A FAT32 file system with @files, {path on it: path here}."""
    where = f"{image}@@{PART_START * SECTOR}"
    clusters = ("-c", 1) if nr_sectors * SECTOR <= SMALL_CLUSTERS_MAX else ()
    run("mformat", "-i", where, "-F", *clusters, "-T", nr_sectors, "-h", 64, "-s", 32,
        "-H", PART_START, "-N", VOLUME_ID, "-v", "QUARRY", "::")
    folders = sorted({str(parent) for path in files for parent in Path(path).parents} - {"/"})
    run("mmd", "-i", where, *(f"::{folder}" for folder in folders))
    for path, source in files.items():
        run("mcopy", "-i", where, source, f"::{path}")


def make(out, files):
    """Write the image @out with @files on it; it appears whole or not at all."""
    content = sum(os.path.getsize(source) for source in files.values())
    nr_sectors = max(SIZE_MIN, content + content // 64 + SLACK) // SECTOR
    part = f"{out}.part"
    try:
        with open(part, "wb") as image:
            write_boot_sectors(image, nr_sectors)
            image.truncate((PART_START + nr_sectors) * SECTOR)
        make_file_system(part, nr_sectors, files)
        os.replace(part, out)
    finally:
        Path(part).unlink(missing_ok=True)
