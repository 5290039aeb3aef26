#!/usr/bin/python3
"""check_repro.py - the same sources and compiler give the same bytes, wherever the tree lies.

The kernel and the library are built here and in a copy of the tree at a path of another length,
with another number of jobs and another umask, time zone and language; their bytes are compared.

usage: check_repro.py [--make CMD] [--root DIR]; status 1 when something differs.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

PRODUCTS = ("build/x86-gcc/quarry.elf", "build/libquarry.a")
TARGETS = ("CC=gcc", "BUILD=build", "CONFIG=", "PORT=", "all", "lib")
OTHER_JOBS = os.cpu_count() + 1


def copy_tree(root, target):
    for path in csource.files(root):
        os.makedirs(os.path.dirname(os.path.join(target, path)), exist_ok=True)
        shutil.copy(os.path.join(root, path), os.path.join(target, path))


def build(make, root, *more, **environment):
    run = csource.make_command(make, *more, *TARGETS)
    subprocess.run(run["args"], cwd=root, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, env={**run["env"], **environment})


def first_difference(one, other):
    """The offset of the first byte in which two strings differ, or None."""
    if one == other:
        return None
    return next((i for i, (a, b) in enumerate(zip(one, other)) if a != b),
                min(len(one), len(other)))


def bytes_of(root, path):
    with open(os.path.join(root, path), "rb") as f:
        return f.read()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=".")
    parser.add_argument("--make", default="make")
    args = parser.parse_args()

    problems = []
    build(args.make, args.root)
    with tempfile.TemporaryDirectory(prefix="quarry-copy-") as top:
        copy = os.path.join(top, "somewhere/else/altogether")
        copy_tree(args.root, copy)
        os.umask(0o077)
        build(args.make, copy, f"-j{OTHER_JOBS}", TZ="Asia/Kathmandu", LC_ALL="C", USER="somebody")
        for path in PRODUCTS:
            one, two = bytes_of(args.root, path), bytes_of(copy, path)
            at = first_difference(one, two)
            if at is not None:
                problems.append(f"{path}: built elsewhere it differs, first at byte {at:#x} "
                                f"({len(one)} and {len(two)} bytes)")
    return csource.report(problems)


if __name__ == "__main__":
    sys.exit(csource.run(main))
