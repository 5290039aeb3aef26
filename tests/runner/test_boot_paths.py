"""The boot paths of run_qemu.py: what they refuse, and the USB stick's image, byte by byte."""

import dataclasses
import struct
import subprocess

import pytest

import run_qemu
import usbimage
from run_qemu import Machine, StartError, boot, qemu_argv

PART_OFFSET = 2048 * 512


@pytest.fixture(name="stick")
def stick_fixture(kernel, tmp_path, monkeypatch):
    """A function: the image for a command line, with a kernel and programs that are none."""
    def make(append="", by="usb", modules=("LICENSE one two",)):
        (tmp_path / "efi").mkdir(exist_ok=True)
        for name in usbimage.EFI_PROGRAMS.values():
            (tmp_path / "efi" / name).write_bytes(b"program")
        monkeypatch.setattr(run_qemu, "BUILD", tmp_path)
        monkeypatch.setattr(usbimage, "without_debug_info", lambda path, _: path)
        return run_qemu.make_stick(Machine(kernel=kernel, boot=by, append=append,
                                           modules=modules))
    return make


def on_stick(image, path):
    return subprocess.run(["mtype", "-i", f"{image}@@{PART_OFFSET}", f"::{path}"],
                          capture_output=True, check=True).stdout


@pytest.mark.parametrize("machine, why", [
    ({"boot": "uefi32"}, "32-bit UEFI firmware runs on the machine q35 only"),
    ({"boot": "grub-uefi32"}, "32-bit UEFI firmware runs on the machine q35 only"),
    ({"boot": "uefi64"}, "needs a CPU with long mode, not pentium3,.nx"),
    ({"boot": "floppy"}, "boot path floppy: one of direct, iso"),
])
def test_a_machine_that_cannot_boot_that_way_is_refused(kernel, machine, why):
    with pytest.raises(StartError, match=why):
        qemu_argv(Machine(kernel=kernel, **machine))
    assert boot(Machine(kernel=kernel, **machine), 5).end.kind == "no-start"


def test_the_firmwares_variables_are_fresh_in_each_run(stick, kernel):
    stick()
    argv = qemu_argv(Machine(kernel=kernel, boot="uefi64", cpu="qemu64"))
    drives = [word for word in argv if "OVMF" in word or "id=stick" in word]
    assert len(drives) == 3
    assert all("readonly=on" in word or "snapshot=on" in word for word in drives)


def test_the_stick_has_one_active_partition_of_fat32(stick):
    data = stick().read_bytes()
    active, kind, start, nr = struct.unpack_from("<B3xB3xII", data, 446)
    assert (active, kind, start) == (0x80, 0xEF, 2048)
    assert (start + nr) * 512 == len(data)
    assert data[462:512] == bytes(48) + b"\x55\xaa"
    assert data[PART_OFFSET + 82:PART_OFFSET + 90] == b"FAT32   "
    assert struct.unpack_from("<I", data, PART_OFFSET + 28) == (2048,)  # sectors before it


def test_both_loaders_find_kernel_command_line_and_module_on_the_stick(stick, kernel):
    image = stick("a=1 b")
    assert on_stick(image, "/boot/quarry.cfg") == (
        b"kernel=/boot/quarry.elf\ncmdline=a=1 b\nmodule=/boot/LICENSE one two\n")
    assert b"multiboot2 /boot/quarry.elf 'a=1' 'b'\n" in on_stick(image, "/boot/grub/grub.cfg")
    assert on_stick(image, "/boot/LICENSE") == (run_qemu.ROOT / "LICENSE").read_bytes()
    with open(kernel, "rb") as elf:
        assert on_stick(image, "/boot/quarry.elf") == elf.read()
    assert on_stick(image, "/EFI/BOOT/BOOTX64.EFI") == b"program"


def test_the_stick_is_made_again_when_what_goes_onto_it_changes(stick):
    first = stick("a").stat().st_mtime_ns
    assert stick("a").stat().st_mtime_ns == first
    assert stick("b").stat().st_mtime_ns != first


def test_a_stick_without_room_before_its_partition_is_refused(stick, monkeypatch):
    monkeypatch.setattr(usbimage, "PART_START", 8)
    with pytest.raises(StartError, match="does not fit before the partition"):
        stick()


@pytest.mark.parametrize("make", [run_qemu.make_stick, run_qemu.make_iso])
@pytest.mark.parametrize("names", [("a/m.map", "b/m.map"), ("a/m.map", "b/M.Map"),
                                   ("a/Quarry.ELF",), ("a/quarry.cfg",), ("a/GRUB",)])
def test_two_files_of_one_name_on_a_stick_or_iso_are_refused(kernel, tmp_path, make, names):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    machine = Machine(kernel=kernel, boot="usb", modules=tuple(str(tmp_path / n) for n in names))
    with pytest.raises(StartError, match=f"two files would be /boot/{names[-1][2:]}: "):
        make(machine, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_file_may_be_a_module_twice(stick):
    config = on_stick(stick(modules=("LICENSE one", "LICENSE two")), "/boot/quarry.cfg")
    assert config.count(b"module=/boot/LICENSE") == 2


def test_a_comma_in_a_path_does_not_end_an_option_of_qemu(stick, kernel, tmp_path, monkeypatch):
    stick()
    monkeypatch.setattr(run_qemu, "BUILD", tmp_path / "a,b")
    (tmp_path / "a,b").mkdir()
    (tmp_path / "efi").rename(tmp_path / "a,b/efi")
    argv = qemu_argv(Machine(kernel=kernel, boot="usb", garbage=1, mem="1M"))
    assert f"if=none,id=stick,format=raw,snapshot=on,file={tmp_path}/a,,b/usb/run.img" in argv
    assert any(f"mem-path={tmp_path}/a,,b/ram/1M-1.bin,share=off" in word for word in argv)


def test_a_missing_loader_is_named(kernel, tmp_path, monkeypatch):
    monkeypatch.setattr(run_qemu, "BUILD", tmp_path)
    with pytest.raises(StartError, match=r"BOOTX64\.EFI"):
        qemu_argv(dataclasses.replace(Machine(kernel=kernel), boot="usb"))
