"""mutate.py - small wrong changes to a C file: where they can be made, and which are drawn.

A site is a place together with an operator; it has one replacement or several.  The sources are
formatted by clang-format, so tokens and blanks tell what a parser would: a binary "*" has blanks on
both sides, a pointer's only before it.  What is not C after all is found by compiling it.

A site's key is made of its file, its function, its line's text and its column there, not of line
numbers: it survives changes elsewhere in the file.  A seed orders all sites by a hash of seed and
key, so the draw is uniform over sites, and adding a function moves few of them.
"""
import collections
import difflib
import hashlib
import re
from dataclasses import dataclass

import csource

TOKEN = re.compile(r"""
    (?P<name>[A-Za-z_]\w*) | (?P<number>0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*) |
    (?P<string>"[^"\n]*"|'[^'\n]*') |
    (?P<op>\.\.\.|<<=|>>=|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[^\s\w])""", re.X)

EXCHANGE = {    # operator: {token: its replacement}
    "compare": {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="},
    "logic": {"&&": "||", "||": "&&"},
    "arith": {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "<<": ">>", ">>": "<<", "&": "|",
              "|": "&", "+=": "-=", "-=": "+=", "|=": "&=", "&=": "|=", "<<=": ">>=",
              ">>=": "<<=", "++": "--", "--": "++"},
    "jump": {"break": "continue", "continue": "break"},
}

# Each may stand where another of its family stands.
FAMILIES = [words.split() for words in (
    "ZONE_DMA ZONE_NORMAL ZONE_HIGHMEM",
    "MOB_UNMOVABLE MOB_RECLAIMABLE MOB_MOVABLE",
    "WMARK_MIN WMARK_LOW WMARK_HIGH",
    "PG_buddy PG_head PG_slab PG_kmalloc PG_reserved PG_pgtable PG_private",
    "__GFP_WAIT __GFP_HIGH __GFP_ZERO __GFP_COMP __GFP_COLD __GFP_NOFAIL __GFP_NORETRY "
    "__GFP_REPEAT __GFP_NOWARN __GFP_MEMALLOC __GFP_NOMEMALLOC __GFP_THISNODE",
    "__GFP_DMA __GFP_DMA32 __GFP_HIGHMEM", "__GFP_MOVABLE __GFP_RECLAIMABLE",
    "GFP_KERNEL GFP_ATOMIC GFP_NOWAIT",
    "PROT_READ PROT_WRITE PROT_EXEC PROT_GLOBAL PROT_UNCACHED PROT_WRITE_COMBINE",
    "PROT_KERNEL PROT_KERNEL_RO", "VM_ALLOC VM_MAP VM_IOREMAP",
    "SLAB_POISON SLAB_RED_ZONE SLAB_STORE_USER SLAB_DEBUG_FREE", "SLAB_CACHE_DMA SLAB_PANIC "
    "SLAB_HWCACHE_ALIGN SLAB_RECLAIM_ACCOUNT",
    "SLAB_LAYOUT_WANTED SLAB_LAYOUT_LEAST", "SLAB_TAKEN SLAB_END",
    "EINVAL ENOMEM ENOSPC EBUSY EEXIST ENOENT ERANGE",
    "DMA_TO_DEVICE DMA_FROM_DEVICE DMA_BIDIRECTIONAL",
    "PAGE_SIZE PAGE_SHIFT", "PAGE_POISON_CHECK PAGE_POISON_INIT_A PAGE_POISON_INIT_F",
    "true false", "min max", "ALIGN_UP ALIGN_DOWN", "list_add list_add_tail",
    "list_first_entry list_last_entry", "bit_lowest bit_highest",
)]
FAMILY = {word: family for family in FAMILIES for word in family}

BOUND = re.compile(r"(MAX_|NR_)\w+|\w+_(MAX|MIN|SLOTS|PAGES|ORDERS?|SIZE|END|START|LIMIT|SHARE|"
                   r"LEAST|CHUNK|BYTES|NR|SHIFT|LOWEST|HIGHEST|MARGIN|FRACTION)")
ORDER = re.compile(r"order|have|level|\w+_order")
ASSIGN = {"=", "+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "^=", "%="}
BEFORE_VALUE = {"(", ",", "<", ">", "<<", ">>", "+", "-", "==", "<=", ">=", "!=", "return", "=",
                "?", ":", "[", "&&", "||", "+=", "-="}
KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "do", "else", "case", "default",
            "goto", "break", "continue", "struct", "enum", "union", "const", "static"}


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Site:
    """A place, and what may be put there in the place of text[start:end]."""

    path: str
    operator: str
    start: int
    end: int
    line: int
    before: str
    afters: tuple
    key: str = ""


@dataclass(frozen=True)
class Mutant:
    """One change.  @text: the file as it becomes."""

    id: str
    path: str
    line: int
    operator: str
    before: str
    after: str
    text: str
    note: str = ""

    def diff(self, original):
        return "".join(difflib.unified_diff(
            original.splitlines(True), self.text.splitlines(True), self.path, self.path, n=4))


def tokens(code):
    return [Token(m.lastgroup, m.group(), m.start(), m.end()) for m in TOKEN.finditer(code)]


def closing(toks, at):
    """The index of the bracket that closes the one at @at; None: there is none."""
    depth = 0
    for i in range(at, len(toks)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(toks[i].text, 0)
        if depth == 0:
            return i
    return None


def squeezed(text):
    return " ".join(text.split())


class Finder:
    """The sites of one file."""

    def __init__(self, path, text):
        self.path, self.text = path, text
        self.source = csource.Source(path, text)
        self.toks = tokens(self.source.code)
        self.sites = []
        starts = [0]
        for line in self.source.lines:
            starts.append(starts[-1] + len(line) + 1)
        self.line_starts = starts
        self.bodies = [(starts[f.body[0] - 1], starts[f.body[1]], f.name)
                       for f in self.source.functions()]

    def find(self):
        for i, tok in enumerate(self.toks):
            if self._in_directive(tok) or self._in_static_assert(i):
                continue
            self._constant(i, tok)
            self._family(tok)
            if self._function(tok.start):
                self._expression(i, tok)
                self._statement(i, tok)
        return self._keyed()

    # ---- where we are --------------------------------------------------------------------------

    def _line(self, offset):
        return self.text.count("\n", 0, offset) + 1

    def _function(self, offset):
        return next((name for start, end, name in self.bodies if start <= offset < end), "")

    def _in_directive(self, tok):
        line = self.source.code_lines[self._line(tok.start) - 1].lstrip()
        return line.startswith("#") and not line.startswith("#define")

    def _in_static_assert(self, i):
        while i >= 0 and self.toks[i].text not in ";{}":
            if self.toks[i].text == "static_assert":
                return True
            i -= 1
        return False

    def _at(self, i):
        return self.toks[i].text if 0 <= i < len(self.toks) else ""

    def _add(self, operator, start, end, *afters):
        self.sites.append(Site(self.path, operator, start, end, self._line(start),
                               self.text[start:end], afters))

    # ---- operators -----------------------------------------------------------------------------

    def _constant(self, i, tok):
        if tok.kind == "number":
            digits = re.match(r"0[xX][0-9a-fA-F]+|\d+", tok.text).group()
            value, suffix = int(digits, 16 if digits[1:2] in "xX" and digits[1:2] else 10), \
                tok.text[len(digits):]
            self._add("constant", tok.start, tok.end,
                      *(f"{v}{suffix}" for v in (value + 1, value - 1) if v >= 0))
        elif BOUND.fullmatch(tok.text) and self._at(i - 1) != "define" and self._at(i + 1) != "(":
            less, more = f"({tok.text} - 1)", f"({tok.text} + 1)"
            self._add("bound", tok.start, tok.end,
                      *([less] if self._is_array_size(i) else [more, less]))

    def _is_array_size(self, i):
        """Does an array of that many elements begin to exist here?  More would be no fault."""
        before = self.toks[i - 3].text if i > 2 else ""
        return self._at(i - 1) == "[" and self.toks[i - 2].kind == "name" and \
            (before == "*" or re.fullmatch(r"[a-z]\w*", before) is not None and
             before not in KEYWORDS)

    def _family(self, tok):
        if tok.text in FAMILY:
            self._add("swap", tok.start, tok.end,
                      *(word for word in FAMILY[tok.text] if word != tok.text))

    def _expression(self, i, tok):
        if tok.text in ("if", "while") and self._at(i + 1) == "(":
            self._negate(i + 1, i + 2, closing(self.toks, i + 1))
        elif tok.text == "for" and self._at(i + 1) == "(":
            self._for(i + 1)
        elif tok.text == "?":
            self._negate(i, self._operand_start(i), i)
        elif tok.text == "!":
            self._add("negate", tok.start, tok.end, "")
        for operator, pairs in EXCHANGE.items():
            if tok.text in pairs and (len(tok.text) > 1 or self._is_binary(tok)):
                self._add(operator, tok.start, tok.end, pairs[tok.text])
        if ORDER.fullmatch(tok.text) and self._at(i - 1) in BEFORE_VALUE and \
                self._at(i + 1) not in ASSIGN | {"++", "--", "(", ".", "->"}:
            self._add("order", tok.start, tok.end, f"({tok.text} + 1)", f"({tok.text} - 1)")

    def _is_binary(self, tok):
        return self.text[tok.start - 1].isspace() and self.text[tok.end].isspace()

    def _negate(self, at, first, behind):
        """Negate the condition of the tokens from @first up to @behind."""
        if behind is None or behind <= first:
            return
        start, end = self.toks[first].start, self.toks[behind - 1].end
        self._add("negate", start, end, f"!({self.text[start:end]})")

    def _for(self, opening):
        last = closing(self.toks, opening)
        semicolons = [j for j in range(opening, last or opening) if self._at(j) == ";"]
        if len(semicolons) == 2:
            self._negate(opening, semicolons[0] + 1, semicolons[1])

    def _operand_start(self, i):
        """Where what stands before the "?" at @i begins."""
        depth = 0
        for j in range(i - 1, -1, -1):
            text = self._at(j)
            depth += {")": 1, "]": 1, "(": -1, "[": -1}.get(text, 0)
            if depth < 0 or depth == 0 and (text in ASSIGN or text in
                                            (",", ";", "{", "}", "?", ":", "return")):
                return j + 1
        return i

    def _statement(self, i, tok):
        if tok.text == "return" and self._at(i + 1) not in (";", "true", "false", "NULL") and \
                (self._at(i + 1), self._at(i + 2)) != ("0", ";"):
            end = self._end_of_statement(i)
            self._add("return", self.toks[i + 1].start, self.toks[end].start, "0")
        if self._starts_statement(i):
            end = self._end_of_statement(i)
            if end and (self._is_call(i, end) or self._is_store(i, end)):
                operator = "call" if self._is_call(i, end) else "store"
                start, stop = tok.start, self.toks[end].end
                self._add(operator, start, stop, "while (0) " + self.text[start:stop])

    def _starts_statement(self, i):
        before = self._at(i - 1)
        return self.toks[i].text not in KEYWORDS and (
            before in (";", "{", "}", "else", "do") or before == ")" and
            self.text.count("\n", self.toks[i - 1].end, self.toks[i].start) > 0)

    def _end_of_statement(self, i):
        depth = 0
        for j in range(i, len(self.toks)):
            text = self._at(j)
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text, 0)
            if depth < 0:
                return None
            if text == ";" and depth == 0:
                return j
        return None

    def _is_call(self, i, end):
        return self.toks[i].kind == "name" and self._at(i + 1) == "(" and \
            closing(self.toks, i + 1) == end - 1

    def _is_store(self, i, end):
        """Not a declaration: no two names stand side by side before what is assigned."""
        left = []
        for j in range(i, end):
            if self._at(j) in ASSIGN | {"++", "--"}:
                pairs = zip(left, left[1:])
                return not any(a.kind == b.kind == "name" for a, b in pairs) and not (
                    len(left) > 1 and left[0].kind == "name" and left[1].text == "*")
            left.append(self.toks[j])
        return False

    # ---- keys ----------------------------------------------------------------------------------

    def _keyed(self):
        seen, keyed = collections.Counter(), []
        for site in self.sites:
            line = self.source.lines[site.line - 1]
            column = site.start - self.line_starts[site.line - 1] - len(line) + len(line.lstrip())
            key = "\0".join((site.path, self._function(site.start), squeezed(line), str(column),
                             site.operator))
            seen[key] += 1
            keyed.append(Site(**{**site.__dict__, "key": f"{key}\0{seen[key]}"}))
        return keyed


def digest(*parts):
    return hashlib.sha1("\0".join(parts).encode()).hexdigest()


def sites_of(path, text):
    return Finder(path, text).find()


def mutant_of(site, text, after):
    changed = text[:site.start] + after + text[site.end:]
    return Mutant(digest(site.key, after)[:8], site.path, site.line, site.operator,
                  *shown(site, text, after), changed)


def shown(site, text, after):
    """What is shown of the change: the line's text around a short one."""
    if site.operator in ("call", "store"):
        return squeezed(site.before), "(deleted)"
    line_start = text.rfind("\n", 0, site.start) + 1
    line_end = text.find("\n", site.end)
    head, tail = text[line_start:site.start], text[site.end:line_end]
    return squeezed(head + site.before + tail), squeezed(head + after + tail)


def all_mutants(texts):
    """Every mutant of {path: text}, by id."""
    for path, text in sorted(texts.items()):
        for site in sites_of(path, text):
            for after in site.afters:
                yield mutant_of(site, text, after)


def drawn(texts, seed):
    """One mutant a site, in the order of the draw."""
    sites = [site for path, text in sorted(texts.items()) for site in sites_of(path, text)]
    for site in sorted(sites, key=lambda s: digest(str(seed), s.key)):
        choice = int(digest(str(seed), "choice", site.key), 16) % len(site.afters)
        yield mutant_of(site, texts[site.path], site.afters[choice])


# ---- mutants and remarks by hand ----------------------------------------------------------------


class ListError(Exception):
    """A file of mutants or of remarks is wrong."""


@dataclass
class Entry:
    """[name], keys, and lines that begin with "-" (the text) and "+" (its replacement)."""

    name: str
    keys: dict
    old: str = ""
    new: str = ""


def read_entries(path):
    entries = []
    for nr, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if heading := re.fullmatch(r"\[([\w-]+)\]", line):
            entries.append(Entry(heading[1], {}))
        elif entries and line[0] == "-":
            entries[-1].old += line[1:] + "\n"
        elif entries and line[0] == "+":
            entries[-1].new += line[1:] + "\n"
        elif entries and (key := re.fullmatch(r"([a-z]+): (.+)", line)):
            entries[-1].keys[key[1]] = key[2]
        elif entries and line[0] in " \t" and entries[-1].keys:
            last = list(entries[-1].keys)[-1]
            entries[-1].keys[last] += " " + line.strip()
        else:
            raise ListError(f"{path}:{nr}: neither a heading, a key nor a line of a change")
    names = collections.Counter(entry.name for entry in entries)
    twice = [name for name, nr in names.items() if nr > 1]
    if twice:
        raise ListError(f"{path}: two entries are called {twice[0]}")
    return entries


def planted(path, texts):
    """The mutants of a list; each must apply to its file exactly once."""
    found, wrong = [], []
    for entry in read_entries(path):
        name, text = entry.keys.get("file", ""), texts.get(entry.keys.get("file", ""))
        times = f"\n{text}".count(f"\n{entry.old}") if text and entry.old else 0
        if times != 1 or "bug" not in entry.keys or entry.old == entry.new:
            wrong.append(f"{path}: [{entry.name}] " + (
                f"applies {times} times to {name or 'no file'}" if times != 1 else
                "has no bug, or changes nothing"))
            continue
        at = f"\n{text}".index(f"\n{entry.old}")
        first = next((i for i, (a, b) in enumerate(zip(entry.old, entry.new)) if a != b), 0)
        found.append(Mutant(entry.name, name, text.count("\n", 0, at + first) + 1, "planted",
                            squeezed(entry.old), squeezed(entry.new),
                            text[:at] + entry.new + text[at + len(entry.old):],
                            entry.keys["bug"]))
    if wrong:
        raise ListError("\n".join(wrong))
    return found
