#!/usr/bin/python3
"""check_style.py - what clang-format and a compiler cannot see.

ALL TEXT    no trailing blanks, no carriage returns, a newline at the end, no marker of unfinished
            work; at most 100 columns (a tab is 8) in code, no tab in Python.
EVERY .c    opens with its theory: a comment whose first line is "name.c - what it is" and which has
            at least MIN_THEORY lines (a test's names are its theory: one line is enough).  Headers
            open the same way (a public one with "Layer: x" above it), .asm files with
            "; name.asm - ...", scripts with a docstring or a comment.
C           no // comments, no #if inside a function, no #if 0, no commented-out code, no
            "return -1"; functions of at most MAX_FUNCTION lines, and no more than LONG_SHARE of
            them above LONG_FUNCTION; files of at most MAX_FILE lines, public headers MAX_HEADER.
QAPI        stands on every prototype that is neither static nor variadic in include/quarry/, the
            ports' <quarry/asm/*>, lib/ and mm/, and on the definitions in lib/ and mm/; on function
            pointers in these headers too.  The mem* functions that compilers call are exempt.
mm/         never tests which port it is built for, holds no inline assembly and names no address.

DOCSTRINGS  /** ... */ in include/quarry/:
  - a comment stands directly above each group of prototypes (a group has no empty line inside);
  - the docstring starts "name - " or "name, other - " with names from its group or, above a macro
    or inline function, of that one;
  - each "@param:" is a parameter of a function of the group;
  - Return: when an extern function of the group returns int or a pointer, unless the text sends
    the reader to another documented function ("as alloc_pages()");
  - Context: in contract, mm and kernel headers for extern functions, unless the docstring is a
    purpose and nothing more, sends the reader elsewhere, or the header's first comment has a
    Context: for all of it.

usage: check_style.py [--root DIR] [-v]; status 1 and a line for each violation.  -v lists the
functions above LONG_FUNCTION.
"""
import argparse
import io
import os
import re
import sys
import tokenize

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import csource  # noqa: E402

MIN_THEORY = 3          # lines of text in the comment that opens a .c file
MAX_FUNCTION = 60       # lines of a body
LONG_FUNCTION = 40
LONG_SHARE = 0.05       # of all functions: nine of ten are to be under 40, and then some
MAX_FILE = 800
MAX_HEADER = 300
MAX_COLUMNS = 100
TAB = 8

TEXT_SUFFIXES = (".c", ".h", ".asm", ".ld", ".py", ".sh", ".mk", ".md", ".cfg", ".tsv", "Makefile")
CODE_SUFFIXES = (".c", ".h", ".asm", ".ld", ".py", ".sh")
MARKERS = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
PUBLIC = re.compile(r"(include/quarry/|arch/\w+/include/quarry/asm/)")
QAPI_HEADER = re.compile(r"(include/quarry/|arch/\w+/include/quarry/|lib/|mm/)")
QAPI_SOURCE = re.compile(r"(lib|mm)/")
PORT_TEST = re.compile(r"#\s*(?:el)?if.*(__i386__|__x86_64__|X86|HOSTED|ARCH|PORT|PAE|__linux__)")
HEX = re.compile(r"\b0[xX]([0-9a-fA-F]+)[uUlL]*\b")
STATEMENT = re.compile(
    r"^(?:(?:return|goto|break|continue)\b[^.,]*;|[\w\->.\[\]*() ]+\s*[-+|&^]?=\s*[^=]+;"
    r"|\w+\(.*\);|(?:if|for|while|switch) \(.*\)(?: \{)?|\}(?: else)?(?: \{)?|else \{"
    r"|#\s*(?:define|include|if|endif)\b.*)$")


class Style:
    def __init__(self, root):
        self.root = root
        self.problems = []
        self.nr_functions = 0
        self.long_functions = []

    def complain(self, path, line, text):
        self.problems.append(f"{path}:{line}: {text}")

    # ---- all text ---------------------------------------------------------------------------

    def check_text(self, path, text):
        if "\r" in text:
            self.complain(path, 1, "carriage returns")
        if text and not text.endswith("\n"):
            self.complain(path, text.count("\n") + 1, "no newline at the end of the file")
        is_data = path.startswith("tests/data/")
        inside_strings = lines_in_strings(text) if path.endswith(".py") else set()
        for nr, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                self.complain(path, nr, "trailing blanks")
            if not is_data and MARKERS.search(line):
                self.complain(path, nr, "a marker of unfinished work")
            if path.endswith(CODE_SUFFIXES) and len(line.expandtabs(TAB)) > MAX_COLUMNS:
                self.complain(path, nr, f"more than {MAX_COLUMNS} columns")
            if path.endswith(".py") and re.match(r" *\t", line) and nr not in inside_strings:
                self.complain(path, nr, "a tab in Python")

    def check_script_opening(self, path, text):
        lines = [line for line in text.split("\n") if not line.startswith("#!")]
        first = lines[0] if lines else ""
        if path.endswith(".py") and text.strip() and not re.match(r'[rR]?"""', first):
            self.complain(path, 1, "a script opens with its docstring")
        if path.endswith(".sh") and not re.match(r"# \S", first):
            self.complain(path, 1, "a script opens with a comment that says what it does")
        if path.endswith(".asm") and \
                not re.match(r"; " + re.escape(os.path.basename(path)) + " - ", first):
            self.complain(path, 1, f"does not open with \"; {os.path.basename(path)} - ...\"")

    # ---- C ----------------------------------------------------------------------------------

    def check_c(self, path, text):
        src = csource.Source(path, text)
        self.check_opening(src)
        self.check_size(src)
        self.check_comments(src)
        functions = src.functions()
        for f in functions:
            self.check_function(src, f)
        for nr, line in enumerate(src.code_lines, 1):
            if re.match(r"\s*#\s*if\s+0\b", line):
                self.complain(path, nr, "#if 0")
            if re.search(r"\breturn\s+-1\s*;", line):
                self.complain(path, nr, "return -1: say which error, or bool")
        if path.startswith("mm/"):
            self.check_port_free(src)
        if QAPI_SOURCE.match(path) and path.endswith(".c"):
            self.check_qapi(src, functions)
        if path.endswith(".h") and QAPI_HEADER.match(path):
            self.check_qapi(src, src.prototypes())
            self.check_function_pointers(src)
        if PUBLIC.match(path):
            Docstrings(self, src).check()

    def check_opening(self, src):
        path, name = src.path, os.path.basename(src.path)
        first = src.comments[0] if src.comments else None
        if not first or first.line != 1:
            self.complain(path, 1, "does not open with a comment")
            return
        body = [re.sub(r"^\s*/?\*+/?\s?", "", t).rstrip("*/ ") for t in first.text.split("\n")]
        body = [t for t in body if t]
        if path.endswith(".h") and body and body[0].startswith("Layer:"):
            body = body[1:]
        if not body or not body[0].startswith(f"{name} - "):
            self.complain(path, 1, f"the first comment does not start \"{name} - ...\"")
        elif path.endswith(".c") and not path.startswith("tests/") and len(body) < MIN_THEORY:
            self.complain(path, 1, f"the theory has {len(body)} lines, fewer than {MIN_THEORY}")

    def check_size(self, src):
        nr = src.text.count("\n")
        limit = MAX_HEADER if PUBLIC.match(src.path) else MAX_FILE
        if nr > limit:
            self.complain(src.path, nr, f"{nr} lines, more than {limit}")

    def check_comments(self, src):
        for c in src.comments:
            if c.text.startswith("//"):
                self.complain(src.path, c.line, "// comment")
            for offset, line in enumerate(c.text.split("\n")):
                # What stands behind a tab is a picture or an example.
                line = re.sub(r"^\s*(?:/?\*+|//)?", "", line)
                line = re.sub(r"\s*\*/$", "", line)
                if not line.startswith("\t") and STATEMENT.match(line.strip()):
                    self.complain(src.path, c.line + offset, "commented-out code")

    def check_function(self, src, f):
        self.nr_functions += 1
        if f.nr_lines > LONG_FUNCTION:
            self.long_functions.append(f"{src.path}:{f.line}: {f.name}: {f.nr_lines} lines")
        if f.nr_lines > MAX_FUNCTION:
            self.complain(src.path, f.line,
                          f"{f.name} has {f.nr_lines} lines, more than {MAX_FUNCTION}")
        for nr in range(f.body[0], f.body[1] + 1):
            if re.match(r"\s*#\s*(if|ifdef|ifndef|elif|else|endif)\b", src.code_lines[nr - 1]):
                self.complain(src.path, nr, f"preprocessor condition inside {f.name}")

    def check_port_free(self, src):
        for nr, line in enumerate(src.code_lines, 1):
            if PORT_TEST.match(line.strip()):
                self.complain(src.path, nr, "mm/ tests which port it is built for")
            if re.search(r"\b(__asm__|asm)\b", line):
                self.complain(src.path, nr, "inline assembly in mm/")
            for digits in HEX.findall(line):
                value = int(digits, 16)
                if value >= 0x10000 and value % 0x1000 == 0:
                    self.complain(src.path, nr, f"mm/ names an address: 0x{digits}")

    def check_qapi(self, src, functions):
        for f in functions:
            if f.static or f.variadic or f.name in csource.COMPILER_CALLED:
                continue
            if not re.search(r"\bQAPI\b", f.signature):
                self.complain(src.path, f.line, f"{f.name} lacks QAPI")

    def check_function_pointers(self, src):
        statements = re.finditer(r"[^;{}]*\(\s*\*\s*(\w+)\s*\)\s*\(([^;{}]*)[;{]", src.code)
        for m in statements:
            head = m.group(0)[:m.start(1) - m.start(0)]
            line = src.code.count("\n", 0, m.start(1)) + 1
            if src.code_lines[line - 1].lstrip().startswith("#") or "..." in m.group(2):
                continue
            nearest = re.split(r"[(,;]", head[:head.rindex("(")])[-1]
            if not re.search(r"\bQAPI\b", nearest):
                self.complain(src.path, line, f"function pointer {m.group(1)} lacks QAPI")

    # ---- all files --------------------------------------------------------------------------

    def check(self):
        for path in csource.files(self.root, *TEXT_SUFFIXES):
            text = csource.read(self.root, path)
            self.check_text(path, text)
            self.check_script_opening(path, text)
            if path.endswith((".c", ".h")):
                self.check_c(path, text)
        allowed = max(1, int(self.nr_functions * LONG_SHARE))
        if len(self.long_functions) > allowed:
            self.problems.append(
                f"{len(self.long_functions)} of {self.nr_functions} functions are longer than "
                f"{LONG_FUNCTION} lines, {allowed} may be: see check_style.py -v")
        return self.problems


def lines_in_strings(text):
    """Lines of a Python source that begin inside a string."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.STRING:
            lines |= set(range(token.start[0] + 1, token.end[0] + 1))
    return lines


class Docstrings:
    """The public documentation of one header."""

    def __init__(self, style, src):
        self.complain = lambda line, text: style.complain(src.path, line, text)
        self.src = src
        first = src.comments[0].text if src.comments else ""
        self.context_for_all = "Context:" in first
        layer = re.search(r"Layer:\s*(\w+)", first)
        self.wants_context = bool(layer) and layer.group(1) in ("contract", "mm", "kernel")
        self.groups = {}        # first line of a comment -> the functions below it
        for p in src.prototypes():
            if p.comment is not None:
                self.groups.setdefault(p.comment.line, []).append(p)
            elif not self.is_forward(p):
                self.complain(p.line, f"{p.name} has no comment")

    def is_forward(self, p):
        """A static inline function that is defined below may stand alone."""
        return p.static

    def check(self):
        for c in self.src.comments:
            if c.text.startswith("/**"):
                self.check_docstring(c)

    def defined_below(self, c):
        """Inline functions and macros directly under a comment."""
        names, functions = [], self.src.functions()
        at = c.end_line + 1
        while at <= len(self.src.lines) and self.src.lines[at - 1].startswith("#if"):
            at += 1
        while at <= len(self.src.lines) and self.src.lines[at - 1].strip():
            m = re.match(r"#\s*define\s+(\w+)", self.src.lines[at - 1])
            if m:
                names.append(m.group(1))
            at += 1
        for f in functions:
            if c.end_line < f.line <= at:
                names.append(f.name)
        return names, [f for f in functions if f.name in names]

    def check_docstring(self, c):
        text = re.sub(r"^\s*(/\*\*|\*/|\*)\s?", "", c.text, flags=re.M)
        group = self.groups.get(c.line, [])
        extra, inline = self.defined_below(c)
        names = {p.name for p in group} | set(extra)
        head = re.match(r"\s*([\w, ]+?) - (?=\S)", text)
        if not head:
            self.complain(c.line, "docstring does not start \"name - purpose\"")
            return
        for name in re.split(r",\s*", head.group(1)):
            if name not in names:
                self.complain(c.line, f"docstring of {name}, but below stands "
                                      f"{', '.join(sorted(names)) or 'nothing'}")
        self.check_parameters(c, text, group + inline)
        self.check_fields(c, text, [p for p in group if not p.static], own=names)

    def check_parameters(self, c, text, group):
        known = set().union(*(p.parameter_names for p in group)) if group else None
        if known is None:
            return
        for m in re.finditer(r"^\s*((?:@\w+(?:,\s*)?)+):", text, re.M):
            for name in re.findall(r"@(\w+)", m.group(1)):
                if name not in known:
                    self.complain(c.line, f"@{name} is no parameter of "
                                          f"{', '.join(p.name for p in group)}")

    def check_fields(self, c, text, group, own):
        elsewhere = re.search(r"\b(\w+)\(\)", text) and \
            any(n not in own for n in re.findall(r"\b(\w+)\(\)", text))
        elsewhere = elsewhere or re.search(r"\b(the same|as above)\b", text)
        name = group[0].name if group else ""
        returns = [p for p in group
                   if p.returns == "int" or p.returns.endswith("*")]
        if returns and not re.search(r"^\s*Return:", text, re.M) and not elsewhere:
            self.complain(c.line, f"docstring of {name} has no Return:")
        is_purpose_only = len(text.strip().split("\n")) <= 2
        if self.wants_context and group and not self.context_for_all and not elsewhere and \
                not is_purpose_only and not re.search(r"\bContext:|\bcontext\b", text):
            self.complain(c.line, f"docstring of {name} has no Context:")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=".")
    parser.add_argument("-v", action="store_true", help="list the functions above LONG_FUNCTION")
    args = parser.parse_args()
    style = Style(args.root)
    problems = style.check()
    if args.v:
        print("\n".join(style.long_functions))
    return csource.report(problems)


if __name__ == "__main__":
    sys.exit(main())
