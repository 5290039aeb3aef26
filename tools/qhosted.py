"""tests/hosted.cfg as jobs: the kernel in processes, and the crimes of tests.cfg there."""

import configparser
import dataclasses
import re
import shlex

from run_qemu import BUILD, ROOT, End, Machine, Outcome, clean, module_files, parse_size
from testrows import CONFIG, MAPS, ConfigError, Config

HOSTED_CONFIG = ROOT / "tests/hosted.cfg"
KEYS = ("variant", "under", "mem", "cpus", "sched", "map", "modules", "test", "append", "expect",
        "ends", "when")
SCHEDULERS = {"seed": [], "threads": ["-t"]}
ENDS = ("tests", "panic")
WHEN = ("quick", "long")
CRIME_KEYS = ("variant", "variant-long", "without", "without-64")
PROGRAM = "hosted/quarry-{}"
TIMEOUT = 120.0         # seconds for one run; longer ones say so
LONG_TIMEOUT = 900.0
STATUS = {0: "poweroff", 1: "tests-failed", 18: "panic"}


@dataclasses.dataclass(frozen=True)
class HostedRow:
    """One run, with what judging a boot row asks of it."""

    name: str
    kind: str
    program: str
    argv: tuple
    append: str
    keys: dict
    timeout: float
    machine: Machine
    must_panic: bool = False
    may_be_empty: bool = False
    runs_tests: bool = True

    def lines(self, key):
        return [line for line in self.keys[key].splitlines() if line]


def read_config(path=HOSTED_CONFIG):
    parser = configparser.ConfigParser(interpolation=None, default_section="(none)")
    parser.optionxform = str
    try:
        with open(path, encoding="utf-8") as text:
            parser.read_file(text)
    except (OSError, configparser.Error) as error:
        raise ConfigError(str(error)) from error
    for section in parser.sections():
        allowed = CRIME_KEYS if section == "crimes" else KEYS
        wrong = [key for key in parser[section] if key not in allowed]
        if wrong:
            raise ConfigError(f"hosted.cfg [{section}]: unknown key {wrong[0]}")
        for key, known in (("sched", SCHEDULERS), ("ends", ENDS), ("when", WHEN)):
            if key in parser[section] and parser[section][key] not in known:
                raise ConfigError(f"hosted.cfg [{section}]: {key} is none of {', '.join(known)}")
    return parser


def program_of(variant):
    """Where make puts it: also the name of its target."""
    path = BUILD / PROGRAM.format(variant)
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def make_row(name, keys, variant, tests=None, long=False):
    dies = keys["ends"] == "panic"
    patterns = "" if dies else tests or ",".join(keys["test"].split())
    words = [f"test={patterns}"] if patterns else []
    words += keys["append"].split()
    argv = [*shlex.split(keys["under"]), program_of(variant), "-m", keys["mem"],
            "-c", keys["cpus"], *SCHEDULERS[keys["sched"]]]
    modules = (f"{MAPS}/{keys['map']}",) if keys["map"] else ()
    for module in modules:
        argv += ["-i", module]
        words.insert(0, f"e820={keys['map']}")
    for path, _ in module_files(Machine("", modules=tuple(keys["modules"].split()))):
        argv += ["-i", str(path)]
    return HostedRow(name, "hosted", program_of(variant), (*argv, *words), " ".join(words),
                     {**keys, "forbid": ""}, LONG_TIMEOUT if long else TIMEOUT,
                     Machine(kernel="", modules=modules), must_panic=dies,
                     may_be_empty=bool(tests), runs_tests=bool(patterns))


def hosted_rows(long, tests=None, path=HOSTED_CONFIG):
    """All runs of `make test` or `make test-long`; @tests replaces each run's patterns."""
    parser = read_config(path)
    rows = []
    for section in parser.sections():
        if section in ("defaults", "crimes"):
            continue
        keys = {**parser["defaults"], **parser[section]}
        variants = keys["variant"].split()
        if keys["when"] == "quick" or long:
            rows += [make_row(f"hosted-{section}" + (f"-{v}" if len(variants) > 1 else ""),
                              keys, v, tests, long) for v in variants]
    return rows


def as_in_process(pattern):
    """A pattern for a machine's log as one for a process's: more frames, and longer addresses."""
    return pattern.replace(r"#\d ", r"#\d+ ").replace(r"\w{8}", r"\w{8,16}")


def short_addresses(log):
    """A log with addresses of 64 bits as they are written with 32, where they have no more."""
    return re.sub(r"\b(0x|)0{8}([0-9a-f]{8})\b", r"\1\2", log)


def crime_row(row, variant):
    argv = [program_of(variant), "-m", str(parse_size(row.keys["mem"]) >> 20)]
    for module in row.machine.modules:
        argv += ["-i", module.split()[0]]
    keys = {**row.keys, **{key: as_in_process(row.keys[key]) for key in ("expect", "forbid")}}
    return HostedRow(row.name, row.kind, program_of(variant),
                     (*argv, *row.machine.append.split()), row.machine.append, keys, TIMEOUT,
                     row.machine, must_panic=True)


def crime_rows(long, variant=None, path=HOSTED_CONFIG, machines=CONFIG):
    """{variant: its crimes}, of @variant alone or of those that the file names."""
    section = read_config(path)["crimes"]
    without = {bits: {name for key in keys for line in section[key].splitlines()
                      for name in re.sub(r"#.*", "", line).split()}
               for bits, keys in (("m32", ["without"]), ("m64", ["without", "without-64"]))}
    rows = [row for row in Config("", machines).rows(long=True)
            if row.kind in ("death", "panic") and not row.config]
    unknown = without["m64"] - {row.name for row in rows}
    if unknown:
        raise ConfigError(f"hosted.cfg [crimes]: there is no {sorted(unknown)[0]}")
    variants = section["variant"].split() + (section["variant-long"].split() if long else [])
    variants = [variant] if variant else variants
    return {v: [crime_row(row, v) for row in rows if row.name not in without[v.split("-")[0]]]
            for v in variants}


def run_hosted(row, run_program):
    """The run as an outcome; @run_program: qtest's."""
    status, text, seconds = run_program(list(row.argv), row.timeout)
    text = short_addresses(clean(text.encode()))
    if status is None:
        end = End("hang", f"no end after {row.timeout:g} s")
    elif status in STATUS:
        end = End(STATUS[status])
    else:
        end = End("unknown", f"exit status {status}")
    return Outcome(text, end, seconds)
