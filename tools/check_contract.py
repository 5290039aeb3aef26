#!/usr/bin/python3
"""check_contract.py - contract.txt lists what mm/ and lib/ need of a port: all of it, only that.

EXTERN.  For the default configuration, the smallest (every option 0) and each with one option off,
`make lib` is run and what the archive leaves undefined is compared with the list.  Symbols that the
port's own <quarry/asm/*> declare are that port's business: its inlines need them, not the library.

INLINE.  The sources are compiled against tests/port_empty, whose <quarry/asm/*> are empty, and the
compiler says which names are missing.  One missing name hides others, so each gets the dullest
stand-in of its kind and the compilation is repeated until nothing more is reported.  Kinds are told
apart by the complaint: "implicit declaration" is an inline function (or a macro used as one),
"unknown type name" a type, "undeclared" a constant, and an unknown macro at file scope is one that
declares something.

A line of the list is one of

    extern   NAME          OPTION  # note
    inline   NAME  HEADER  OPTION  # note
    type     NAME  HEADER  OPTION
    constant NAME  HEADER  OPTION
    macro    NAME  HEADER  OPTION

OPTION is "-" (always needed), or options that need it: "SMP", "SHOW|CHECK"; "!SMP" is needed
without it.  HEADER is below <quarry/asm/> and must mention the name in every port of this tree.

usage: check_contract.py --build DIR --default libquarry.a [--make CMD] [--root DIR]
"""
import argparse
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

LIST = "include/quarry/contract.txt"
EMPTY_PORT = "tests/port_empty/include"
INLINE_KINDS = ("inline", "type", "constant", "macro")
MAX_ROUNDS = 20         # of compiling and standing in; each finds one more new name at least

COMPLAINTS = (
    (re.compile(r"implicit declaration of function '(\w+)'"), "inline"),
    (re.compile(r"unknown type name '(\w+)'"), "type"),
    (re.compile(r"'(\w+)' undeclared"), "constant"),
    (re.compile(r'"(\w+)" is not defined'), "constant"),
)
STAND_IN = {
    "inline": "long {name}();",
    "type": "typedef int {name};",
    "constant": "#define {name} 1",
    "macro": "#define {name}(type, name) type name",
}


@dataclass(frozen=True)
class Entry:
    kind: str
    name: str
    header: str
    option: str
    line: int

    def active(self, off):
        """Is it needed when the options in @off are 0 and all others 1?"""
        if self.option == "-":
            return True
        return any((o[1:] in off) if o.startswith("!") else (o not in off)
                   for o in self.option.split("|"))


def parse_list(text, options):
    """(entries, problems)"""
    entries, problems, seen = [], [], set()
    for nr, line in enumerate(text.split("\n"), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        kind = words[0]
        if kind == "extern" and len(words) == 3:
            entry = Entry(kind, words[1], "", words[2], nr)
        elif kind in INLINE_KINDS and len(words) == 4:
            entry = Entry(kind, words[1], words[2], words[3], nr)
        else:
            problems.append(f"{LIST}:{nr}: not a line of this list: {line}")
            continue
        unknown = {o.lstrip("!") for o in entry.option.split("|")} - set(options) - {"-"}
        if unknown:
            problems.append(f"{LIST}:{nr}: no such option: {', '.join(sorted(unknown))}")
        if entry.name in seen:
            problems.append(f"{LIST}:{nr}: {entry.name} is listed twice")
        seen.add(entry.name)
        entries.append(entry)
    return entries, problems


def config_options(root):
    """Those that are on or off; the others are numbers, and need nothing of a port."""
    return re.findall(r"^#ifndef CONFIG_(\w+)\n#define CONFIG_\w+ [01]$",
                      csource.read(root, "include/quarry/config.h"), re.M)


def config_variable(off):
    return "CONFIG=" + " ".join(f"{o}=0" for o in sorted(off))


def configurations(options):
    """(name, options that are off)"""
    return [("default", frozenset())] + \
        [(f"{o}=0", frozenset([o])) for o in options] + [("smallest", frozenset(options))]


# ---- extern -------------------------------------------------------------------------------------


def undefined(archive):
    """What an archive needs and does not define itself."""
    text = subprocess.run(["nm", archive], capture_output=True, text=True, check=True).stdout
    needs, has = set(), set()
    for line in text.split("\n"):
        m = re.match(r"(?:[0-9a-f]+)?\s*([A-Za-z?]) (\S+)$", line.strip())
        if m:
            # A weak reference (v, w) may stay undefined: that is what it is for.
            (needs if m.group(1) == "U" else has).add(m.group(2))
    return needs - has


def declared_by_port(root, face):
    """Symbols that a port's <quarry/asm/*> declare for themselves."""
    names = set()
    for path in csource.files(root, ".h", under=(face,)):
        src = csource.load(root, path)
        names |= {p.name for p in src.prototypes() if not p.static}
        names |= set(re.findall(r"\bDECLARE_PER_CPU\([^;]*?(\w+)\s*\)\s*;", src.code))
        names |= set(re.findall(r"\bextern\b[^;()]*?(\w+)\s*(?:\[[^\]]*\]\s*)*;", src.code))
    return names


def build_library(make, build, name, off):
    """Path of the archive with some options off; CalledProcessError when it does not build."""
    out = os.path.join(build, name.replace("=", ""))
    subprocess.run(**csource.make_command(make, f"BUILD={out}", config_variable(off), "lib"),
                   check=True, stdout=subprocess.DEVNULL)
    found = [p for p in csource.files(out, ".a")]
    if len(found) != 1:
        raise RuntimeError(f"{out} holds {len(found)} archives: {found}")
    return os.path.join(out, found[0])


def compare(what, needed, listed):
    """needed, listed: {name: text about it}"""
    return [f"{what}: {n} is needed{needed[n]} and not in {LIST}"
            for n in sorted(set(needed) - set(listed))] + \
        [f"{LIST}:{listed[n]}: {n} is listed, but {what} does not need it"
         for n in sorted(set(listed) - set(needed))]


def check_extern(args, entries, options):
    problems = []
    own = declared_by_port(args.root, "arch/x86/include/quarry/asm")
    for name, off in configurations(options):
        archive = args.default if name == "default" else \
            build_library(args.make, args.build, name, off)
        listed = {e.name: e.line for e in entries if e.kind == "extern" and e.active(off)}
        needed = {n: "" for n in undefined(archive) - own}
        problems += compare(f"nm -u ({name})", needed, listed)
    return problems


def check_declared(root, entries):
    """An extern function has its prototype, with its promises, in a public header."""
    public = {p.name for path in csource.files(root, ".h", under=("include/quarry",))
              for p in csource.load(root, path).prototypes()}
    return [f"{LIST}:{e.line}: {e.name} is declared in no public header"
            for e in entries if e.kind == "extern" and e.name not in public]


# ---- inline -------------------------------------------------------------------------------------


def sources(make, off):
    done = subprocess.run(**csource.make_command(make, "-s", config_variable(off), "print-lib-src"),
                          check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.split()


def complaints(root, path, off, stand_ins):
    """[(message, source line)] of one compilation."""
    command = ["gcc", "-m32", "-std=gnu11", "-ffreestanding", "-fsyntax-only", "-fmax-errors=0",
               "-Wundef", "-fdiagnostics-format=json", "-Iinclude", "-I" + EMPTY_PORT,
               "-include", stand_ins, *(f"-DCONFIG_{o}=0" for o in sorted(off)), path]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root,
                          env={**os.environ, "LC_ALL": "C"})
    found = []
    for entry in json.loads(done.stderr or "[]"):
        for one in (entry, *entry.get("children", [])):
            where = one["locations"][0]["caret"] if one.get("locations") else {}
            found.append((one["message"], line_at(root, where)))
    return found


def line_at(root, where):
    try:
        with open(os.path.join(root, where["file"]), encoding="utf-8") as f:
            return f.read().split("\n")[where["line"] - 1]
    except (KeyError, IndexError, OSError):
        return ""


def missing_names(messages, macros, known):
    """{name: kind} of what a compiler's messages say is not there.

    @macros are defined in our own files, @known were found missing before.
    """
    found = {}
    for message, line in messages:
        # What begins a line of its own at file scope declares something, whatever the compiler
        # makes of it; its arguments are looked at once the macro has a stand-in.
        declares = re.match(r"(?:static\s+|extern\s+)?([A-Z][A-Z0-9_]+)\(", line)
        if declares and declares.group(1) not in macros | set(known):
            found[declares.group(1)] = "macro"
            continue
        for pattern, kind in COMPLAINTS:
            m = pattern.search(message)
            if m:
                found.setdefault(m.group(1), kind)
    return {n: k for n, k in found.items() if n not in macros}


def find_missing(args, paths, off, stand_ins):
    """All names that an empty port leaves missing: {name: kind}."""
    macros = set()
    for path in csource.files(args.root, ".h", ".c", under=("include/quarry", "mm", "lib")):
        macros |= set(re.findall(r"^\s*#\s*define\s+(\w+)", csource.read(args.root, path), re.M))
    missing = {}
    for _ in range(MAX_ROUNDS):
        with open(stand_ins, "w", encoding="utf-8") as f:
            f.write("".join(STAND_IN[k].format(name=n) + "\n" for n, k in sorted(missing.items())))
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            results = list(pool.map(
                lambda p: complaints(args.root, p, off, os.path.abspath(stand_ins)), paths))
        absent = [m for r in results for m, _ in r if "No such file" in m]
        if absent:
            raise RuntimeError(f"{EMPTY_PORT} lacks a header: {absent[0]}")
        new = missing_names([m for r in results for m in r], macros, missing)
        new = {n: k for n, k in new.items() if n not in missing}
        # A declaration that lacks a type or a macro declares nothing, so what it would have
        # declared seems to be missing too: first these, and the rest when all of them are there.
        first = {n: k for n, k in new.items() if k in ("type", "macro")}
        new = first or new
        if not new:
            return missing
        missing.update(new)
    raise RuntimeError(f"still new names after {MAX_ROUNDS} rounds: {sorted(new)}")


def check_inline(args, entries, options):
    problems = []
    os.makedirs(args.build, exist_ok=True)
    for path in csource.files(args.root, ".h", under=(EMPTY_PORT,)):
        if csource.load(args.root, path).code.strip():
            problems.append(f"{path}:1: is not empty")
    for name, off in configurations(options):
        if name not in ("default", "smallest"):
            continue
        stand_ins = os.path.join(args.build, f"stand-ins-{name}.h")
        missing = find_missing(args, sources(args.make, off), off, stand_ins)
        listed = {e.name: e for e in entries if e.kind in INLINE_KINDS and e.active(off)}
        problems += compare(f"an empty port ({name})",
                            {n: f" ({k})" for n, k in missing.items()},
                            {n: e.line for n, e in listed.items()})
        problems += [f"{LIST}:{listed[n].line}: {n} is {listed[n].kind} here, the compiler asks "
                     f"for {k}" for n, k in sorted(missing.items())
                     if n in listed and listed[n].kind != k]
    return problems


def check_headers(root, entries):
    """Each port of this tree has the listed names in the headers they are listed for."""
    problems, faces = [], []
    for base in ("arch", "tests"):
        folder = os.path.join(root, base)
        faces += [f"{base}/{d}/include/quarry/asm" for d in sorted(os.listdir(folder))
                  if os.path.isdir(os.path.join(folder, d, "include/quarry/asm"))
                  and d != "port_empty"]
    for face in faces:
        words = {}
        for path in csource.files(root, ".h", under=(face,)):
            code = csource.load(root, path).code
            words[os.path.basename(path)] = set(re.findall(r"\w+", code)) | (
                irq_stack_words(root) if "percpu_stack_irq" in csource.read(root, path) else set())
        for e in entries:
            if e.kind in INLINE_KINDS and e.name not in words.get(e.header, ()):
                problems.append(f"{LIST}:{e.line}: {face}/{e.header} has no {e.name}")
    return problems


def irq_stack_words(root):
    """A port may take pop and push from the header that is offered for them."""
    return set(re.findall(r"\w+", csource.load(root, "include/quarry/percpu_stack_irq.h").code))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=".")
    parser.add_argument("--build", required=True)
    parser.add_argument("--default", required=True)
    parser.add_argument("--make", default="make")
    args = parser.parse_args()
    options = config_options(args.root)
    entries, problems = parse_list(csource.read(args.root, LIST), options)
    problems += check_declared(args.root, entries)
    problems += check_headers(args.root, entries)
    problems += check_inline(args, entries, options)
    problems += check_extern(args, entries, options)
    return csource.report(problems)


if __name__ == "__main__":
    sys.exit(csource.run(main))
