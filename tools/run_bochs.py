"""Boot the kernel under Bochs: a machine whose TLB keeps global pages over a CR3 reload.

There is no exit code: the guest ends Bochs by writing "Shutdown" to port 0x8900, and what it had to
say is in the serial log.  Debian's Bochs starts in its own debugger and draws on a terminal, so it
gets a command file and a pseudo-terminal that nobody looks at.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import tempfile
import termios
import time
from pathlib import Path

from run_qemu import (DIE_WITH_US, End, Outcome, StartError, clean, log_path, make_iso, parse_size,
                      running)

BOCHSRC = """\
config_interface: textconfig
display_library: term
memory: guest={guest}, host={host}
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
cpu: model=p3_katmai, count=1, ips=100000000, reset_on_triple_fault=0
clock: sync=none, time0=utc
ata0-master: type=cdrom, path={iso}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={serial}
log: {log}
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
"""


def bochs_config(machine, tmp):
    megabytes = parse_size(machine.mem) >> 20
    return BOCHSRC.format(guest=megabytes, host=min(megabytes, 512), iso=make_iso(machine),
                          serial=f"{tmp}/serial", log=log_path(machine, ".bochs.log"))


def start_on_terminal(argv, cwd):
    """Bochs' only display here is a terminal of 80 x 25; (process, its master side)."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 25, 80, 0, 0))
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, cwd=cwd,
                               start_new_session=True, env={**os.environ, "TERM": "xterm"})
    os.close(slave)
    return process, master


def drain(fd):
    """Throw away what a terminal shows; False once its other side is closed."""
    if not select.select([fd], [], [], 0.2)[0]:
        return True
    try:
        return bool(os.read(fd, 65536))
    except OSError:
        return False


def boot_bochs(machine, timeout):
    """boot() for Bochs: ISO only, no exit code; a clean end is one that the guest asked for."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="quarry-bochs-") as tmp:
        try:
            config = bochs_config(machine, tmp)
        except StartError as error:
            return Outcome("", End("no-start", str(error)), 0.0)
        Path(tmp, "bochsrc").write_text(config)
        Path(tmp, "rc").write_text("c\n")    # the packaged Bochs starts in its debugger
        process, master = start_on_terminal(
            [*DIE_WITH_US, "bochs", "-q", "-f", "bochsrc", "-rc", "rc"], tmp)
        running.add(process)
        try:
            alive = True
            while alive and time.monotonic() - started < timeout:
                alive = drain(master)
        finally:
            process.kill()
            process.wait()
            running.discard(process)
            os.close(master)
        serial = Path(tmp, "serial")
        raw = serial.read_bytes() if serial.exists() else b""
    log = clean(raw)
    return Outcome(log, bochs_end(alive, timeout, log_path(machine, ".bochs.log"), log),
                   time.monotonic() - started)


def bochs_end(alive, timeout, bochs_log, log):
    if alive:
        return End("hang", f"no end after {timeout:g} s")
    if not log:
        return End("no-start", f"no serial output, see {bochs_log}")
    said = bochs_log.read_text(errors="replace") if bochs_log.exists() else ""
    if re.search(r"3rd \(|triple fault", said):
        return End("triple-fault", f"see {bochs_log}")
    if "Shutdown port: shutdown requested" in said:
        return End("poweroff")
    return End("unknown", f"see {bochs_log}")
