#!/usr/bin/python3
"""Run a program of arch/hosted under valgrind: tools/valgrind.py PROGRAM [ARG...]

valgrind reads the symbols of the loader and the C library that a program uses.  Those of 32-bit
programs are in the packages libc6 and libc6-dbg of another architecture, i386.  They are not
installed (that would change what apt looks at on this system) but fetched once, by apt with lists
and a cache of its own, and unpacked below the build folder; the program is then run by the loader
that is there.  Where they cannot be had, the program's twin of 64 bits is run instead, and the
output says so, and why.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import qtest
from run_qemu import BUILD, ROOT

PACKAGES = ("libc6:i386", "libc6-dbg:i386")
LIBC = BUILD / "i386-libc"
LIBRARIES = "lib/i386-linux-gnu"
LOADER = "ld-linux.so.2"
FETCH_TIMEOUT = 300.0   # seconds
ELF_CLASS, ELF_CLASS_32 = 4, 1

# A fault is restarted, so registers must be exact.  The window is never "allocated"; that it is
# suspiciously large, valgrind says, and ignores it.
VALGRIND = ["valgrind", "-q", f"--suppressions={ROOT}/arch/hosted/valgrind.supp",
            "--error-exitcode=9", "--vex-iropt-register-updates=allregs-at-mem-access",
            "--ignore-ranges=0x60000000-0x7fff0000"]


class CannotBeHad(Exception):
    """The packages; the text is why."""


def is_32_bit(program):
    with open(program, "rb") as elf:
        return elf.read(ELF_CLASS + 1)[ELF_CLASS] == ELF_CLASS_32


def run(argv, **keys):
    """Run @argv; if it fails, what it said is why the packages cannot be had."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=FETCH_TIMEOUT, check=False, **keys)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotBeHad(str(error)) from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise CannotBeHad(f"{argv[0]}: {said[-1]}")


def apt(folder, *words):
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    run(["apt-get", "-q", "-o", "APT::Architecture=i386", "-o", "APT::Architectures::=i386",
         "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache",
         "-o", "Dir::State::status=/dev/null", "-o", "Acquire::Languages=none", *words],
        cwd=folder)


def download(folder):
    """The packages' files in @folder."""
    try:
        apt(folder, "update")
    except CannotBeHad:
        pass    # of several lists one may be out of reach: the next step shows whether it is needed
    apt(folder, "download", *PACKAGES)
    return sorted(folder.glob("*.deb"))


def fetch():
    """Make LIBC: the libraries, and their symbols where valgrind looks for them."""
    LIBC.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=LIBC.parent) as name:
        folder = Path(name)
        root = folder / "root"
        for package in download(folder):
            run(["dpkg-deb", "-x", str(package), str(root)])
        symbols = root / LIBRARIES / ".debug"
        symbols.mkdir(parents=True)
        for path in (root / "usr/lib/debug").glob(".build-id/*/*.debug"):
            shutil.move(path, symbols)
        if not (root / LIBRARIES / LOADER).exists():
            raise CannotBeHad(f"{', '.join(PACKAGES)} have no {LOADER}")
        root.rename(LIBC)


def in_32_bits(program):
    if not LIBC.exists():
        fetch()
    folder = LIBC / LIBRARIES
    return [str(folder / LOADER), "--library-path", str(folder), program]


def in_64_bits(program):
    """The same variant of 64 bits; make builds it."""
    path = Path(program)
    twin = path.with_name(path.name.replace("-m32-", "-m64-"))
    qtest.build_host_programs([str(twin)])
    return [str(twin)]


def command(program):
    """What valgrind is to run."""
    if not is_32_bit(program):
        return [program]
    try:
        return in_32_bits(program)
    except CannotBeHad as why:
        print(f"# note: valgrind -m64, not -m32: {' and '.join(PACKAGES)} cannot be had: {why}",
              flush=True)
        return in_64_bits(program)


def main(program, *arguments):
    os.execvp(VALGRIND[0], [*VALGRIND, *command(program), *arguments])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
