"""tools/valgrind.py: 32 bits by the libraries that were fetched, and 64 where there are none."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import valgrind  # noqa: E402


@pytest.fixture(name="tool")
def tool_fixture(tmp_path, monkeypatch):
    """The tool with a build folder of its own; what valgrind is to run is noted in .ran."""
    ran = []
    monkeypatch.setattr(valgrind, "LIBC", tmp_path / "build/i386-libc")
    monkeypatch.setattr(valgrind, "ran", ran, raising=False)
    monkeypatch.setattr(valgrind.qtest, "build_host_programs", lambda paths: None)
    monkeypatch.setattr(valgrind.os, "execvp", lambda file, argv: ran.append(argv))
    return valgrind


def program(tmp_path, name, elf_class):
    path = tmp_path / name
    path.write_bytes(b"\x7fELF" + bytes([elf_class]))
    return str(path)


def stand_in(tmp_path, monkeypatch, **scripts):
    for name, script in scripts.items():
        path = tmp_path / "bin" / name.replace("_", "-")
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")


# A package whose loader is one line, and whose symbols are another.
DOWNLOAD = 'case "$*" in *download*) touch libc6.deb;; *) exit 100;; esac'
UNPACK = ('mkdir -p $3/lib/i386-linux-gnu $3/usr/lib/debug/.build-id/ab\n'
          'echo loader >$3/lib/i386-linux-gnu/ld-linux.so.2\n'
          'echo symbols >$3/usr/lib/debug/.build-id/ab/cdef.debug')


def test_a_program_of_64_bits_is_run_as_it_is(tool, tmp_path, capfd):
    path = program(tmp_path, "quarry-m64-gcc", 2)
    tool.main(path, "-m", "64")
    assert tool.ran == [[*tool.VALGRIND, path, "-m", "64"]]
    assert capfd.readouterr().out == ""


def test_one_of_32_bits_is_run_by_the_loader_that_was_fetched_once(tool, tmp_path, monkeypatch,
                                                                   capfd):
    stand_in(tmp_path, monkeypatch, apt_get=DOWNLOAD, dpkg_deb=UNPACK)
    path = program(tmp_path, "quarry-m32-gcc", 1)
    tool.main(path, "test=a.b")
    stand_in(tmp_path, monkeypatch, apt_get="exit 1")
    tool.main(path, "test=a.b")
    folder = tool.LIBC / "lib/i386-linux-gnu"
    assert tool.ran == 2 * [[*tool.VALGRIND, f"{folder}/ld-linux.so.2", "--library-path",
                             str(folder), path, "test=a.b"]]
    assert (folder / ".debug/cdef.debug").read_text() == "symbols\n"
    assert [child.name for child in tool.LIBC.parent.iterdir()] == ["i386-libc"]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("scripts, why", [
    ({"apt_get": "echo 'E: Unable to locate package libc6' >&2; exit 100"},
     "apt-get: E: Unable to locate package libc6"),
    ({"apt_get": DOWNLOAD, "dpkg_deb": "exit 2"}, "dpkg-deb: exit status 2"),
    ({"apt_get": DOWNLOAD, "dpkg_deb": "mkdir -p $3/lib/i386-linux-gnu"},
     "libc6:i386, libc6-dbg:i386 have no ld-linux.so.2"),
])
def test_where_the_libraries_cannot_be_had_it_says_that_it_runs_in_64_bits(
        tool, tmp_path, monkeypatch, capfd, scripts, why):
    stand_in(tmp_path, monkeypatch, **scripts)
    tool.main(program(tmp_path, "quarry-m32-gcc", 1))
    assert tool.ran == [[*tool.VALGRIND, str(tmp_path / "quarry-m64-gcc")]]
    assert capfd.readouterr().out == ("# note: valgrind -m64, not -m32: libc6:i386 and "
                                      f"libc6-dbg:i386 cannot be had: {why}\n")
    assert not tool.LIBC.exists()
