"""qtrace.py - which of the kernel's functions does a boot enter?

QEMU names each block of code that it translates (-d in_asm), filtered by address (-dfilter).  A
function is entered by a jump to its first instruction, and a jump starts a block there: so the
log has a function's first address if and only if the function was entered.  Code that runs before
paging is on has its physical address.
"""
import contextlib
import dataclasses
import re
import subprocess

import run_qemu

BLOCK_START = re.compile(r"^IN:.*\n0x([0-9a-f]+):", re.M)
KERNEL_OFFSET = 0xC0000000      # a virtual address of the image minus its physical one


def addresses(kernel):
    """{function: address} of a kernel's symbol table."""
    text = subprocess.run(["nm", kernel], capture_output=True, text=True, check=True).stdout
    return {m[2]: int(m[1], 16) for m in re.finditer(r"^([0-9a-f]+) [tT] (\S+)$", text, re.M)}


@contextlib.contextmanager
def tracing(wanted):
    """Machines that start meanwhile log when they enter one of the addresses."""
    plain = run_qemu.qemu_argv
    ranges = ",".join(f"{a:#x}+1" for a in sorted(wanted))

    def argv(machine):
        args = plain(machine)
        at = args.index("-d")
        return [*args[:at + 1], args[at + 1] + ",in_asm", "-dfilter", ranges, *args[at + 2:]]
    run_qemu.qemu_argv = argv
    try:
        yield
    finally:
        run_qemu.qemu_argv = plain


def entered(functions, machine, timeout, commands=None):
    """Names out of @functions that a boot of @machine enters.

    @commands: monitor commands to type, the last one of which ends the machine; None: it ends by
    itself.
    """
    there = addresses(machine.kernel)
    where = {}
    for name in functions:
        if name in there:
            where[there[name]] = name
            where[there[name] - KERNEL_OFFSET] = name
    machine = dataclasses.replace(machine, name="trace-" + machine.name)
    log = run_qemu.log_path(machine, ".qemu.log")
    log.unlink(missing_ok=True)
    with tracing(where):
        if commands is None:
            run_qemu.boot(machine, timeout)
        else:
            type_commands(machine, commands)
    text = log.read_text(errors="replace") if log.exists() else ""
    return {where[a] for a in (int(m[1], 16) for m in BLOCK_START.finditer(text)) if a in where}


def type_commands(machine, commands):
    with contextlib.suppress(run_qemu.MachineEnded):
        with run_qemu.Console(machine) as console:
            for command in commands:
                console.command(command)
