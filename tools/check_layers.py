#!/usr/bin/python3
"""check_layers.py - an include points down or sideways, never up.

A public header names its layer in its first comment ("Layer: mm"); every other file has the layer
of its folder.  <quarry/asm/*> is a port's public face: it stands with the contract, whichever port
it comes from.  MAY_INCLUDE is the whole rule; on top of it

  - mm/'s private headers are seen by mm/, tests/mm/white/ and tests/fuzz/ only, a port's by that
    port, kernel/ and tests/;
  - beyond <quarry/...> there are the compiler's freestanding headers; libc is for the host world
    (host_*.c in arch/hosted/ and tests/bench/, which in turn sees nothing of ours but host_ops.h)
    and for tests that run on the host;
  - boot/efi/ is two: what talks to UEFI firmware (loader.c, efi_*) has gnu-efi's headers and is
    seen by nobody else; the rest is boot, so that it can be tested as a process;
  - no chain of includes comes back to where it started.

usage: check_layers.py [--root DIR]; status 1 and a line for each violation.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

MAY_INCLUDE = {
    "base": {"base"},
    "contract": {"base", "contract"},
    "boot": {"base", "contract", "boot"},
    "efi": {"base", "contract", "boot", "efi"},
    "port": {"base", "contract", "port"},
    "mm": {"base", "contract", "mm"},
    "kernel": {"base", "contract", "boot", "port", "mm", "kernel"},
    "compat": {"base", "contract", "mm", "kernel", "compat"},
    "tests": {"base", "contract", "boot", "port", "mm", "kernel", "compat", "tests"},
    "host": set(),
}
FOLDER_LAYER = {"lib": "base", "boot": "boot", "arch": "port", "mm": "mm", "kernel": "kernel",
                "tests": "tests"}
HEADER_LAYERS = {"base", "contract", "port", "mm", "kernel", "tests"}

# Folders that hold somebody else's port, to be built against: not part of the graph.
FOREIGN = ("tests/port_",)

ASM_FACE = re.compile(r"arch/\w+/include/quarry/asm/")
HOST_FILE = re.compile(r"(arch/hosted|tests/bench)/host_\w+\.c$")
EFI_FILE = re.compile(r"boot/efi/(loader\.c|efi_\w+\.[ch]|\w+\.asm)$")
EFI_HEADERS = {"efi.h"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
NASM_INCLUDE = re.compile(r'^\s*%include\s*(")([^"]+)"')
LAYER_LINE = re.compile(r"Layer:\s*(\w+)")


class Tree:
    def __init__(self, root):
        self.root = root
        self.problems = []
        self.paths = [p for p in csource.files(root, ".c", ".h", ".asm",
                                               under=("include", *FOLDER_LAYER))
                      if not p.startswith(FOREIGN)]
        self.known = set(self.paths)
        self.layer = {p: self.layer_of(p) for p in self.paths}
        self.edges = {p: [] for p in self.paths}

    def complain(self, path, line, text):
        self.problems.append(f"{path}:{line}: {text}")

    def layer_of(self, path):
        if path.startswith("include/compat/"):
            return "compat"
        if HOST_FILE.match(path):
            return "host"
        if EFI_FILE.match(path):
            return "efi"
        if path.startswith("include/") or ASM_FACE.match(path):
            return self.named_layer(path)
        return FOLDER_LAYER[path.split("/")[0]]

    def named_layer(self, path):
        comments = csource.load(self.root, path).comments
        m = LAYER_LINE.search(comments[0].text) if comments else None
        if not m or m.group(1) not in HEADER_LAYERS:
            self.complain(path, 1, "the first comment names no layer "
                                   f"(Layer: {'|'.join(sorted(HEADER_LAYERS))})")
            return "base"
        if ASM_FACE.match(path):
            if m.group(1) not in ("port", "contract"):
                self.complain(path, 1, f"<quarry/asm/*> is the port's, not {m.group(1)}")
            return "contract"
        return m.group(1)

    def resolve(self, path, quote, name):
        """Where an include leads: a path of ours, None for a system header."""
        if quote == '"':
            local = os.path.normpath(os.path.join(os.path.dirname(path), name))
            return local if local in self.known else name if name in self.known else None
        if name in self.known:      # -I of the tree's root
            return name
        if name.startswith("quarry/asm/"):
            return self.resolve_asm(path, name)
        public = "include/" + name
        return public if public in self.known else None

    def resolve_asm(self, path, name):
        own = path.split("/")[1] if path.startswith("arch/") else None
        ports = sorted({p.split("/")[1] for p in self.known if ASM_FACE.match(p)},
                       key=lambda port: (port != own, port != "x86", port))
        for port in ports:
            target = f"arch/{port}/include/{name}"
            if target in self.known:
                return target
        return None

    def check_file(self, path):
        pattern = NASM_INCLUDE if path.endswith(".asm") else INCLUDE
        for nr, line in enumerate(csource.read(self.root, path).split("\n"), 1):
            m = pattern.match(line)
            if not m:
                continue
            target = self.resolve(path, *m.groups())
            if target is None:
                self.check_system_header(path, nr, *m.groups())
            else:
                self.edges[path].append((nr, target))
                self.check_edge(path, nr, target)

    def check_system_header(self, path, nr, quote, name):
        if quote == '"' or name.startswith("quarry/"):
            self.complain(path, nr, f"there is no {name}")
        elif name in EFI_HEADERS and self.layer[path] == "efi":
            return
        elif name not in csource.FREESTANDING and self.layer[path] not in ("tests", "host"):
            self.complain(path, nr, f"<{name}> is no freestanding header")

    def check_edge(self, path, nr, target):
        layer, of = self.layer[path], self.layer[target]
        if layer == "host" and os.path.basename(target) == "host_ops.h":
            return
        if of not in MAY_INCLUDE[layer]:
            self.complain(path, nr, f"{layer} may not include {target}, which is {of}")
        elif target.startswith("mm/") and layer != "mm" and \
                not path.startswith(("tests/mm/white/", "tests/fuzz/")):
            self.complain(path, nr, f"{target} is private to mm/, tests/mm/white/ and tests/fuzz/")
        elif target.startswith("arch/") and not ASM_FACE.match(target) and layer == "port" and \
                path.split("/")[1] != target.split("/")[1]:
            self.complain(path, nr, f"{target} is another port's private header")

    def check_cycles(self):
        state = {}      # absent: not seen; 1: on the current chain; 2: done
        chain = []

        def visit(path):
            state[path] = 1
            chain.append(path)
            for nr, target in self.edges[path]:
                if state.get(target) == 1:
                    loop = chain[chain.index(target):] + [target]
                    self.complain(path, nr, "includes go round: " + " -> ".join(loop))
                elif target not in state:
                    visit(target)
            chain.pop()
            state[path] = 2

        for path in self.paths:
            if path not in state:
                visit(path)

    def check(self):
        for path in self.paths:
            self.check_file(path)
        self.check_cycles()
        return self.problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=".")
    args = parser.parse_args()
    return csource.report(Tree(args.root).check())


if __name__ == "__main__":
    sys.exit(main())
