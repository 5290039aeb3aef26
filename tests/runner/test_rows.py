"""tests.cfg covers what it promises, its mistakes are found, maps are checked before a boot."""

import dataclasses
import re

import pytest

import e820map
import qtest
from run_qemu import ROOT
from testrows import Config, ConfigError, merge_words

GiB = 1 << 30

SMALL = """
[defaults]
mem = 16M
machine = pc
boot = direct
cpu = p3
smp = 1
config =
garbage = 0
devices =
test = *
append = steps=10
console =
modules =
expect =
forbid =
end =
timeout = 5
when = quick
[cpus]
p3 = pentium3,+nx
max = max
[axes]
mem = 16M 64M
machine = pc q35
boot = direct iso
cpu = p3 max
garbage = no yes
pairs = machine boot cpu
boots = 4
[matrix]
rows =
    16M pc  direct p3   garbage=3
    64M q35 iso    max  steps=20
    16M pc  iso    max
    64M q35 direct p3
    16M q35 iso    p3   when=long
[long]
append = long=1
timeout = 50
"""


@pytest.fixture(name="config")
def config_fixture(tmp_path):
    """A function: Config of SMALL with some text replaced or added."""
    def make(old="", new="", more=""):
        path = tmp_path / "tests.cfg"
        assert old in SMALL
        path.write_text((SMALL.replace(old, new) if old else SMALL) + more)
        return Config("kernel", path)
    return make


# ---- the real file ------------------------------------------------------------------------------


def test_the_matrix_covers_every_value_and_every_pair_in_at_most_40_boots():
    config = Config("kernel")
    assert config.coverage_gaps() == []
    assert len(config.matrix()) <= 40
    assert all(keys["when"] == "quick" for _, keys in config.matrix())
    assert all(keys["test"] == "*" for _, keys in config.matrix())


def test_the_axes_are_the_promised_ones():
    axes = Config("kernel").parser["axes"]
    assert axes["mem"].split() == ["16M", "64M", "255M", "896M", "1G", "2G", "3G", "4G", "8G"]
    assert axes["machine"].split() == ["pc", "q35"]
    assert axes["boot"].split() == ["direct", "iso"]
    assert len(axes["cpu"].split()) == 3
    assert axes["garbage"].split() == ["no", "yes"]
    assert axes["pairs"].split() == ["machine", "boot", "cpu"]


def test_two_rows_walk_a_million_steps_and_the_others_a_hundred_thousand():
    steps = [word for row in Config("kernel").rows() if row.kind == "matrix"
             for word in row.machine.append.split() if word.startswith("steps=")]
    assert sorted(steps) == ["steps=100000"] * (len(steps) - 2) + ["steps=1000000"] * 2


def test_the_long_run_has_the_full_product_and_bochs():
    rows = Config("kernel").rows(long=True)
    machines = {(r.machine.mem, r.machine.machine, r.machine.boot, r.machine.cpu)
                for r in rows if r.kind == "matrix"}
    assert len(machines) == 9 * 2 * 2 * 3
    assert any(row.kind == "bochs" for row in rows)
    assert all("long=1" in row.machine.append.split() for row in rows if row.runs_tests)
    quick = {row.name for row in Config("kernel").rows()}
    assert quick < {row.name for row in rows}


def test_a_dozen_maps_are_booted_and_each_machine_has_the_ram():
    rows = [row for row in Config("kernel").rows() if row.kind == "e820"]
    assert len({row.keys["map"] for row in rows}) >= 12
    assert {row.name: qtest.check_map(row) for row in rows if qtest.check_map(row)} == {}


def test_both_limits_of_kmalloc_are_booted():
    configs = [row.config for row in Config("kernel").rows() if "kmalloc*.*" in row.keys["test"]]
    assert {"", "KMALLOC_MAX_SIZE=4194304"} <= set(configs)


def crimes_of(*paths):
    tables = "".join((ROOT / path).read_text() for path in paths)
    return re.findall(r"\bDEATH\((\w+)\),", tables)


def test_every_crime_has_a_row():
    crimes = crimes_of(*sorted((ROOT / "tests/death").glob("*.c")), "tests/mm/white/deaths.c")
    rows = [row.name for row in Config("kernel").rows() if row.kind == "death"]
    assert crimes and sorted(rows) == sorted(f"death-{crime}" for crime in crimes)


def test_every_crime_of_several_cpus_has_a_row():
    crimes = crimes_of("tests/arch/hosted/smp/deaths.c")
    rows = re.findall(r"^append = .*\bdeath=(\w+)", (ROOT / "tests/hosted.cfg").read_text(), re.M)
    assert crimes and set(crimes) <= set(rows)


def test_every_pattern_is_a_regular_expression():
    for row in Config("kernel").rows(long=True):
        assert qtest.judge_patterns(row, "") or not row.lines("expect")


# ---- gaps and mistakes --------------------------------------------------------------------------


@pytest.mark.parametrize("old, new, gap", [
    ("garbage=3", "", "no row with garbage=yes"),
    ("mem = 16M 64M", "mem = 16M 64M 1G", "no row with mem=1G"),
    ("boots = 4", "boots = 3", "4 boots, at most 3 are allowed"),
    ("    16M pc  direct p3   garbage=3\n", "    16M q35  direct p3   garbage=3\n",
     "no row with machine=pc and boot=direct"),
    ("mem = 16M 64M", "mem = 16M", "mem=64M is not on its axis"),
])
def test_a_gap_in_the_matrix_is_named(config, old, new, gap):
    assert gap not in config().coverage_gaps()
    assert gap in config(old, new).coverage_gaps()


@pytest.mark.parametrize("more, complaint", [
    ("[row]\n", "unknown section"),
    ("[sea sick]\n", "unknown section"),
    ("[row a]\ncolour = red\n", "unknown key colour"),
    ("[row a]\ncpu = z80\n", "unknown cpu z80"),
    ("[row a]\nwhen = never\n", "when is never"),
    ("[row a]\ntest =\n", "runs no test and expects nothing"),
    ("[death a]\nmem = 16M\n", "expects nothing"),
    ("[row a]\nend = panic\n", "expects nothing"),
    ("[row a]\nend = well\n", "end is well"),
    ("[row a]\nconfig = KMALOC_MAX_SIZE=4194304\n", "no build option is set by KMALOC_MAX_SIZE"),
    ("[row a]\nconfig = SMP=0 SHOW\n", "no build option is set by SHOW"),
    ("[e820 a]\nmem = 16M\n", "no map"),
    ("[row 16M-pc-direct-p3]\n", "two rows are called"),
    ("[row a]\nmem = 16M\n[row a]\nmem = 64M\n", "already exists"),
])
def test_a_mistake_in_the_file_is_named(config, more, complaint):
    with pytest.raises(ConfigError, match=complaint):
        config(more=more).rows()


def test_rows_become_machines_and_command_lines(config):
    more = ("[row opt]\nappend = memmap=4K$0x100000 steps=3\ntest = a.* b.*\ncpu = max\n"
            "modules =\n  random:64K:1 x=1\n  README.md\n"
            "[e820 odd]\nmap = odd.map\n[death df]\nexpect = x\n[bochs b]\nboot = iso\n")
    rows = {row.name: row for row in config(more=more).rows()}
    assert rows["16M-pc-direct-p3"].machine.garbage == 3
    assert rows["64M-q35-iso-max"].machine.append == "test=* steps=20"
    assert rows["opt"].machine.append == "test=a.*,b.* memmap=4K$0x100000 steps=3"
    assert rows["opt"].machine.cpu == "max"
    assert rows["opt"].machine.modules == ("random:64K:1 x=1", "README.md")
    assert rows["e820-odd"].machine.append == "e820=odd.map test=* steps=10"
    assert rows["e820-odd"].machine.modules == ("tests/data/maps/odd.map",)
    assert rows["death-df"].machine.append == "death=df steps=10"
    assert "bochs-b" not in rows and "16M-q35-iso-p3" not in rows


def test_the_long_run_adds_its_words_and_patience(config):
    rows = {row.name: row for row in config(more="[bochs b]\nboot = iso\n").rows(long=True)}
    assert len(rows) == 16 + 1
    assert rows["bochs-b"].timeout == 50
    assert rows["64M-q35-iso-max"].machine.append == "test=* steps=20 long=1"


def test_a_filter_that_names_kernel_tests_reaches_every_row_that_runs_tests(config):
    rows = config(more="[death df]\nexpect = x\n").rows(tests="*buddy*")
    assert {row.machine.append.split()[0] for row in rows} == {"test=*buddy*", "death=df"}
    assert all(row.may_be_empty for row in rows)


def test_later_options_win_and_memmap_adds_up():
    assert merge_words(["a=1", "memmap=1", "b"], ["a=2", "memmap=2"]) == [
        "memmap=1", "b", "a=2", "memmap=2"]


def test_a_filter_is_a_part_of_a_name_or_a_glob():
    assert qtest.name_matches("16M-pc-iso-max", "pc-iso")
    assert qtest.name_matches("16M-pc-iso-max", "16M-*-max")
    assert not qtest.name_matches("16M-pc-iso-max", "q35")
    assert qtest.test_pattern("buddy") == "*buddy*"
    assert qtest.test_pattern("buddy.*") == "buddy.*"


# ---- tests that run nowhere ---------------------------------------------------------------------


def test_a_test_that_applies_nowhere_is_a_failure_unless_only_the_long_run_has_it():
    verdicts = {
        "one": qtest.Verdict(tests=[qtest.Test("a.x", True)],
                             not_applicable={"a.y": "pge", "a.z": "long", "a.w": "highmem"}),
        "two": qtest.Verdict(tests=[qtest.Test("a.w", True)], not_applicable={"a.x": "host"})}
    assert qtest.nowhere_applicable(verdicts, long=False) == {"a.y": "pge"}
    assert qtest.nowhere_applicable(verdicts, long=True) == {"a.y": "pge", "a.z": "long"}


# ---- maps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("machine, mem, end", [
    ("pc", "16M", 16 << 20), ("pc", "3G", 3 * GiB), ("pc", "4G", 3 * GiB), ("pc", "8G", 3 * GiB),
    ("q35", "2G", 2 * GiB), ("q35", "3G", 2 * GiB), ("q35", "8G", 2 * GiB)])
def test_the_ram_of_a_machine_ends_where_qemu_says(machine, mem, end):
    assert e820map.machine_ram(machine, mem) == [(0, 0xA0000), (0x100000, end)]


@pytest.mark.parametrize("entries, usable", [
    ([(0, 0x9FC00, 1), (0x100000, 0x700000, 1)], [(0, 0x9F000), (0x100000, 0x800000)]),
    # the stricter type wins, whatever the order
    ([(0x200000, 0x1000, 2), (0x100000, 0x200000, 1)], [(0x100000, 0x200000),
                                                       (0x201000, 0x300000)]),
    ([(0x100000, 0x200000, 1), (0x200000, 0x1000, 77)], [(0x100000, 0x200000),
                                                        (0x201000, 0x300000)]),
    # usable shrinks to whole pages, reserved grows
    ([(0x100001, 0x2FFE, 1)], [(0x101000, 0x102000)]),
    ([(0x100000, 0x4000, 1), (0x101FFF, 2, 2)], [(0x100000, 0x101000), (0x103000, 0x104000)]),
    # VGA and ROM are no RAM
    ([(0, 0x200000, 1)], [(0, 0xA0000), (0x100000, 0x200000)]),
    # what wraps: RAM is believed to the top of what we use, anything else is not believed
    ([((1 << 64) - 4096, 8192, 1)], []),
    ([(0x100000, (1 << 64) - 4096, 1)], [(0x100000, 4 * GiB)]),
    ([(0x100000, 0x100000, 1), (0x100000, (1 << 64) - 1, 2)], [(0x100000, 0x200000)]),
    ([(0x100000, 0, 1)], []),
    # RAM above 4 GiB is none of a kernel without PAE
    ([(0x100000, 1 << 29, 1), (4 * GiB - 4096, 8192, 1)],
     [(0x100000, 0x20100000), (4 * GiB - 4096, 4 * GiB)]),
    ([(4 * GiB, 1 << 30, 1)], []),
])
def test_what_a_map_leaves_usable(entries, usable):
    assert e820map.usable(entries) == usable


def test_ram_whose_struct_pages_would_fill_lowmem_is_not_counted_on():
    small = [(0x100000, 16 << 20)]
    stray = [(0xFFF00000, 0xFFF80000)]
    assert e820map.affordable(small + stray) == small
    large = [(0x100000, 1 << 29)]
    assert e820map.affordable(large + stray) == large + stray
    assert e820map.affordable([]) == []


def test_a_map_file_is_read_in_both_notations(tmp_path):
    path = tmp_path / "x.map"
    path.write_text("# a comment\n\n0x0 0x9fc00 usable\n0x9fc00 0x400 ACPI data # why not\n"
                    "BIOS-e820: [mem 0x0000000000100000-0x00000000001fffff] usable\n"
                    "0x200000 0x1000 1\n0x300000 0x1000 type 12\n")
    assert e820map.read(path) == [(0, 0x9FC00, 1), (0x9FC00, 0x400, 0), (0x100000, 0x100000, 1),
                                  (0x200000, 0x1000, 1), (0x300000, 0x1000, 0)]


def test_a_map_that_promises_ram_the_machine_lacks_is_not_booted(config, tmp_path, monkeypatch):
    maps = tmp_path / "maps"
    maps.mkdir()
    monkeypatch.setattr(qtest, "ROOT", tmp_path)
    monkeypatch.setattr(qtest, "MAPS", "maps")
    row = [r for r in config(more="[e820 odd]\nmap = odd.map\n").rows() if r.kind == "e820"][0]
    (maps / "odd.map").write_text("0x100000 0xf00000 1\n")
    assert qtest.check_map(row) == ""
    (maps / "odd.map").write_text("0x100000 0xf01000 1\n")
    assert "0x1000000-0x1001000" in qtest.check_map(row)
    verdict = qtest.row_job(row).run(lambda text: None)
    assert verdict.failed == 1 and "has no RAM for" in verdict.problems[0]
    bigger = dataclasses.replace(row, machine=dataclasses.replace(row.machine, mem="17M"))
    assert qtest.check_map(bigger) == ""
    (maps / "odd.map").write_text("nonsense\n")
    assert "line 1" in qtest.row_job(row).run(lambda text: None).problems[0]
