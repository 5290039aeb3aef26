#!/usr/bin/python3
"""check_port.py - the library works in a kernel that it was not written for: tests/port_sample.

In the default and in the smallest configuration: `make lib PORT=tests/port_sample`, a link with the
sample's contract implementation and without libc that takes in the whole archive, and a run.  The
link fails when anything is left undefined; the run's exit status is what its checks say.

usage: check_port.py --build DIR [--make CMD] [--port DIR] [--only default|smallest] [--seconds N]
status 1 and the reason for each failure
"""
import argparse
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_contract  # noqa: E402
import csource  # noqa: E402

FLAGS = ("-m32", "-march=i686", "-std=gnu11", "-O2", "-g", "-ffreestanding", "-fno-pic", "-fno-pie",
         "-fno-stack-protector", "-fcf-protection=none", "-Wall", "-Wextra", "-Wundef", "-Werror")
RUN_SECONDS = 20.0


def attempt(args, **more):
    """None, or why the command failed."""
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **more)
    return f"{shlex.join(args)}: status {done.returncode}\n{done.stdout}" \
        if done.returncode else None


def archive_in(out):
    found = csource.files(out, ".a")
    return os.path.join(out, found[0]) if found else os.path.join(out, "libquarry.a")


def check_configuration(args, name, off):
    """None, or why the library does not build, link or run."""
    out = os.path.join(args.build, name)
    config = [f"{o}=0" for o in sorted(off)]
    wrong = attempt(**csource.make_command(args.make, f"BUILD={out}", f"PORT={args.port}",
                                           check_contract.config_variable(off), "lib"))
    if wrong:
        return wrong
    program = os.path.join(out, "sample")
    sources = [os.path.join(args.port, p) for p in csource.files(args.port, ".c")]
    wrong = attempt(["gcc", *FLAGS, *(f"-DCONFIG_{c}" for c in config), "-Iinclude",
                     f"-I{args.port}/include", "-nostdlib", "-static", "-no-pie", "-o", program,
                     *sources, "-Wl,--whole-archive", archive_in(out), "-Wl,--no-whole-archive"])
    if wrong:
        return wrong
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=args.seconds)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program}: {error}"
    if done.returncode or b" 0 broken" not in done.stdout:
        return f"{program}: status {done.returncode}\n{done.stdout.decode(errors='replace')}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", required=True)
    parser.add_argument("--make", default="make")
    parser.add_argument("--port", default="tests/port_sample")
    parser.add_argument("--only", default="", help="default or smallest")
    parser.add_argument("--seconds", type=float, default=RUN_SECONDS, help="for one run")
    args = parser.parse_args()
    problems = []
    for name, off in check_contract.configurations(check_contract.config_options(".")):
        if name == args.only if args.only else name in ("default", "smallest"):
            wrong = check_configuration(args, name, off)
            if wrong:
                problems.append(f"{args.port} ({name}): {wrong}")
    return csource.report(problems)


if __name__ == "__main__":
    sys.exit(main())
