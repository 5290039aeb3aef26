#!/usr/bin/python3
"""Boot the kernel under QEMU, by hand, from a script, or as a row of the test matrix.

From the command line (`make run`, `make debug`, `make iso` call it):

    tools/run_qemu.py run --mem 2G --boot iso --append 'loglevel=7'
    tools/run_qemu.py --help

As a library:

    with Console(Machine(kernel, mem="64M")) as console:      # at the monitor's prompt
        text = console.command("meminfo")
        console.poweroff()

    outcome = boot(Machine(kernel, append="test=*"), timeout=60)
    outcome.end.kind                                          # one of the names in END_MEANS

How an end is told.  The kernel leaves through the isa-debug-exit device, whose status is never 0.
QEMU's own status 0 therefore means that the machine went away by itself: -no-reboot turns every
reset into an end, the QMP event SHUTDOWN names its cause, and QEMU's log says whether a triple
fault came before it.  A machine that prints nothing for too long is a hang: its registers are read
before it is killed.
"""

import argparse
import contextlib
import dataclasses
import hashlib
import json
import os
import random
import re
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import traces
import usbimage

ROOT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("QUARRY_BUILD", ROOT / "build"))

QEMU = "qemu-system-i386"
QEMU_64 = "qemu-system-x86_64"
DIE_WITH_US = ["setpriv", "--pdeathsig", "KILL"]    # whatever becomes of the process that starts it
DEFAULT_CPU = "pentium3,+nx"
LONG_MODE_CPU = "qemu64"
NO_LONG_MODE = ("486", "pentium", "pentium2", "pentium3", "coreduo", "qemu32")
DEBUG_EXIT = "isa-debug-exit,iobase=0xf4,iosize=4"

# Firmware of the boot paths that end in "uefi64" and "uefi32": its code, and its variables, which
# each machine gets as they were packaged: what one run leaves there makes the next one stray.
OVMF = Path("/usr/share/OVMF")
FIRMWARE = {"uefi64": ("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
            "uefi32": ("OVMF32_CODE_4M.secboot.fd", "OVMF32_VARS_4M.fd")}

BOOT_PATHS = ("direct", "iso", "high", "usb", "uefi64", "uefi32", "grub-uefi64", "grub-uefi32")
STICK_PATHS = BOOT_PATHS[3:]

# (code << 1) | 1 of what the kernel writes to port 0xf4: 0x10, 0x11, 0x12.
EXIT_POWEROFF, EXIT_TESTS_FAILED, EXIT_PANIC = 33, 35, 37

END_MEANS = {
    "poweroff": "a clean poweroff, or all tests passed",
    "tests-failed": "the kernel reported failed tests",
    "panic": "the kernel panicked",
    "triple-fault": "triple fault",
    "reset": "the machine was reset",
    "hang": "hang",
    "at-prompt": "the kernel came to the monitor's prompt instead of ending",
    "flood": "endless output",
    "killed": "the emulator was ended from outside",
    "no-start": "the machine did not start",
    "unknown": "an end nobody knows",
}

# The prompt stands at the start of a line; a line editor may have put escapes before it.
PROMPT = re.compile(rb"(?:^|[\r\n])(?:\r|\x1b\[[0-9;?]*[A-Za-z])*quarry> ")
ANSI = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1bc")
OUTPUT_MAX = 64 << 20  # bytes: no honest run prints as much
SILENCE_MAX = 60.0     # seconds without a byte of output while a prompt is due
PROMPT_MAX = 600.0     # seconds until a prompt, output or not
STARVED_FACTOR = 5     # times the limit on the clock, if the host gives a machine little time
RANDOM_BLOCK = 64 << 20


running = set()     # every emulator of this process, for whoever has to end in a hurry


class StartError(Exception):
    """The machine cannot be built or started."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """One machine with its kernel, command line and boot modules."""

    kernel: str
    mem: str = "1G"
    smp: int = 1
    machine: str = "pc"     # pc, q35
    boot: str = "direct"    # one of BOOT_PATHS: README.md
    cpu: str = DEFAULT_CPU
    append: str = ""
    modules: tuple = ()     # "FILE args" each; FILE may be random:SIZE:SEED, trace:NAME:RECORDS
    devices: tuple = ()     # what QEMU's -device takes, each
    garbage: int = 0        # seed of what RAM holds at power-on; 0: zeros
    icount: str = ""        # QEMU's -icount: the guest's clock counts its instructions
    screen: str = "none"    # QEMU's -display
    name: str = "run"       # names the files under build/


@dataclasses.dataclass(frozen=True)
class End:
    """How a run ended."""

    kind: str
    detail: str = ""

    def __str__(self):
        return END_MEANS[self.kind] + (f": {self.detail}" if self.detail else "")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run left behind."""

    log: str
    end: End
    seconds: float
    line_times: tuple = ()      # seconds from the start at which each line of the log ended


def parse_size(text):
    """Bytes of '64M', '3G', '4K' or '4096'."""
    units = {"K": 10, "M": 20, "G": 30}
    if text and text[-1].upper() in units:
        return int(text[:-1]) << units[text[-1].upper()]
    return int(text)


def clean(raw):
    """Serial output as text: no carriage returns, no terminal escapes."""
    return ANSI.sub(b"", raw).replace(b"\r", b"").decode("utf-8", "replace")


# ---- files a machine is made of -----------------------------------------------------------------


def write_random(path, size, seed):
    """Fill @path with @size bytes that depend on @seed alone; beyond 64 MiB they repeat."""
    if path.exists() and path.stat().st_size == size:
        return
    block = random.Random(seed).randbytes(min(size, RANDOM_BLOCK))
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
        for done in range(0, size, len(block)):
            part.write(block[: size - done])
    os.replace(part.name, path)


def garbage_file(machine):
    size = parse_size(machine.mem)
    path = BUILD / "ram" / f"{machine.mem}-{machine.garbage}.bin"
    write_random(path, size, machine.garbage)
    return path


def trace_file(name, nr):
    """The first @nr records of a trace, or all if that is 0, as NAME-NR.trace."""
    path = BUILD / "modules" / f"{name}-{nr}.trace"
    try:
        trace = traces.load(traces.named(name))
    except traces.TraceError as error:
        raise StartError(str(error)) from error
    traces.write_module(path, trace.cut(int(nr)) if int(nr) else trace)
    return path


def module_files(machine):
    """[(path, arguments)] of the machine's boot modules."""
    found = []
    for spec in machine.modules:
        name, _, args = spec.partition(" ")
        if name.startswith("random:"):
            _, size, seed = name.split(":")
            path = BUILD / "modules" / f"random-{size}-{seed}.bin"
            write_random(path, parse_size(size), int(seed))
        elif name.startswith("trace:"):
            path = trace_file(*name.split(":")[1:])
        else:
            path = ROOT / name
        if not path.is_file():
            raise StartError(f"no such boot module: {path}")
        found.append((path, args.strip()))
    return found


def check_names(machine):
    """Each file that a loader gets from /boot needs a name of its own; FAT knows no case."""
    taken = {"quarry.elf": None, "quarry.cfg": None, "grub": None}
    for path, _ in module_files(machine):
        name = path.name.casefold()
        if taken.setdefault(name, path) != path:
            raise StartError(f"two files would be /boot/{path.name}: "
                             f"{path} and {taken[name] or 'one that the loader needs'}")


def quoted(path):
    """A path inside an option of QEMU's, where a comma ends a value."""
    return str(path).replace(",", ",,")


def grub_word(word):
    if "'" in word:
        raise StartError(f"GRUB cannot be handed a quote: {word}")
    return f"'{word}'"


def grub_cfg(machine):
    """A grub.cfg that boots at once; GRUB's own complaints come over the serial line.

    UEFI firmware's console goes there by itself.
    """
    words = " ".join(grub_word(w) for w in machine.append.split())
    lines = [] if machine.boot.startswith("grub-uefi") else [
        "serial --unit=0 --speed=115200", "terminal_output console serial"]
    lines += [
        f"multiboot2 /boot/quarry.elf {words}",
    ]
    for path, args in module_files(machine):
        module_words = " ".join(grub_word(w) for w in [path.name, *args.split()])
        lines.append(f"module2 /boot/{path.name} {module_words}")
    lines += ["boot", "echo 'grub: the kernel could not be booted'", "halt"]
    return "\n".join(lines) + "\n"


def inputs_digest(paths, text):
    digest = hashlib.sha256(text.encode())
    for path in paths:
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def make_iso(machine, out=None):
    """The machine's boot ISO; built only when what goes into it has changed."""
    check_names(machine)
    out = Path(out) if out else BUILD / "iso" / f"{machine.name}.iso"
    out.parent.mkdir(parents=True, exist_ok=True)
    config = grub_cfg(machine)
    modules = [path for path, _ in module_files(machine)]
    mkiso = ROOT / "tools/mkiso.sh"
    digest = inputs_digest([mkiso, machine.kernel, *modules], config)
    stamp = out.with_suffix(".inputs")
    if out.exists() and stamp.exists() and stamp.read_text() == digest:
        return out
    config_file = out.with_suffix(".grub.cfg")
    config_file.write_text(config)
    made = subprocess.run([mkiso, out, machine.kernel, config_file, *modules],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if made.returncode:
        raise StartError(f"mkiso.sh: {made.stderr.strip()}")
    stamp.write_text(digest)
    return out


def efi_cfg(machine):
    """The text that tells our EFI loader what to load: boot/efi/config.h."""
    lines = ["kernel=/boot/quarry.elf", f"cmdline={machine.append}"]
    lines += [f"module=/boot/{path.name} {args}".strip() for path, args in module_files(machine)]
    return "\n".join(lines) + "\n"


def make_stick(machine, out=None):
    """The machine's USB stick; built only when what goes into it has changed."""
    check_names(machine)
    out = Path(out) if out else BUILD / "usb" / f"{machine.name}.img"
    out.parent.mkdir(parents=True, exist_ok=True)
    by_grub = machine.boot.startswith("grub-")
    texts = {"/boot/grub/grub.cfg": grub_cfg(machine), "/boot/quarry.cfg": efi_cfg(machine)}
    files = {"/boot/quarry.elf": machine.kernel}
    files |= {f"/boot/{path.name}": path for path, _ in module_files(machine)}
    if not by_grub:
        files |= {f"/EFI/BOOT/{name}": BUILD / "efi" / name
                  for name in usbimage.EFI_PROGRAMS.values()}
    try:
        digest = inputs_digest([usbimage.__file__, *files.values()], f"{by_grub}{texts}{[*files]}")
        stamp = out.with_suffix(".inputs")
        if out.exists() and stamp.exists() and stamp.read_text() == digest:
            return out
        with tempfile.TemporaryDirectory() as tmp:
            files["/boot/quarry.elf"] = usbimage.without_debug_info(machine.kernel, Path(tmp))
            for path, text in texts.items():
                files[path] = Path(tmp) / Path(path).name
                files[path].write_text(text)
            if by_grub:
                files |= {f"/EFI/BOOT/{path.name}": path
                          for path in usbimage.grub_efi_programs(Path(tmp))}
            usbimage.make(out, files)
    except (OSError, usbimage.ImageError) as error:
        raise StartError(str(error)) from error
    stamp.write_text(digest)
    return out


def high_loader():
    """The loader that puts boot modules far above lowmem: it takes the kernel for a module."""
    source, binary = ROOT / "tests/runner/highload.asm", BUILD / "boot/highload.bin"
    if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
        binary.parent.mkdir(parents=True, exist_ok=True)
        part = binary.with_suffix(f".{threading.get_ident()}")
        made = subprocess.run(["nasm", "-f", "bin", "-o", part, source], capture_output=True,
                              text=True, check=False)
        if made.returncode:
            raise StartError(f"nasm: {made.stderr.strip()}")
        os.replace(part, binary)
    return binary


def log_path(machine, suffix):
    path = BUILD / "logs" / f"{machine.name}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


# ---- QEMU ---------------------------------------------------------------------------------------


def stick_argv(path):
    """A USB stick.  What the guest writes to it is lost with the machine."""
    return ["-device", "qemu-xhci", "-device", "usb-storage,drive=stick",
            "-drive", f"if=none,id=stick,format=raw,snapshot=on,file={quoted(path)}"]


def firmware_argv(machine):
    """UEFI firmware, if the boot path asks for it."""
    kind = machine.boot.removeprefix("grub-")
    if kind not in FIRMWARE:
        return []
    if kind == "uefi32" and machine.machine != "q35":
        raise StartError("Debian's 32-bit UEFI firmware runs on the machine q35 only")
    if kind == "uefi64" and machine.cpu.split(",")[0] in NO_LONG_MODE:
        raise StartError(f"64-bit UEFI firmware needs a CPU with long mode, not {machine.cpu}")
    code, variables = (OVMF / name for name in FIRMWARE[kind])
    return ["-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
            "-drive", f"if=pflash,unit=1,format=raw,snapshot=on,file={variables}"]


def qemu_argv(machine):
    """QEMU's command line, without the serial line."""
    if not os.access(machine.kernel, os.R_OK):
        raise StartError(f"no kernel at {machine.kernel}")
    if machine.boot not in BOOT_PATHS:
        raise StartError(f"boot path {machine.boot}: one of {', '.join(BOOT_PATHS)}")
    board = machine.machine
    qemu = QEMU_64 if machine.boot.endswith("uefi64") else QEMU
    argv = [*DIE_WITH_US, qemu, "-accel", "tcg", "-no-reboot", "-display", machine.screen,
            "-nic", "none", "-device", DEBUG_EXIT, "-cpu", machine.cpu, "-smp", str(machine.smp),
            "-m", machine.mem,
            "-d", "cpu_reset", "-D", str(log_path(machine, ".qemu.log"))]
    if machine.garbage:
        board += ",memory-backend=ram"
        argv += ["-object", f"memory-backend-file,id=ram,size={machine.mem},"
                            f"mem-path={quoted(garbage_file(machine))},share=off"]
    argv += ["-machine", board]
    for device in filter(None, machine.devices):
        argv += ["-device", device]
    if machine.icount:
        argv += ["-icount", machine.icount]
    if machine.boot == "iso":
        argv += ["-cdrom", str(make_iso(machine)), "-boot", "d"]
        return argv
    if machine.boot in STICK_PATHS:
        return argv + firmware_argv(machine) + stick_argv(make_stick(machine))
    modules = [quoted(f"{path} {args}".strip()) for path, args in module_files(machine)]
    kernel = machine.kernel
    if machine.boot == "high":
        modules.insert(0, quoted(kernel))
        kernel = high_loader()
    argv += ["-kernel", str(kernel), "-append", machine.append]
    if modules:
        argv += ["-initrd", ",".join(modules)]
    return argv


class Qmp:
    """QEMU's control channel: why it ended, and its registers when it hangs."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair()
        self.argv = ["-chardev", f"socket,id=qmp,fd={self.theirs.fileno()},server=off",
                     "-mon", "chardev=qmp,mode=control"]
        self.pass_fds = (self.theirs.fileno(),)
        self.ours.sendall(b'{"execute": "qmp_capabilities"}\n')

    def started(self):
        self.theirs.close()

    def close(self):
        self.ours.close()
        self.theirs.close()

    def messages(self, seconds, last=b"\xff"):
        """Everything said until @last is part of it, @seconds pass, or QEMU is gone."""
        heard, until = b"", time.monotonic() + seconds
        while last not in heard and (left := until - time.monotonic()) > 0:
            if not select.select([self.ours], [], [], left)[0]:
                break
            with contextlib.suppress(ConnectionError):
                if data := self.ours.recv(65536):
                    heard += data
                    continue
            break
        found = []
        for line in heard.splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def shutdown_reason(self):
        for message in self.messages(0.5):
            if message.get("event") == "SHUTDOWN":
                return message["data"]["reason"]
        return ""

    def registers(self):
        request = {"execute": "human-monitor-command",
                   "arguments": {"command-line": "info registers"}}
        try:
            self.ours.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            return ""
        said = self.messages(1.0, last=b'"}\r\n')
        texts = [m["return"] for m in said if isinstance(m.get("return"), str)]
        return texts[-1].replace("\r", "") if texts else ""


class Qemu:
    """A running QEMU whose serial line is a pair of pipes."""

    def __init__(self, machine):
        self.machine = machine
        self.qmp = Qmp()
        try:
            argv = qemu_argv(machine) + self.qmp.argv
            argv += ["-chardev", "stdio,id=com1,signal=off", "-serial", "chardev:com1",
                     "-monitor", "none"]
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                pass_fds=self.qmp.pass_fds)
        except OSError as error:
            self.qmp.close()
            raise StartError(str(error)) from error
        except StartError:
            self.qmp.close()
            raise
        self.qmp.started()
        running.add(self.process)
        self.out = self.process.stdout.fileno()
        self.forced = None      # the End that we decided on before QEMU ended

    def read(self, seconds):
        """Some output; None when there is none for @seconds; b'' when QEMU has ended."""
        if not select.select([self.out], [], [], max(seconds, 0))[0]:
            return None
        return os.read(self.out, 65536)

    def write(self, data):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(data)
            self.process.stdin.flush()

    def stop(self, kind, detail=""):
        """End it because of what we saw; that becomes the End."""
        if self.forced is None:
            self.forced = End(kind, detail)
        self.process.kill()

    def registers(self):
        return self.qmp.registers()

    def close(self):
        """Wait for the end and say which it was."""
        if self.process.poll() is None and self.forced is None:
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.stop("hang", "QEMU closed its serial line and stayed")
        status = self.process.wait()
        running.discard(self.process)
        stderr = self.process.stderr.read().decode("utf-8", "replace").strip()
        reason = self.qmp.shutdown_reason()
        self.qmp.close()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        return self.forced or told_by(status, reason, stderr, log_path(self.machine, ".qemu.log"))


def told_by(status, reason, stderr, qemu_log):
    """The End that QEMU's status, its last QMP event and its log tell together."""
    known = {EXIT_POWEROFF: "poweroff", EXIT_TESTS_FAILED: "tests-failed", EXIT_PANIC: "panic"}
    if status in known:
        return End(known[status])
    if status == 0 and reason == "guest-reset":
        if "Triple fault" in qemu_log.read_text(errors="replace"):
            return End("triple-fault", f"registers in {qemu_log}")
        return End("reset")
    if status in (1, 126, 127) and stderr:
        return End("no-start", stderr)
    if status < 0:
        return End("killed", f"signal {-status}")
    detail = f"QEMU's status is {status}" + (f", {reason}" if reason else "")
    return End("killed" if status == 0 else "unknown", f"{detail} {stderr}".strip())


def cpu_seconds(pid):
    """Processor time that a process has used so far."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def is_overdue(elapsed, cpu, timeout):
    """Has a machine had its time?

    What counts is the processor time it got, so that a busy host makes no hangs; but an idle
    machine is judged by the clock, and so is one that got hardly any time at all.
    """
    if elapsed < timeout:
        return False
    return cpu >= timeout or cpu < elapsed / 10 or elapsed >= STARVED_FACTOR * timeout


def read_to_the_end(qemu, timeout, stream):
    """The serial output of a boot, with the time at which each line ended."""
    started, log, times = time.monotonic(), bytearray(), []
    while True:
        piece = qemu.read(0.5)
        elapsed = time.monotonic() - started
        if piece == b"":
            return log, times
        if is_overdue(elapsed, cpu_seconds(qemu.process.pid), timeout):
            log += (piece or b"") + f"\n{qemu.registers()}".encode()
            qemu.stop("hang", f"no end after {timeout:g} s, registers at the end of the log")
            return log, times
        if piece is None:
            continue
        log += piece
        times += [elapsed] * piece.count(b"\n")
        if stream:
            stream(clean(piece))
        if PROMPT.search(log, max(0, len(log) - len(piece) - 64)):
            qemu.stop("at-prompt")
            return log, times
        if len(log) > OUTPUT_MAX:
            qemu.stop("flood", f"{len(log)} bytes")
            return log, times


def boot(machine, timeout, stream=None):
    """Boot, read the serial line to the end, and say how it ended.

    @stream is called with each piece of output.  The monitor's prompt ends the run at once: a
    machine that was told what to do must end by itself.
    """
    started = time.monotonic()
    try:
        qemu = Qemu(machine)
    except StartError as error:
        return Outcome("", End("no-start", str(error)), 0.0)
    try:
        log, times = read_to_the_end(qemu, timeout, stream)
    except BaseException:
        qemu.stop("killed")
        raise
    finally:
        end = qemu.close()
    return Outcome(clean(bytes(log)), end, time.monotonic() - started, tuple(times))


# ---- the monitor, from a script -----------------------------------------------------------------


class MachineEnded(Exception):
    """The machine ended while a prompt was due; .end says how, .text what it printed."""

    def __init__(self, end, text):
        super().__init__(str(end))
        self.end, self.text = end, text


class Console:
    """A machine at the monitor's prompt."""

    def __init__(self, machine, stream=None, silence=SILENCE_MAX, limit=PROMPT_MAX):
        self.stream, self.silence, self.limit = stream, silence, limit
        self.end = None
        self.qemu = Qemu(machine)
        self.greeting = self._until_prompt(b"")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.kill()

    def command(self, line, silence=None):
        """Type @line; what it printed, up to the next prompt and without its echo."""
        self.type(line)
        return self._until_prompt(b"\n", silence)

    def type(self, line):
        self.qemu.write(line.encode(errors="surrogateescape") + b"\r")

    def poweroff(self):
        """Type poweroff; the End, which is 'poweroff' if all is well."""
        with contextlib.suppress(MachineEnded):
            self.command("poweroff")
            self.qemu.stop("at-prompt", "after the command poweroff")
            self.end = self.qemu.close()
        return self.end

    def kill(self):
        if self.end is None:
            self.qemu.stop("killed")
            self.end = self.qemu.close()

    def _finish(self, text):
        self.end = self.qemu.close()
        raise MachineEnded(self.end, text)

    def _until_prompt(self, after, silence=None):
        """Read up to the prompt, which counts only behind the first @after (the echo's end)."""
        silence = silence or self.silence
        seen, limit = bytearray(), time.monotonic() + self.limit
        try:
            while True:
                piece = self.qemu.read(min(silence, limit - time.monotonic()))
                if piece is None:
                    self._hung(silence)
                    self._finish(clean(bytes(seen)))
                if not piece:
                    self._finish(clean(bytes(seen)))
                if self.stream:
                    self.stream(piece)
                seen += piece
                echo_end = seen.find(after) if after else 0
                found = echo_end >= 0 and PROMPT.search(seen, echo_end)
                if found:
                    return clean(bytes(seen[echo_end + len(after):found.start() + 1]))
        except MachineEnded:
            raise
        except BaseException:
            self.kill()
            raise

    def _hung(self, silence):
        registers = self.qemu.registers()
        sys.stderr.write(registers)
        self.qemu.stop("hang", f"no prompt, and no output for {silence:g} s")


# ---- make run -----------------------------------------------------------------------------------


def say(text):
    print(f"run_qemu: {text}", file=sys.stderr, flush=True)


def to_stdout(piece):
    sys.stdout.buffer.write(ANSI.sub(b"", piece).replace(b"\r", b""))
    sys.stdout.buffer.flush()


def run_typed(machine, lines, silence):
    """Type @lines, one at each prompt, then poweroff; the End."""
    source = iter(lines)
    typed = ""
    while True:
        try:
            console = Console(machine, to_stdout, silence)
            for line in source:
                typed = line.rstrip("\r\n")
                console.command(typed)
            return console.poweroff()
        except MachineEnded as ended:
            if ended.end.kind != "reset" or typed.strip() != "reboot":
                return ended.end


def run_by_hand(machine):
    """Give the user the serial line; the End."""
    while True:
        qmp = Qmp()
        argv = qemu_argv(machine) + qmp.argv + ["-serial", "mon:stdio"]
        with subprocess.Popen(argv, pass_fds=qmp.pass_fds) as process:
            qmp.started()
            status = process.wait()
        end = told_by(status, qmp.shutdown_reason(), "", log_path(machine, ".qemu.log"))
        qmp.close()
        if end.kind != "reset":
            return end


def cmd_run(machine, args):
    if sys.stdin is not None and sys.stdin.isatty():
        say("the kernel's serial line; poweroff ends it, Ctrl-A x kills it, Ctrl-A c is QEMU's")
        end = run_by_hand(machine)
    else:
        end = run_typed(machine, sys.stdin or (), args.timeout)
    if end.kind == "poweroff":
        return 0
    sys.stdout.flush()
    say(str(end))
    return 1


# ---- make debug ---------------------------------------------------------------------------------


def elf_entry(path):
    """The entry address in an ELF file's header."""
    with open(path, "rb") as elf:
        header = elf.read(28)
    if header[:4] != b"\x7fELF":
        raise StartError(f"{path} is no ELF file")
    return struct.unpack_from("<I", header, 24)[0]


def gdb_argv(machine, gdb_socket, extra):
    return ["gdb", "-q", "-nx",
            "-ex", f"set $quarry_entry = {elf_entry(machine.kernel):#x}",
            "-ex", f"file {machine.kernel}",
            "-ex", f"add-symbol-file {machine.kernel} -o -0xC0000000LL",
            "-ex", f"target remote {gdb_socket}",
            "-x", str(ROOT / "tools/gdb/init.gdb"), *shlex.split(extra)]


def cmd_debug(machine, args):
    """gdb on a machine stopped at the kernel's entry; the machine ends with gdb."""
    if machine.boot.endswith("uefi64"):
        raise StartError("gdb cannot follow a machine from 64-bit firmware into a 32-bit kernel")
    serial_log = log_path(machine, ".serial.log")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))     # through the finally below
    with tempfile.TemporaryDirectory(prefix="quarry-") as tmp:
        gdb_socket, serial = f"{tmp}/gdb", f"{tmp}/serial"
        argv = qemu_argv(machine) + [
            "-S", "-chardev", f"socket,id=gdb,path={quoted(gdb_socket)},server=on,wait=off",
            "-gdb", "chardev:gdb", "-monitor", "none",
            "-chardev", f"socket,id=com1,path={quoted(serial)},server=on,wait=off,"
            f"logfile={quoted(serial_log)}",
            "-serial", "chardev:com1"]
        # Its own session: Ctrl-C is for gdb, which then stops the guest.
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True) as qemu:
            try:
                while not os.path.exists(gdb_socket):
                    if qemu.poll() is not None:
                        raise StartError("QEMU ended before gdb was attached")
                    time.sleep(0.01)
                say(f"serial output goes to {serial_log}; to type into it: nc -U {serial}")
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                return subprocess.run(gdb_argv(machine, gdb_socket, args.gdb_args),
                                      preexec_fn=restore_sigint, check=False).returncode
            finally:
                qemu.kill()


def restore_sigint():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


# ---- command line -------------------------------------------------------------------------------


def cmd_iso(machine, args):
    print(make_iso(machine, args.out))
    return 0


def cmd_usb(machine, args):
    print(make_stick(machine, args.out))
    return 0


def cmd_argv(machine, _args):
    print(shlex.join(qemu_argv(machine)[len(DIE_WITH_US):] + ["-serial", "mon:stdio"]))
    return 0


def parse_args():
    parser = argparse.ArgumentParser(description="Boot the kernel under QEMU.")
    parser.add_argument("verb", choices=("run", "debug", "iso", "usb", "argv"),
                        help="run it; debug it; make its ISO or USB stick; print QEMU's command "
                             "line")
    parser.add_argument("--kernel", default=str(BUILD / "x86-gcc/quarry.elf"))
    parser.add_argument("--mem", default="1G")
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--machine", choices=("", "pc", "q35"))
    parser.add_argument("--boot", default="direct", choices=BOOT_PATHS)
    parser.add_argument("--cpu")
    parser.add_argument("--append", default="", help="the kernel's command line")
    parser.add_argument("--module", action="append", default=[], help="'FILE args'; repeatable")
    parser.add_argument("--device", action="append", default=[],
                        help="what QEMU's -device takes; repeatable")
    parser.add_argument("--garbage", type=int, default=0, metavar="SEED",
                        help="fill RAM with random bytes first")
    parser.add_argument("--screen", default="none", help="QEMU's -display")
    parser.add_argument("--timeout", type=float, default=SILENCE_MAX,
                        help="seconds of silence that are a hang, when stdin is no terminal")
    parser.add_argument("--gdb-args", default="", help="more arguments for gdb")
    parser.add_argument("--out", help="where the ISO or image goes")
    args = parser.parse_args()
    is_64, is_32 = args.boot.endswith("uefi64"), args.boot.endswith("uefi32")
    args.machine = args.machine or ("q35" if is_32 else "pc")
    args.cpu = args.cpu or (LONG_MODE_CPU if is_64 else DEFAULT_CPU)
    return args


def main():
    args = parse_args()
    machine = Machine(kernel=args.kernel, mem=args.mem, smp=args.smp, machine=args.machine,
                      boot=args.boot, cpu=args.cpu, append=args.append,
                      modules=tuple(args.module), devices=tuple(args.device), garbage=args.garbage,
                      screen=args.screen,
                      name="debug" if args.verb == "debug" else "run")
    verbs = {"run": cmd_run, "debug": cmd_debug, "iso": cmd_iso, "usb": cmd_usb,
             "argv": cmd_argv}
    try:
        return verbs[args.verb](machine, args)
    except StartError as error:
        say(str(error))
        return 1
    except BrokenPipeError:     # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
