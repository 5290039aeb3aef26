"""What is decided when a call is compiled or linked: of kmalloc(), and of fix_to_virt().

A constant size picks its cache in the compiler: the disassembly shows no look-up.  One above the
limit is left to the linker, which does not know the function that it calls.  Both are asked of gcc
and clang, and of both limits.  The fast paths are the same instructions with and without the debug
code.  So is the number of a fixed page: a constant address, or left to the linker.

Objects and libraries are built below build/link, by the rules that build the kernel.
"""

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import check_port  # noqa: E402
import qtest  # noqa: E402

BUILD = Path(os.environ.get("QUARRY_BUILD", ROOT / "build")).resolve() / "link"
CALLS, FIXMAP = "tests/tools/kmalloc_calls", "tests/tools/fixmap_last"
SOURCES = (CALLS, FIXMAP, "mm/kmalloc", "mm/memblock", "mm/pgtable", "mm/slab_cpu", "mm/zonelist")
PORT = "tests/port_sample"
CLASSES = [8, 16, 32, 64, 96, 128, 192, *(1 << bit for bit in range(8, 18))]
COMPILERS = pytest.mark.parametrize("cc", ["gcc", "clang"])
LIMITS = pytest.mark.parametrize("config", ["", "KMALLOC_MAX_SIZE=4194304"])


# ---- building and disassembling -----------------------------------------------------------------


def make(*words):
    """Run make; the job server of an outer make is not open to us."""
    done = subprocess.run(["make", "-s", "--no-print-directory", f"-j{os.cpu_count()}",
                           f"BUILD={BUILD}", *words], cwd=ROOT, capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL, env=qtest.make_env())
    assert done.returncode == 0, done.stdout + done.stderr


@functools.cache
def objects(cc, config):
    """{source: object} of all that is looked at: one make, which takes longer than a compiler."""
    tag = "-" + config.replace("=", "") if config else ""
    paths = {source: BUILD / f"x86-{cc}{tag}" / f"{source}.o" for source in SOURCES}
    for path in paths.values():
        path.unlink(missing_ok=True)    # make knows the headers of the kernel's own sources only
    make(f"CC={cc}", f"CONFIG={config}", *map(str, paths.values()))
    return paths


def built_object(source, cc, config=""):
    """The object that the kernel of this compiler and configuration would have."""
    return objects(cc, config)[source]


@functools.cache
def disassembled(path):
    """{function: [instruction]}; an operand that the linker fills in is a symbol, +offset."""
    text = subprocess.run(["objdump", "-dr", "--no-show-raw-insn", str(path)], check=True,
                          capture_output=True, text=True).stdout
    functions, code = {}, []
    for line in text.splitlines():
        if head := re.match(r"[0-9a-f]+ <(\S+)>:$", line):
            code = functions.setdefault(head.group(1), [])
        elif relocation := re.match(r"\s+[0-9a-f]+: (R_386_\w+)\s+(\S+)", line):
            code[-1] += f"  [{relocation.group(2)}]"
        elif instruction := re.match(r"\s+[0-9a-f]+:\t(.*)", line):
            # Addresses in the section differ with what lies before; the symbol stays.
            code.append(re.sub(r"\b[0-9a-f]+ (<\S+>)", r"\1", instruction.group(1)).strip())
    return {name: without_padding(code) for name, code in functions.items()}


def without_padding(code):
    padding = r"(nop|xchg +%ax,%ax|lea +0x0\(%e[sd]i|int3|data16|cs nopw)"
    end = len(code)
    while end and re.match(padding, code[end - 1]):
        end -= 1
    return code[:end]


def goes_to(instruction):
    """The function that a call or jump leads to, or ""."""
    if not re.match(r"(call|j\w+) ", instruction):
        return ""
    named = re.search(r"\[([\w.]+?)[-+]?(0x\w+)?\]", instruction) or \
        re.search(r"<([\w.]+)>", instruction)
    return named.group(1) if named else ""


def calls(code):
    return [goes_to(i) for i in code if goes_to(i)]


@pytest.fixture(name="functions", scope="module", params=["gcc", "clang"])
def functions_fixture(request):
    """kmalloc_calls.c, disassembled."""
    return disassembled(built_object(CALLS, request.param))


# ---- a size that the compiler knows -------------------------------------------------------------


def without_frame(code):
    """What is left of a function but for its frame, its return and the call of another."""
    return [i for i in code if not goes_to(i) and
            not re.match(r"(push|pop) +%ebp|mov +%esp,%ebp|(leave|ret)\b", i)]


def cache_offset(size, dma):
    """Where in kmalloc_caches the pointer to the cache that serves @size stands."""
    index = next(i for i, largest in enumerate(CLASSES) if size <= largest)
    return 4 * (index + (len(CLASSES) if dma else 0))


@pytest.mark.parametrize("name, size, dma, callee", [
    ("constant", 100, False, "slab_alloc_kernel"),
    ("constant_at_the_limit", 131072, False, "slab_alloc_atomic"),
    ("constant_array", 96, False, "slab_alloc_kernel"),
    ("constant_nofs", 8, False, "slab_alloc"),
    ("constant_zeroed", 193, False, "slab_alloc_any"),
    ("constant_dma", 9, True, "slab_alloc_any")])
def test_a_constant_size_is_a_load_of_its_cache_and_a_call(functions, name, size, dma, callee):
    code = functions[name]
    assert calls(code) == [callee]
    load, *mask = sorted(without_frame(code), key=lambda i: "kmalloc_caches" not in i)
    assert re.fullmatch(rf"mov +0x{cache_offset(size, dma):x},%eax +\[kmalloc_caches\]", load), code
    with_mask = callee in ("slab_alloc", "slab_alloc_any")
    assert [re.sub(r"0x\w+", "MASK", m.split(maxsplit=1)[1]) for m in mask] == (
        ["$MASK,%edx"] if with_mask else []), code


def test_a_constant_size_of_0_is_a_constant(functions):
    code = functions["constant_nothing"]
    assert calls(code) == []
    assert [i.split() for i in without_frame(code)] == [["mov", "$0x10,%eax"]]


def test_a_constant_size_with_any_mask_chooses_between_two_caches_only(functions):
    """By the DMA bit of the mask."""
    code = functions["constant_with_any_mask"]
    assert calls(code) == ["slab_alloc_any"]
    assert len(without_frame(code)) <= 8, code
    assert not any(re.match(r"(cmp|bsr|shr)", i) for i in code), code


@pytest.mark.parametrize("name", ["variable", "variable_array"])
def test_a_variable_size_is_looked_up_at_run_time(functions, name):
    assert calls(functions[name])[-1] == "__kmalloc"
    assert not any("kmalloc_caches" in i for i in functions[name])


# ---- a size that does not link ------------------------------------------------------------------


@functools.cache
def library(cc, config=""):
    """libquarry.a for the sample port."""
    out = BUILD / f"lib-{cc}-{config.replace('=', '').replace(' ', '-') or 'default'}"
    make(f"BUILD={out}", f"CC={cc}", f"CONFIG={config}", f"PORT={PORT}", "lib")
    return check_port.archive_in(str(out))


def link(cc, config, source, program):
    """What the compiler and the linker said of the sample with one source file more.

    The limit changes no name that the library has, so the default one is linked with.
    """
    sources = sorted(str(p) for p in (ROOT / PORT).glob("*.c"))
    define = [f"-DCONFIG_{config}"] if config else []
    return subprocess.run(
        [cc, *check_port.FLAGS, *define, "-Iinclude", f"-I{PORT}/include", "-nostdlib", "-static",
         "-o", program, *sources, f"tests/tools/{source}.c", "-Wl,--whole-archive",
         library(cc), "-Wl,--no-whole-archive"], cwd=ROOT, capture_output=True, text=True,
        check=False)


@COMPILERS
@LIMITS
def test_a_constant_size_above_the_limit_does_not_link_and_the_limit_does(cc, config, tmp_path):
    good = link(cc, config, "kmalloc_limit", tmp_path / "good")
    assert good.returncode == 0, good.stderr
    bad = link(cc, config, "kmalloc_beyond_limit", tmp_path / "bad")
    assert bad.returncode != 0
    missing = set(re.findall(r"undefined reference to [`']([^']+)'", bad.stderr))
    assert missing == {"__you_cannot_kmalloc_that_much"}, bad.stderr
    assert not re.search(r"\.c:\d+:\d+: error", bad.stderr)     # it did compile


@COMPILERS
def test_a_fixed_page_beyond_the_last_does_not_link_and_the_last_does(cc, tmp_path):
    good = link(cc, "", "fixmap_last", tmp_path / "good")
    assert good.returncode == 0, good.stderr
    bad = link(cc, "", "fixmap_beyond_last", tmp_path / "bad")
    assert bad.returncode != 0
    missing = set(re.findall(r"undefined reference to [`']([^']+)'", bad.stderr))
    assert missing == {"__fix_index_out_of_range"}, bad.stderr
    assert not re.search(r"\.c:\d+:\d+: error", bad.stderr)     # it did compile


@COMPILERS
def test_a_constant_number_of_a_fixed_page_is_a_constant_address(cc):
    code = disassembled(built_object(FIXMAP, cc))["fixmap_last"]
    assert [i.split() for i in without_frame(code)] == [["mov", "$0xffffe000,%eax"]], code


# ---- the fast paths -----------------------------------------------------------------------------


FAST_PATHS = pytest.mark.parametrize("name", [
    "slab_alloc_kernel", "slab_alloc_atomic", "slab_alloc", "slab_alloc_any", "kmem_cache_free",
    "kfree"])
SLOW_PATHS = {"slab_alloc_slow", "slab_free_slow", "slab_free_bad", "kfree_slow", "zeroed"}


def straight_way(code):
    """The instructions up to the return, no branch taken, whichever registers they use."""
    ends = next(i for i, instruction in enumerate(code) if instruction.startswith("ret"))
    way = [re.sub(r"%e\w\w", "%r", i) for i in code[:ends]]
    way = [re.sub(r"^(j\w+) .*", r"\1", i) for i in way]
    way = [re.sub(r"^lea +(0x\w+)\(%r\),%r$", r"add    $\1,%r", i) for i in way]
    return [i for i in way if not re.match(r"mov +%r,%r$", i)]


@COMPILERS
@FAST_PATHS
def test_a_fast_path_locks_nothing_and_leaves_only_for_a_slow_one(cc, name):
    code = disassembled(built_object("mm/slab_cpu", cc))[name]
    assert 5 < len(code) < 60, code
    assert not any(re.match(r"(lock|cli|sti|pushf|popf|xchg +.*\()", i) for i in code), code
    outside = {f for f in calls(code) if f.partition("+")[0] != name}
    assert outside and outside <= SLOW_PATHS, code


@COMPILERS
@FAST_PATHS
def test_a_fast_path_is_the_same_without_debug_code(cc, name):
    with_it = disassembled(built_object("mm/slab_cpu", cc))
    without = disassembled(built_object("mm/slab_cpu", cc, "SLAB_DEBUG=0"))
    assert straight_way(with_it[name]) == straight_way(without[name])
    # The slow path does differ: that is where the debug code is.
    assert straight_way(with_it["slab_alloc_slow"]) != straight_way(without["slab_alloc_slow"])


# Who owns pages is noted in slow paths, and points fail there: the others are the same to the
# instruction.
@COMPILERS
@pytest.mark.parametrize("config", ["PAGE_OWNER=0", "FAULT_INJECT=0"])
@pytest.mark.parametrize("source, names", [
    ("mm/zonelist", ["alloc_pages", "__free_pages"]),
    ("mm/kmalloc", ["__kmalloc"]),
    ("mm/slab_cpu", ["slab_alloc_kernel", "slab_alloc_atomic", "slab_alloc", "slab_alloc_any",
                     "kmem_cache_free", "kfree"])])
def test_a_fast_path_knows_nothing_of_page_owners_and_faults(cc, config, source, names):
    with_it = disassembled(built_object(source, cc))
    without = disassembled(built_object(source, cc, config))
    for name in names:
        assert len(with_it[name]) > 5
        assert with_it[name] == without[name], name


@COMPILERS
def test_the_slow_paths_do_note_owners(cc):
    """The comparison above is of objects that differ."""
    with_it, without = (disassembled(built_object("mm/zonelist", cc, config))
                        for config in ("", "PAGE_OWNER=0"))
    taking = ("alloc_pages_slow", "alloc_limited")      # one calls the other, or has it inline
    assert [with_it.get(name) for name in taking] != [without.get(name) for name in taking]
    assert with_it["free_pages_slow"] != without["free_pages_slow"]


@COMPILERS
@pytest.mark.parametrize("source, name", [("mm/slab_cpu", "slab_alloc_slow"),
                                          ("mm/pgtable", "pgtable_alloc_table"),
                                          ("mm/memblock", "memblock_alloc_raw")])
def test_the_slow_paths_do_have_points(cc, source, name):
    with_it, without = (disassembled(built_object(source, cc, config))
                        for config in ("", "FAULT_INJECT=0"))
    assert with_it[name] != without[name]


def test_without_the_option_nothing_of_owners_and_leaks_is_linked():
    def symbols(config):
        text = subprocess.run(["nm", library("gcc", config)], check=True, capture_output=True,
                              text=True).stdout
        return {line.split()[-1] for line in text.splitlines() if " " in line}

    ours = {"page_owners", "page_owner_alloc_slow", "page_owner_free_slow", "leaks_show",
            "pageowner_show", "port_callers"}
    assert ours <= symbols("")
    left = {s for s in symbols("PAGE_OWNER=0 ALLOC_TRACE=0")      # both ask who called
            if re.search("owner|leaks|port_callers", s)}
    assert left <= {"page_owner_parse"}     # refuses the option
