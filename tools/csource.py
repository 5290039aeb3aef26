"""csource.py - just enough C for the checkers: files, comments, functions, prototypes.

The sources are formatted by clang-format, and that is checked as well, so shape can be trusted: a
function's body opens with a "{" and closes with a "}" in column 0, and nothing else stands there.
"""
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field

SKIP_DIRS = {".git", "build", "__pycache__", ".pytest_cache"}

# What the compiler itself supplies to freestanding code.
FREESTANDING = {"stdarg.h", "stdbool.h", "stddef.h", "stdint.h", "limits.h", "stdalign.h",
                "stdnoreturn.h", "float.h", "iso646.h", "cpuid.h"}

# The compiler calls these by itself, so they keep its calling convention.
COMPILER_CALLED = {"memcpy", "memmove", "memset", "memcmp"}


def files(root, *suffixes, under=("",)):
    """Paths relative to root, sorted, of the files below root/under that end in a suffix."""
    found = []
    for folder in under:
        for here, dirs, names in os.walk(os.path.join(root, folder)):
            dirs[:] = sorted(d for d in dirs if d not in SKIP_DIRS)
            found += [os.path.relpath(os.path.join(here, n), root) for n in names
                      if not suffixes or n.endswith(suffixes)]
    return sorted(set(found))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace",
              newline="") as f:
        return f.read()


@dataclass
class Comment:
    line: int       # of its first character, from 1
    end_line: int
    text: str       # with its delimiters
    alone: bool     # nothing but blanks before it on its line


@dataclass
class Function:
    """A definition or a prototype."""
    name: str
    signature: str          # one line, attributes included
    line: int               # where the signature starts
    body: tuple = None      # (first, last) line of the body, braces excluded
    static: bool = False
    comment: Comment = None  # the comment that ends on the line above its group

    @property
    def nr_lines(self):
        return self.body[1] - self.body[0] + 1

    @property
    def variadic(self):
        return "..." in self.parameters

    @property
    def parameters(self):
        start = self.signature.index(self.name + "(") + len(self.name)
        depth = 0
        for at in range(start, len(self.signature)):
            depth += {"(": 1, ")": -1}.get(self.signature[at], 0)
            if depth == 0:
                return self.signature[start + 1:at]
        return self.signature[start + 1:]

    @property
    def parameter_names(self):
        return set(re.findall(r"\b([A-Za-z_]\w*)\b(?=\s*(?:[,)\[]|$))", self.parameters))

    @property
    def returns(self):
        """The return type without storage class and attributes."""
        head = self.signature[:self.signature.index(self.name + "(")]
        head = re.sub(r"\b(QAPI|static|inline|extern|__\w+)\b(\([^)]*\))?", " ", head)
        return " ".join(head.split())


@dataclass
class Source:
    path: str
    text: str
    code: str = ""                   # comments and the insides of literals blanked, same length
    comments: list = field(default_factory=list)

    def __post_init__(self):
        self._strip()
        self.lines = self.text.split("\n")
        self.code_lines = self.code.split("\n")

    def _strip(self):
        out, i, line, t = [], 0, 1, self.text
        while i < len(t):
            if t.startswith("/*", i) or t.startswith("//", i):
                block = t[i + 1] == "*"
                end = t.find("*/" if block else "\n", i + 2)
                end = len(t) if end < 0 else end + (2 if block else 0)
                chunk = t[i:end]
                start_of_line = t.rfind("\n", 0, i) + 1
                self.comments.append(Comment(line, line + chunk.count("\n"), chunk,
                                             not t[start_of_line:i].strip()))
                out.append(re.sub(r"[^\n]", " ", chunk))
            elif t[i] in "\"'":
                m = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S).match(t, i)
                end = m.end() if m else i + 1
                chunk = t[i:end]
                out.append(chunk[0] + re.sub(r"[^\n]", " ", chunk[1:-1]) + chunk[-1]
                           if len(chunk) > 1 else chunk)
            else:
                end = i + 1
                chunk = t[i]
                out.append(chunk)
            line += chunk.count("\n")
            i = end
        self.code = "".join(out)

    def functions(self):
        """Definitions: every "{" alone in column 0, with the signature above it."""
        found, first = [], None
        for nr, text in enumerate(self.code_lines, 1):
            if text.rstrip() == "{":
                first = nr
            elif text.startswith("}") and first:
                sig_line, signature = self._signature_above(first)
                name = declared_name(signature)
                if name:
                    found.append(Function(name, signature, sig_line, (first + 1, nr - 1),
                                          bool(re.search(r"\bstatic\b", signature))))
                first = None
        return found

    def _signature_above(self, nr):
        lines, at = [], nr - 1
        while at >= 1:
            text = self.code_lines[at - 1]
            if not text.strip() or text.rstrip().endswith((";", "}", "\\")) or \
                    text.startswith("#"):
                break
            lines.insert(0, text.strip())
            at -= 1
        return at + 1, " ".join(lines)

    def prototypes(self):
        """Declarations of functions at file scope that end in ';', with their comments."""
        found, depth, pending, start = [], 0, [], 0
        for nr, text in enumerate(self.code_lines, 1):
            stripped = text.strip()
            is_directive = stripped.startswith("#") or \
                (nr > 1 and self.code_lines[nr - 2].rstrip().endswith("\\"))
            if is_directive:
                pending = []
                continue
            if depth == 0 and stripped and "{" not in stripped:
                if not pending:
                    start = nr
                pending.append(stripped)
                if stripped.endswith(";"):
                    statement = " ".join(pending)
                    name = declared_name(statement)
                    if name and not statement.startswith("typedef"):
                        found.append(Function(name, statement, start,
                                              static=bool(re.search(r"\bstatic\b", statement))))
                    pending = []
            elif "{" in stripped:
                pending = []
            depth += stripped.count("{") - stripped.count("}")
        self._attach_comments(found)
        return found

    def _attach_comments(self, prototypes):
        """A comment belongs to all prototypes that follow it without an empty line."""
        ends = {c.end_line: c for c in self.comments if c.alone}
        for p in prototypes:
            at = p.line - 1
            while at >= 1 and at not in ends and self.lines[at - 1].strip():
                at -= 1
            p.comment = ends.get(at)


def declared_name(statement):
    """The function that a statement declares or defines, or None."""
    if "=" in statement.split("(")[0]:
        return None
    bare = re.sub(r"__attribute__\s*\(\(.*?\)\)", " ", statement)
    bare = re.sub(r"\b(__printf|__section|__aligned|__must_hold|__acquires|__releases|"
                  r"__capability|__guarded_by)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\b_?_?[sS]tatic_assert\b.*", " ", bare)
    m = re.match(r"\s*(?:[A-Za-z_]\w*[\s*]+)+\**([A-Za-z_]\w*)\s*\(", bare)
    if not m or m.group(1) in ("if", "for", "while", "switch", "return", "sizeof"):
        return None
    return m.group(1)


def make_command(make, *arguments):
    """A make of our own: not a client of an outer make's job server, but with its variables.

    Returns the arguments of subprocess.run().
    """
    flags = [f for f in os.environ.get("MAKEFLAGS", "").split()
             if not re.match(r"-j\d*$|--jobserver", f)]
    return {"args": [*shlex.split(make), "--no-print-directory", f"-j{os.cpu_count()}", *arguments],
            "env": {**os.environ, "MAKEFLAGS": " ".join(flags)}, "stdin": subprocess.DEVNULL}


def load(root, path):
    return Source(path, read(root, path))


def report(problems):
    """Print what is wrong, one a line; the process status."""
    for p in problems:
        print(p)
    return 1 if problems else 0


def run(main):
    """main()'s status; a build that failed is a reason, not a fault of the checker."""
    try:
        return main()
    except subprocess.CalledProcessError as error:
        print(f"{shlex.join(str(a) for a in error.cmd)}: status {error.returncode}")
        return 1
