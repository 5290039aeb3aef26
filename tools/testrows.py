"""tests/tests.cfg as rows: what to boot, and what must come of it."""

import configparser
import dataclasses
import itertools
import re

from run_qemu import ROOT, Machine

CONFIG = ROOT / "tests/tests.cfg"
MAPS = "tests/data/maps"
BUILD_OPTIONS = ROOT / "include/quarry/config.h"
ROW_KEYS = ("mem", "machine", "boot", "cpu", "smp", "config", "garbage", "test", "append",
            "console", "modules", "devices", "expect", "forbid", "end", "timeout", "when")
COLUMNS = ("mem", "machine", "boot", "cpu")     # of a line of [matrix]
NAMED_KINDS = ("row", "e820", "panic", "death", "bochs")
SINGLE_SECTIONS = ("defaults", "cpus", "axes", "matrix", "long")


class ConfigError(Exception):
    """tests.cfg is wrong."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One boot."""

    name: str
    kind: str           # matrix, row, e820, panic, death, bochs
    keys: dict          # ROW_KEYS, and `map` of an e820 row
    machine: Machine
    may_be_empty: bool = False      # may none of its tests apply?

    @property
    def timeout(self):
        return float(self.keys["timeout"])

    @property
    def config(self):
        """Build options of the kernel that this row boots; "": those of all other rows."""
        return self.keys["config"]

    @property
    def must_panic(self):
        return self.keys["end"] == "panic"

    @property
    def runs_tests(self):
        return bool(self.keys["test"]) and not self.must_panic

    def lines(self, key):
        return [line for line in self.keys[key].splitlines() if line]


def build_options():
    """Names of the options that CONFIG= may set."""
    return re.findall(r"^#ifndef CONFIG_(\w+)$", BUILD_OPTIONS.read_text(), re.M)


def merge_words(words, more):
    """@words with @more behind them; of two that set the same option the later one stays.

    memmap= adds up in the kernel, so all of them stay.
    """
    def option(word):
        return word.partition("=")[0]

    given = {option(word) for word in more} - {"memmap"}
    return [word for word in words if option(word) not in given] + list(more)


class Config:
    """The rows of one tests.cfg for one kernel."""

    def __init__(self, kernel, path=CONFIG):
        self.kernel = str(kernel)
        self.parser = configparser.ConfigParser(interpolation=None, default_section="(none)")
        self.parser.optionxform = str
        try:
            with open(path, encoding="utf-8") as text:
                self.parser.read_file(text)
        except (OSError, configparser.Error) as error:
            raise ConfigError(str(error)) from error
        for section in self.parser.sections():
            kind, _, name = section.partition(" ")
            if section not in SINGLE_SECTIONS and kind not in ("defaults", *NAMED_KINDS) or \
                    kind in NAMED_KINDS and not name:
                raise ConfigError(f"unknown section [{section}]")

    def rows(self, long=False, tests=None):
        """All rows of `make test` or `make test-long`; @tests replaces each row's patterns."""
        found = self._matrix(long) + self._named(long)
        for name, kind, keys in found:
            self._check(name, kind, keys)
        rows = [self._row(name, kind, keys, long, tests) for name, kind, keys in found
                if long or keys["when"] == "quick"]
        names = [row.name for row in rows]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError(f"two rows are called {name}")
        return rows

    def matrix(self):
        """[(name, keys)] of the quick matrix."""
        return [(name, keys) for name, _, keys in self._matrix(long=False)
                if keys["when"] == "quick"]

    def coverage_gaps(self):
        """What [axes] demands and [matrix] lacks, as sentences; empty if all is well."""
        axes = dict(self.parser["axes"])
        pairs, boots = axes.pop("pairs").split(), int(axes.pop("boots"))
        rows = [{**keys, "garbage": "no" if keys["garbage"] == "0" else "yes"}
                for _, keys in self.matrix()]
        gaps = [] if len(rows) <= boots else [f"{len(rows)} boots, at most {boots} are allowed"]
        for axis, values in axes.items():
            there = {row[axis] for row in rows}
            gaps += [f"no row with {axis}={v}" for v in values.split() if v not in there]
            gaps += [f"{axis}={v} is not on its axis" for v in sorted(there - set(values.split()))]
        for one, other in itertools.combinations(pairs, 2):
            there = {(row[one], row[other]) for row in rows}
            wanted = itertools.product(axes[one].split(), axes[other].split())
            gaps += [f"no row with {one}={a} and {other}={b}" for a, b in wanted
                     if (a, b) not in there]
        return gaps

    def _defaults(self, kind):
        keys = dict(self.parser["defaults"])
        if self.parser.has_section(f"defaults {kind}"):
            keys.update(self.parser[f"defaults {kind}"])
        return keys

    def _matrix(self, long):
        """[(name, "matrix", keys)]: the lines of [matrix], in test-long the full product."""
        found = {}
        for line in self.parser["matrix"]["rows"].splitlines():
            if line.split():
                name, keys = self._matrix_row(line.split())
                found[name] = keys
        if long:
            axes = [self.parser["axes"][axis].split() for axis in COLUMNS]
            for values in itertools.product(*axes):
                found.setdefault(*self._matrix_row(values))
        return [(name, "matrix", keys) for name, keys in found.items()]

    def _matrix_row(self, words):
        columns, options = words[:len(COLUMNS)], words[len(COLUMNS):]
        keys = {**self._defaults("matrix"), **dict(zip(COLUMNS, columns, strict=True))}
        appended = []
        for option in options:
            key, _, value = option.partition("=")
            if key in ROW_KEYS:
                keys[key] = value
            else:
                appended.append(option)
        keys["append"] = " ".join(merge_words(keys["append"].split(), appended))
        return "-".join(columns), keys

    def _named(self, long):
        found = []
        for section in self.parser.sections():
            kind, _, name = section.partition(" ")
            if kind in NAMED_KINDS and (long or kind != "bochs"):
                due = {"end": "panic"} if kind == "death" else {}
                found.append((name, kind, {**self._defaults(kind), **due, **self.parser[section]}))
        return found

    def _row(self, name, kind, keys, long, tests):
        if tests and keys["test"]:
            keys["test"] = tests
        modules = [line for line in keys["modules"].splitlines() if line]
        words = []
        if kind == "e820":
            modules.insert(0, f"{MAPS}/{keys['map']}")
            words.append(f"e820={keys['map']}")
        if kind == "death":
            words.append(f"death={name}")
        elif keys["test"] and keys["end"] != "panic":
            words.append("test=" + ",".join(keys["test"].split()))
        if keys["console"]:
            words.append(f"console={keys['console']}")
        words += keys["append"].split()
        if long and keys["end"] != "panic":
            words = merge_words(words, self.parser["long"]["append"].split())
            keys["timeout"] = max(keys["timeout"], self.parser["long"]["timeout"], key=float)
        full_name = name if kind in ("matrix", "row") else f"{kind}-{name}"
        machine = Machine(kernel=self.kernel, mem=keys["mem"], smp=int(keys["smp"]),
                          machine=keys["machine"], boot=keys["boot"],
                          cpu=self.parser["cpus"][keys["cpu"]], append=" ".join(words),
                          modules=tuple(modules), devices=tuple(keys["devices"].splitlines()),
                          garbage=int(keys["garbage"]), name=full_name)
        return Row(full_name, kind, keys, machine, bool(tests))

    def _check(self, name, kind, keys):
        allowed = ROW_KEYS + (("map",) if kind == "e820" else ())
        for key in keys:
            if key not in allowed:
                raise ConfigError(f"{kind} {name}: unknown key {key}")
        missing = [key for key in allowed if key not in keys]
        if missing:
            raise ConfigError(f"{kind} {name}: no {', '.join(missing)}")
        if keys["cpu"] not in self.parser["cpus"]:
            raise ConfigError(f"{kind} {name}: unknown cpu {keys['cpu']}")
        for word in keys["config"].split():
            # make would build the kernel that the other rows have, and the row would prove nothing
            if not re.fullmatch(rf"({'|'.join(build_options())})=\w+", word):
                raise ConfigError(f"{kind} {name}: no build option is set by {word}")
        if keys["when"] not in ("quick", "long"):
            raise ConfigError(f"{kind} {name}: when is {keys['when']}, not quick or long")
        if keys["end"] not in ("", "panic"):
            raise ConfigError(f"{kind} {name}: end is {keys['end']}, not panic or empty")
        if keys["end"] == "panic" and not keys["expect"]:
            raise ConfigError(f"{kind} {name}: expects nothing")
        if not keys["test"] and not keys["expect"]:
            raise ConfigError(f"{kind} {name}: runs no test and expects nothing")
