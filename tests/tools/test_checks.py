"""Each checker of `make check` is shown a tree with one thing wrong, and must say so.

A good little tree is written first, of which nothing is wrong; a test then plants its violation.
What a checker does not find in such a tree, it would not find in the real one either.
"""
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
sys.path.insert(0, str(TOOLS))

import check_contract  # noqa: E402
import check_exercised  # noqa: E402
import check_repro  # noqa: E402
import csource  # noqa: E402
import qtrace  # noqa: E402
import run_qemu  # noqa: E402

HEADER = """\
/*
 * Layer: mm
 * pond.h - a pond.
 */
#ifndef QUARRY_POND_H
#define QUARRY_POND_H

#include <quarry/asm/layout.h>
#include <quarry/base.h>

/**
 * pond_fill - let water in.
 * @litres: how much.
 *
 * Return:  0; -EINVAL when it is too much.
 * Context: any.
 */
QAPI int pond_fill(unsigned int litres);

/* A plain comment will do for what has no contract. */
void pond_say(const char *fmt, ...);

struct pond_ops {
	QAPI void (*fill)(unsigned int litres);
};

/**
 * pond_depth - how deep it is.
 */
static inline unsigned int pond_depth(void)
{
	return 1;
}

#endif
"""

SOURCE = """\
/*
 * pond.c - what pond.h says.
 *
 * THEORY.  Water finds its level.
 *
 * CONTEXT.  Any.
 */
#include <quarry/pond.h>

#include "internal.h"

static unsigned int level;

QAPI int pond_fill(unsigned int litres)
{
	if (litres > POND_MAX)
		return -EINVAL;
	level += litres;
	return 0;
}
"""

GOOD_TREE = {
    "include/quarry/base.h": "/*\n * Layer: base\n * base.h - the base.\n */\n"
                             "#include <stdint.h>\n",
    "include/quarry/contract.h": "/*\n * Layer: contract\n * contract.h - the contract.\n */\n"
                                 "#include <quarry/asm/layout.h>\n#include <quarry/base.h>\n",
    "include/quarry/pond.h": HEADER,
    "include/quarry/thread.h": "/*\n * Layer: kernel\n * thread.h - threads.\n */\n"
                               "#include <quarry/pond.h>\n",
    "arch/x86/include/quarry/asm/layout.h": "/*\n * Layer: port\n * layout.h - addresses.\n */\n"
                                            "#include <quarry/base.h>\n",
    "arch/x86/cpu.h": "/*\n * cpu.h - the CPU.\n */\n",
    "arch/x86/cpu.c": "/*\n * cpu.c - the CPU.\n *\n * THEORY.  It runs.\n *\n * CONTEXT.  Any.\n"
                      " */\n#include \"cpu.h\"\n\n#include <quarry/contract.h>\n",
    "mm/internal.h": "/*\n * internal.h - mm's own.\n */\n#define POND_MAX 0x20000123u\n",
    "mm/pond.c": SOURCE,
    "kernel/main.c": "/*\n * main.c - the start.\n *\n * THEORY.  First things first.\n *\n"
                     " * CONTEXT.  Boot.\n */\n#include <quarry/thread.h>\n",
    "tests/mm/white/pond.c": "/*\n * pond.c - tests of the pond.\n *\n * What is inside.\n *\n"
                             " * And more.\n */\n#include \"../../../mm/internal.h\"\n",
    "tools/a.py": '#!/usr/bin/python3\n"""a.py - a tool."""\n',
    "boot/start.asm": "; start.asm - the entry\n\tnop\n",
}


def plant(folder, changes=None):
    for path, text in {**GOOD_TREE, **(changes or {})}.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder


def run(tool, root, *more):
    done = subprocess.run([TOOLS / tool, "--root", root, *more], capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def expect_complaint(tool, root, where, what):
    status, text = run(tool, root)
    assert status == 1, "it found nothing"
    lines = text.strip().split("\n")
    assert any(line.startswith(where) and what in line for line in lines), text
    return lines


# ---- layers -------------------------------------------------------------------------------------


def with_line(path, line):
    return {path: GOOD_TREE[path] + line + "\n"}


def test_the_good_tree_has_good_layers(tmp_path):
    assert run("check_layers.py", plant(tmp_path)) == (0, "")


@pytest.mark.parametrize("path, line, what", [
    ("include/quarry/base.h", "#include <quarry/pond.h>", "base may not include"),
    ("include/quarry/base.h", "#include <quarry/asm/layout.h>", "base may not include"),
    ("include/quarry/contract.h", "#include <quarry/pond.h>", "contract may not include"),
    ("arch/x86/include/quarry/asm/layout.h", "#include <quarry/pond.h>",
     "contract may not include"),
    ("arch/x86/cpu.c", "#include <quarry/pond.h>", "port may not include"),
    ("mm/pond.c", "#include <quarry/thread.h>", "mm may not include"),
    ("mm/pond.c", '#include "../arch/x86/cpu.h"', "mm may not include"),
    ("kernel/main.c", '#include "../mm/internal.h"', "private to mm/"),
    ("mm/pond.c", "#include <stdio.h>", "no freestanding header"),
    ("mm/pond.c", "#include <quarry/nowhere.h>", "there is no quarry/nowhere.h"),
    ("mm/pond.c", '#include "nowhere.h"', "there is no nowhere.h"),
])
def test_an_include_upwards_is_found(tmp_path, path, line, what):
    plant(tmp_path, with_line(path, line))
    nr = GOOD_TREE[path].count("\n") + 1
    expect_complaint("check_layers.py", tmp_path, f"{path}:{nr}:", what)


def test_black_box_tests_do_not_see_inside_mm(tmp_path):
    plant(tmp_path, {"tests/mm/pond.c": '#include "../../mm/internal.h"\n'})
    expect_complaint("check_layers.py", tmp_path, "tests/mm/pond.c:1:", "private to mm/")


def test_one_port_does_not_see_inside_another(tmp_path):
    plant(tmp_path, {"arch/hosted/cpu.c": '#include "../x86/cpu.h"\n'})
    expect_complaint("check_layers.py", tmp_path, "arch/hosted/cpu.c:1:", "another port's")


def test_the_host_world_sees_nothing_of_ours(tmp_path):
    plant(tmp_path, {"arch/hosted/host_ops.h": "", "arch/hosted/host_mem.c":
                     '#include <stdio.h>\n#include "host_ops.h"\n#include <quarry/base.h>\n'})
    lines = expect_complaint("check_layers.py", tmp_path, "arch/hosted/host_mem.c:3:", "host may")
    assert len(lines) == 1


EFI_TREE = {"boot/efi/efi_app.h": "/*\n * Layer: efi\n */\n#include <efi.h>\n",
            "boot/efi/elf.h": "", "boot/efi/elf.c": '#include "elf.h"\n',
            "boot/efi/loader.c": '#include "efi_app.h"\n#include "elf.h"\n'}


def test_firmware_is_for_those_parts_of_the_efi_loader_that_talk_to_it(tmp_path):
    plant(tmp_path, EFI_TREE)
    assert run("check_layers.py", tmp_path) == (0, "")


@pytest.mark.parametrize("path, line, what", [
    ("boot/efi/elf.c", "#include <efi.h>", "no freestanding header"),
    ("boot/efi/elf.c", '#include "efi_app.h"', "boot may not include"),
    ("boot/efi/loader.c", "#include <stdio.h>", "no freestanding header"),
    ("boot/efi/loader.c", "#include <quarry/pond.h>", "efi may not include"),
    ("kernel/main.c", '#include "../boot/efi/efi_app.h"', "kernel may not include"),
])
def test_firmware_seen_from_elsewhere_is_found(tmp_path, path, line, what):
    plant(tmp_path, EFI_TREE | {path: EFI_TREE.get(path, GOOD_TREE.get(path, "")) + line + "\n"})
    expect_complaint("check_layers.py", tmp_path, f"{path}:", what)


def test_a_public_header_without_a_layer_is_found(tmp_path):
    plant(tmp_path, {"include/quarry/base.h": "/* base.h - the base. */\n"})
    expect_complaint("check_layers.py", tmp_path, "include/quarry/base.h:1:", "names no layer")


def test_a_layer_that_does_not_exist_is_found(tmp_path):
    plant(tmp_path, {"include/quarry/base.h": "/*\n * Layer: cellar\n */\n"})
    expect_complaint("check_layers.py", tmp_path, "include/quarry/base.h:1:", "names no layer")


def test_a_circle_of_includes_is_found(tmp_path):
    plant(tmp_path, with_line("include/quarry/base.h", "#include <quarry/other.h>") | {
        "include/quarry/other.h": "/*\n * Layer: base\n * other.h - x.\n */\n"
                                  "#include <quarry/base.h>\n"})
    expect_complaint("check_layers.py", tmp_path, "include/quarry/other.h:5:", "go round")


def test_nasm_includes_count_too(tmp_path):
    plant(tmp_path, {"boot/start.asm": '%include "../arch/x86/defs.asm"\n',
                     "arch/x86/defs.asm": "; defs.asm - x\n"})
    expect_complaint("check_layers.py", tmp_path, "boot/start.asm:1:", "boot may not include")


# ---- style --------------------------------------------------------------------------------------


def test_the_good_tree_has_good_style(tmp_path):
    assert run("check_style.py", plant(tmp_path)) == (0, "")


def body(nr_lines):
    return "\n".join(["", "QAPI void pond_long(void)", "{"] + ["\tlevel++;"] * nr_lines + ["}", ""])


MARKER = "TO" + "DO"    # in one piece it would be found in this file


@pytest.mark.parametrize("more, what", [
    ("int x; \n", "trailing blanks"),
    ("int x;", "no newline at the end"),
    ("int x;\r\n", "carriage returns"),
    (f"/* {MARKER} later */\n", "unfinished work"),
    ("int x; /* " + "x" * 100 + " */\n", "more than 100 columns"),
    ("// a remark\n", "// comment"),
    ("/* level = 3; */\n", "commented-out code"),
    ("/*\n * if (level)\n * \treturn;\n */\n", "commented-out code"),
    ("/* pond_fill(3); */\n", "commented-out code"),
    ("#if 0\nint x;\n#endif\n", "#if 0"),
    ("static int f(void)\n{\n\treturn -1;\n}\n", "return -1"),
    ("static void f(void)\n{\n#if CONFIG_SMP\n\tlevel++;\n#endif\n}\n",
     "preprocessor condition inside f"),
    (body(61), "pond_long has 61 lines"),
    ("#if defined(__i386__)\n#endif\n", "tests which port"),
    ("#ifdef CONFIG_HOSTED\n#endif\n", "tests which port"),
    ('static void f(void)\n{\n\t__asm__("nop");\n}\n', "inline assembly in mm/"),
    ("#define POND_BASE 0xC0000000ul\n", "names an address"),
    ("#define POND_BASE 0xA0000\n", "names an address"),
    ("void pond_other(void)\n{\n\tlevel++;\n}\n", "pond_other lacks QAPI"),
    ("\n" * 800, "lines, more than 800"),
])
def test_bad_style_in_a_source_is_found(tmp_path, more, what):
    plant(tmp_path, {"mm/pond.c": SOURCE + more})
    expect_complaint("check_style.py", tmp_path, "mm/pond.c:", what)


@pytest.mark.parametrize("old, new, what", [
    ("QAPI int pond_fill(unsigned int litres);", "int pond_fill(unsigned int litres);",
     "pond_fill lacks QAPI"),
    ("QAPI void (*fill)", "void (*fill)", "function pointer fill lacks QAPI"),
    (" * Return:  0; -EINVAL when it is too much.\n", "", "has no Return:"),
    (" * Context: any.\n", " * It is as wide as it is long.\n", "has no Context:"),
    ("@litres: how much", "@gallons: how much", "@gallons is no parameter"),
    ("pond_fill - let", "pond_flood - let", "docstring of pond_flood, but below stands pond_fill"),
    ("/* A plain comment will do for what has no contract. */\n", "", "pond_say has no comment"),
    ("pond.h - a pond", "a pond", "does not start \"pond.h - "),
    ("struct pond_ops", "\n" * 300 + "struct pond_ops", "lines, more than 300"),
])
def test_bad_style_in_a_public_header_is_found(tmp_path, old, new, what):
    assert old in HEADER
    plant(tmp_path, {"include/quarry/pond.h": HEADER.replace(old, new)})
    expect_complaint("check_style.py", tmp_path, "include/quarry/pond.h:", what)


def test_a_source_without_its_theory_is_found(tmp_path):
    plant(tmp_path, {"mm/pond.c": "int level;\n"})
    expect_complaint("check_style.py", tmp_path, "mm/pond.c:1:", "does not open with a comment")


def test_a_theory_of_one_line_is_found(tmp_path):
    plant(tmp_path, {"mm/pond.c": "/* pond.c - a pond. */\n"})
    expect_complaint("check_style.py", tmp_path, "mm/pond.c:1:", "the theory has 1 lines")


def test_a_theory_under_another_name_is_found(tmp_path):
    plant(tmp_path, {"mm/pond.c": SOURCE.replace("pond.c -", "lake.c -")})
    expect_complaint("check_style.py", tmp_path, "mm/pond.c:1:", "does not start \"pond.c - ")


def test_too_many_functions_above_40_lines_are_found(tmp_path):
    plant(tmp_path, {"mm/pond.c": SOURCE + body(41) + body(41).replace("_long", "_longer")})
    expect_complaint("check_style.py", tmp_path, "2 of 4 functions", "longer than 40 lines")


@pytest.mark.parametrize("path, text, what", [
    ("tools/a.py", "import os\n", "a script opens with its docstring"),
    ("tools/a.py", '"""a"""\nif 1:\n\tpass\n', "a tab in Python"),
    ("tools/a.sh", "#!/bin/sh\necho\n", "a script opens with a comment"),
    ("boot/start.asm", "\tnop\n", "does not open with \"; start.asm - "),
])
def test_bad_style_elsewhere_is_found(tmp_path, path, text, what):
    plant(tmp_path, {path: text})
    expect_complaint("check_style.py", tmp_path, path, what)


@pytest.mark.parametrize("comment", [
    "/* Prose that ends in a semicolon; and goes on. */",
    "/* Returns early: return codes are positive. */",
    "/*\n * A picture:\n *\n *\tx = y;\n */",
    "/* level (in litres) is never 0; 0 means dry. */",
])
def test_prose_is_not_taken_for_code(tmp_path, comment):
    plant(tmp_path, {"mm/pond.c": SOURCE + comment + "\n"})
    assert run("check_style.py", tmp_path) == (0, "")


# ---- the contract -------------------------------------------------------------------------------

CONFIG_H = "#ifndef CONFIG_SMP\n#define CONFIG_SMP 1\n#endif\n" \
           "#ifndef CONFIG_SHOW\n#define CONFIG_SHOW 1\n#endif\n"

# An option that is a number: the library is not made with 0 in its place.
CONFIG_H_DEPTH = CONFIG_H + "#ifndef CONFIG_DEPTH\n#define CONFIG_DEPTH 128\n#endif\n"

CONTRACT = """\
extern   pond_wait                -     # blocks
extern   pond_print               SHOW
type     pond_t       layout.h    -
constant POND_SIZE    layout.h    -
inline   pond_lock    layout.h    SMP
macro    DEFINE_POND  layout.h    -
"""

LIBRARY = """\
#include <quarry/asm/layout.h>
#include <quarry/config.h>
void pond_wait(void);
void pond_print(void);
DEFINE_POND(int, the_pond);
static pond_t ponds[2];
int pond_work(int n);
int pond_work(int n)
{
	ponds[n & 1]++;
#if CONFIG_SMP
	pond_lock(&ponds);
#endif
	pond_wait();
#if CONFIG_SHOW
	pond_print();
#endif
	return POND_SIZE;
}
"""

ASM_LAYOUT = """\
typedef int pond_t;
#define POND_SIZE 4
#define DEFINE_POND(type, name) static type name
extern int pond_port_word;
static inline void pond_lock(void *p) { (void)p; pond_port_word++; }
"""

MAKEFILE = """\
.PHONY: lib print-lib-src
BUILD ?= build
CONFIG ?=
lib:
	mkdir -p $(BUILD)
	gcc -m32 -w -fno-pic -ffreestanding $(addprefix -DCONFIG_,$(CONFIG)) -Iinclude \\
		-Iarch/x86/include -c lib/pond.c -o $(BUILD)/pond.o
	ar rc $(BUILD)/libpond.a $(BUILD)/pond.o
print-lib-src:
	@echo lib/pond.c
"""


@pytest.fixture
def contract(tmp_path):
    """Run check_contract.py on a little library; changes are {path: text}."""
    def check(changes=None):
        tree = {"include/quarry/config.h": CONFIG_H, "include/quarry/contract.txt": CONTRACT,
                "include/quarry/env.h": "void pond_wait(void);\nvoid pond_print(void);\n",
                "lib/pond.c": LIBRARY, "Makefile": MAKEFILE,
                "arch/x86/include/quarry/asm/layout.h": ASM_LAYOUT,
                "tests/port_empty/include/quarry/asm/layout.h": "/* nothing */\n",
                **(changes or {})}
        for path, text in tree.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
        # Not with the variables of a make that runs this.
        env = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        env.pop("BUILD", None)
        env.pop("CONFIG", None)
        subprocess.run(["make", "-s", "lib"], cwd=tmp_path, check=True, env=env)
        done = subprocess.run(
            [TOOLS / "check_contract.py", "--build", "check", "--default", "build/libpond.a"],
            cwd=tmp_path, capture_output=True, text=True, env=env)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout
    return check


def test_a_true_contract_is_accepted(contract):
    assert contract() == (0, "")


def test_an_option_that_is_a_number_is_left_alone(contract):
    library = "#include <quarry/config.h>\n#if CONFIG_DEPTH < 100\n#error too shallow\n#endif\n"
    assert contract({"include/quarry/config.h": CONFIG_H_DEPTH,
                     "lib/pond.c": library + LIBRARY}) == (0, "")
    _, out = contract({"include/quarry/config.h": CONFIG_H_DEPTH, "lib/pond.c": library + LIBRARY,
                       "include/quarry/contract.txt": CONTRACT + "extern   pond_dry   DEPTH\n"})
    assert "no such option: DEPTH" in out


@pytest.mark.parametrize("drop, what", [
    ("extern   pond_wait ", "nm -u (smallest): pond_wait is needed"),
    ("extern   pond_print", "nm -u (default): pond_print is needed"),
    ("type     pond_t", "an empty port (default): pond_t is needed (type)"),
    ("constant POND_SIZE", "an empty port (smallest): POND_SIZE is needed (constant)"),
    ("inline   pond_lock", "an empty port (default): pond_lock is needed (inline)"),
    ("macro    DEFINE_POND", "an empty port (default): DEFINE_POND is needed (macro)"),
])
def test_what_is_needed_and_not_listed_is_found(contract, drop, what):
    lines = [line for line in CONTRACT.split("\n") if not line.startswith(drop)]
    status, text = contract({"include/quarry/contract.txt": "\n".join(lines)})
    assert status == 1 and what in text, text


@pytest.mark.parametrize("line, what", [
    ("extern pond_drain -", "pond_drain is listed, but nm -u (default) does not need it"),
    ("inline pond_swim layout.h -",
     "pond_swim is listed, but an empty port (default) does not need it"),
    ("type fish_t layout.h -", "layout.h has no fish_t"),
    ("extern pond_wait -", "pond_wait is listed twice"),
    ("extern pond_drain -", "pond_drain is declared in no public header"),
    ("extern pond_dry DROUGHT", "no such option: DROUGHT"),
    ("pond_dry", "not a line of this list"),
])
def test_what_is_listed_and_not_needed_is_found(contract, line, what):
    status, text = contract({"include/quarry/contract.txt": CONTRACT + line + "\n"})
    assert status == 1 and what in text, text


@pytest.mark.parametrize("old, new, what", [
    ("pond_print               SHOW", "pond_print               -",
     "pond_print is listed, but nm -u (SHOW=0) does not need it"),
    ("pond_wait                -", "pond_wait                SMP",
     "nm -u (SMP=0): pond_wait is needed"),
    ("pond_lock    layout.h    SMP", "pond_lock    layout.h    -",
     "pond_lock is listed, but an empty port (smallest) does not need it"),
    ("inline   pond_lock", "type     pond_lock", "the compiler asks for inline"),
])
def test_a_wrong_option_or_kind_is_found(contract, old, new, what):
    assert old in CONTRACT
    status, text = contract({"include/quarry/contract.txt": CONTRACT.replace(old, new)})
    assert status == 1 and what in text, text


def test_a_call_to_the_compilers_library_is_found(contract):
    more = "unsigned long long pond_div(unsigned long long a, unsigned long long b);\n" \
           "unsigned long long pond_div(unsigned long long a, unsigned long long b)\n" \
           "{\n\treturn a / b;\n}\n"
    status, text = contract({"lib/pond.c": LIBRARY + more})
    assert status == 1 and "__udivdi3 is needed" in text, text


def test_an_empty_port_that_is_not_empty_is_found(contract):
    status, text = contract({"tests/port_empty/include/quarry/asm/layout.h": "#define X 1\n"})
    assert status == 1 and "is not empty" in text, text


def test_options_of_an_entry():
    def active(option, off):
        return check_contract.Entry("extern", "x", "", option, 1).active(off)
    assert active("-", {"SMP"})
    assert not active("SMP", {"SMP"}) and active("SMP", {"SHOW"})
    assert active("SMP|SHOW", {"SMP"}) and not active("SMP|SHOW", {"SMP", "SHOW"})
    assert active("!SMP", {"SMP"}) and not active("!SMP", set())


# ---- a foreign kernel ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port_build(tmp_path_factory):
    """Where the library is built once for all changes of the sample kernel around it."""
    return tmp_path_factory.mktemp("port")


def check_port(build, changes, seconds=20):
    """Where the port lies is in the library's name: in one place, so that it is built once."""
    port = build / "port_sample"
    shutil.copytree(ROOT / "tests/port_sample", port, dirs_exist_ok=True)
    for name, (old, new) in changes.items():
        assert name.endswith(".c"), "a header would build the library anew"
        text = (port / name).read_text()
        assert old in text
        (port / name).write_text(text.replace(old, new))
    done = subprocess.run([TOOLS / "check_port.py", "--build", build, "--port", port, "--only",
                           "default", "--seconds", str(seconds)],
                          cwd=ROOT, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


def test_the_sample_kernel_works(port_build):
    assert check_port(port_build, {}) == (0, "")


@pytest.mark.parametrize("changes, what", [
    ({"env.c": ("env_wake_reclaim(void)", "env_sleep_on(void)")},
     "undefined reference to `env_wake_reclaim'"),
    ({"main.c": ("a.nr_ram == NR_PAGES", "a.nr_ram < NR_PAGES")},
     "a.nr_ram < NR_PAGES does not hold"),
    ({"main.c": ("check_accounts();\n", "check_accounts();\n\tBUG();\n")}, "status 18"),
    ({"main.c": ("check_accounts();\n", "check_accounts();\n\tfor (;;)\n\t\t;\n")},
     "timed out"),
])
def test_a_sample_kernel_that_does_not_work_is_found(port_build, changes, what):
    status, text = check_port(port_build, changes, seconds=3)
    assert status == 1 and what in text, text


# ---- what no test exercises ---------------------------------------------------------------------

GFP_H = """\
#define __GFP_WET 0x1u
#define __GFP_DRY 0x2u
#define GFP_NONE  0u
#define GFP_DAMP  (__GFP_WET | __GFP_DRY)
"""

FUNCTIONS_H = """\
/**
 * swim - move.
 *
 * Return: 0; -EINVAL when there
 *         is no water, -ENOMEM when there is no room.
 * Cost:   -EBUSY is not part of it.
 */
int swim(void);
int dive(void);

/**
 * wade - move on foot.
 *
 * Return: as swim().
 */
int wade(void);

static inline int float_on_back(void)
{
	return 1;
}

static inline int tread(void)
{
	return float_on_back();
}

static inline int drown(void)
{
	return 0;
}
"""

OPTIONS_C = """\
static const struct boot_option pond_options[] = {
	{ "depth", parse_depth },
	{ .name = "width", .parse = parse_width },
};
"""

TEST_C = """\
#include <quarry/functions.h>
int test(void);
int test(void)
{
	return swim() + tread();
}

KTEST(pond, water_is_wet)
{
	T_GFP(t, __GFP_WET);
	T_GFP(t, GFP_DAMP | GFP_NONE | __GFP_DRY);
}
"""


@pytest.fixture
def water(tmp_path):
    for path, text in {"include/quarry/gfp.h": GFP_H, "include/quarry/functions.h": FUNCTIONS_H,
                       "mm/options.c": OPTIONS_C, "tests/pond.c": TEST_C}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_what_there_is_to_exercise_is_found(water):
    extern, inline = check_exercised.public_functions(water)
    assert set(extern) == {"swim", "dive", "wade"}
    assert set(inline) == {"float_on_back", "tread", "drown"}
    assert {n: b for n, (_, b) in check_exercised.gfp_items(water).items()} == {
        "__GFP_WET": {"__GFP_WET"}, "__GFP_DRY": {"__GFP_DRY"}, "GFP_NONE": set(),
        "GFP_DAMP": {"__GFP_WET", "__GFP_DRY"}}
    assert set(check_exercised.option_items(water)) == {"depth", "width"}
    assert set(check_exercised.error_items(water)) == {
        "-EINVAL swim", "-ENOMEM swim", "-EINVAL wade", "-ENOMEM wade"}


def test_functions_that_no_test_reaches_are_listed(water):
    source = TEST_C[:TEST_C.index("KTEST")]
    (water / "tests/plain.c").write_text(source)
    objects = check_exercised.compile_tests(
        f"gcc -m32 -ffreestanding -I{water}/include", [str(water / "tests/plain.c")],
        str(water / "objects"))
    gaps = check_exercised.function_gaps(water, check_exercised.referenced(objects))
    assert [g.split(": ")[1] for g in gaps] == ["dive", "wade", "drown"]


ROWS = [("gfp", "__GFP_WET"), ("gfp", "__GFP_DRY"), ("gfp", "GFP_NONE"), ("gfp", "GFP_DAMP"),
        ("option", "depth"), ("option", "width"), ("error", "-EINVAL swim"),
        ("error", "-ENOMEM swim"), ("error", "-EINVAL wade"), ("error", "-ENOMEM wade")]
SEEN = ["gfp __GFP_WET|__GFP_DRY", "gfp 0", "errno -EINVAL swim", "errno -ENOMEM swim",
        "errno -EINVAL wade", "errno -ENOMEM wade"]
LOG = "cmdline: depth=3\ncmdline: width\n"


def gaps_of(water, rows=ROWS, seen=SEEN, log=LOG, passed=True, test="pond.water_is_wet",
            entered=(), column="1G-*"):
    text = "".join(f"{kind}\t{item}\t{test}\t{column}\n" for kind, item in rows)
    table, bad = check_exercised.parse_table(text)
    gfp = check_exercised.gfp_items(water)
    items = {"gfp": gfp, "option": check_exercised.option_items(water),
             "error": check_exercised.error_items(water),
             "function": check_exercised.public_functions(water)[0]}
    jobs = {"1G-pc": {"log": log, "append": "width=4", "tests": {
        "pond.water_is_wet": {"passed": passed, "seen": seen},
        "expect: wet": {"passed": True, "seen": []}}}}
    evidence = check_exercised.Evidence(jobs, {column: entered})
    return bad + check_exercised.table_gaps(table, items, gfp, check_exercised.test_sources(water),
                                            evidence)


def test_a_full_table_with_all_evidence_has_no_gaps(water):
    assert gaps_of(water) == []


@pytest.mark.parametrize("row", ROWS)
def test_an_item_without_a_row_is_a_gap(water, row):
    gaps = gaps_of(water, rows=[r for r in ROWS if r != row])
    assert len(gaps) == 1 and f"{row[0]} {row[1]}" in gaps[0] and "names no test" in gaps[0]


@pytest.mark.parametrize("lost, nr", [("gfp __GFP_WET|__GFP_DRY", 3), ("gfp 0", 1),
                                      ("errno -EINVAL swim", 1)])
def test_a_row_whose_run_shows_nothing_is_a_gap(water, lost, nr):
    gaps = gaps_of(water, seen=[s for s in SEEN if s != lost])
    assert len(gaps) == nr and all("nothing in 1G-* shows it" in g for g in gaps)


def test_flags_of_two_requests_do_not_make_a_combination(water):
    gaps = gaps_of(water, seen=["gfp __GFP_WET", "gfp __GFP_DRY", *SEEN[1:]])
    assert len(gaps) == 1 and "GFP_DAMP" in gaps[0]


def test_an_option_that_was_not_set_is_a_gap(water):
    gaps = gaps_of(water, log="cmdline: depth=3\nunknown option 'width' ignored\n")
    assert len(gaps) == 1 and "option width" in gaps[0] and "shows it" in gaps[0]


def test_an_option_that_only_a_test_parsed_is_a_gap(water):
    gaps = gaps_of(water, log="KTAP" + LOG.replace("\n", "\nKTAP version 1\n", 1))
    assert len(gaps) == 2 and all("option" in g and "shows it" in g for g in gaps)


@pytest.mark.parametrize("option, shown", [("width", True), ("depth", False)])
def test_what_a_row_expects_is_evidence_for_what_it_sets(water, option, shown):
    row = [("option", option)]
    gaps = [g for g in gaps_of(water, row, log="", test="expect: wet") if "shows it" in g]
    assert (gaps == []) == shown


@pytest.mark.parametrize("column", ["1G-*", "typed dive; reboot"])
def test_a_function_that_no_boot_enters_is_a_gap(water, column):
    rows = [("function", "dive")]
    assert not [g for g in gaps_of(water, rows, entered={"dive"}, column=column) if "dive" in g]
    gaps = [g for g in gaps_of(water, rows, entered={"swim"}, column=column) if "dive" in g]
    assert len(gaps) == 1 and "shows it" in gaps[0]


def test_a_function_in_the_table_needs_no_test_object(water):
    gaps = check_exercised.function_gaps(water, {"swim", "tread", "float_on_back"}, {"dive"})
    assert [g.split(": ")[1] for g in gaps] == ["wade", "drown"]


def test_functions_that_a_boot_enters_are_told_from_those_it_does_not():
    kernel = run_qemu.BUILD / "x86-gcc/quarry.elf"
    machine = run_qemu.Machine(str(kernel), mem="64M", append="test=parse.*", name="entered")
    functions = ["mm_init", "parse_size", "port_reboot", "no_such_function"]
    assert qtrace.entered(functions, machine, 60) == {"mm_init", "parse_size"}
    typed = run_qemu.Machine(str(kernel), mem="64M", name="entered")
    functions.remove("parse_size")
    assert qtrace.entered(functions, typed, 60, ["help", "reboot"]) == {"mm_init", "port_reboot"}


def test_a_failed_test_is_no_evidence(water):
    assert len(gaps_of(water, passed=False)) == len(ROWS)


def test_a_test_that_did_not_run_is_no_evidence(water):
    gaps = gaps_of(water, test="pond.absent")
    assert len(gaps) == len(ROWS) and all("did not run and pass" in g for g in gaps)


def test_a_row_for_nothing_is_found(water):
    gaps = gaps_of(water, rows=[*ROWS, ("gfp", "__GFP_ICE")])
    assert len(gaps) == 1 and "there is no such thing" in gaps[0]


def test_a_flag_that_the_test_does_not_name_is_a_gap(water):
    (water / "tests/pond.c").write_text(TEST_C.replace("GFP_DAMP", "15"))
    gaps = gaps_of(water)
    assert len(gaps) == 1 and "does not name it" in gaps[0]


def test_a_line_that_is_no_row_is_found(water):
    assert check_exercised.parse_table("gfp __GFP_WET pond.wet *\n")[1]
    assert check_exercised.parse_table("colour\tblue\tpond.wet\t*\n")[1]


def test_results_older_than_the_kernel_are_not_used(tmp_path):
    (tmp_path / "logs").mkdir()
    results, kernel = tmp_path / "logs/results.json", tmp_path / "quarry.elf"
    results.write_text(json.dumps({"complete": True, "jobs": {"a": {"tests": {}}}}))
    kernel.write_text("")
    now = time.time()
    os.utime(kernel, (now - 10, now - 10))
    assert set(check_exercised.kept_results(str(tmp_path), str(kernel))) == {"a"}
    os.utime(kernel, (now + 10, now + 10))
    assert check_exercised.kept_results(str(tmp_path), str(kernel)) == {}


# ---- reproducible builds ------------------------------------------------------------------------

REPRO_MAKEFILE = """\
.PHONY: all lib
all:
	mkdir -p build/x86-gcc
	gcc -c $(FLAGS) a.c -o build/x86-gcc/quarry.elf
lib: all
	rm -f build/libquarry.a
	ar rc$(AR_MODE) build/libquarry.a build/x86-gcc/quarry.elf
"""


@pytest.mark.parametrize("flags, source, same", [
    ("-g -ffile-prefix-map=$(CURDIR)=.", "int a;\n", True),
    ("-g", "int a;\n", False),
    ("", 'const char *where(void);\nconst char *where(void) { return __FILE__; }\n', True),
    ("", "int jobs = JOBS;\n", False),
])
def test_bytes_that_depend_on_the_place_are_found(tmp_path, flags, source, same):
    makefile = f"FLAGS = {flags}\nAR_MODE = D\n" + REPRO_MAKEFILE
    if "JOBS" in source:
        makefile = "FLAGS = -DJOBS=$(patsubst -j%,%,$(filter -j%,$(MAKEFLAGS)))\nAR_MODE = D\n" + \
            REPRO_MAKEFILE
    (tmp_path / "Makefile").write_text(makefile)
    (tmp_path / "a.c").write_text(source)
    done = subprocess.run([TOOLS / "check_repro.py"], cwd=tmp_path, capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    assert (done.returncode == 0) == same, done.stdout
    if not same:
        assert "build/x86-gcc/quarry.elf: built elsewhere it differs" in done.stdout


def test_the_first_difference_is_named():
    assert check_repro.first_difference(b"abc", b"abc") is None
    assert check_repro.first_difference(b"abc", b"abd") == 2
    assert check_repro.first_difference(b"abc", b"ab") == 2


# ---- clang-tidy, clang-format, thread safety ----------------------------------------------------


def tidy(path):
    return subprocess.run(["clang-tidy", "--quiet", f"--config-file={ROOT / '.clang-tidy'}",
                           "--warnings-as-errors=*", path, "--", "-m32", "-ffreestanding"],
                          capture_output=True, text=True)


@pytest.mark.parametrize("source, check", [
    ("int f(int a);\nint f(int a)\n{\n\tif (a);\n\t\treturn 0;\n\treturn a;\n}\n",
     "bugprone-suspicious-semicolon"),
    ("int f(int *p);\nint f(int *p)\n{\n\tif (!p)\n\t\treturn *p;\n\treturn 0;\n}\n",
     "core.NullDereference"),
    ("int f(void);\nint f(void)\n{\n\tint a;\n\n\treturn a;\n}\n", "uninit"),
    ("int f(int a);\nint f(int a)\n{\n\treturn a - a;\n}\n", "misc-redundant-expression"),
])
def test_clang_tidy_is_awake(tmp_path, source, check):
    (tmp_path / "a.c").write_text(source)
    done = tidy(tmp_path / "a.c")
    assert done.returncode != 0 and check in done.stdout + done.stderr, done.stdout + done.stderr


def test_clang_tidy_likes_good_code(tmp_path):
    (tmp_path / "a.c").write_text("int f(int a);\nint f(int a)\n{\n\treturn a + 1;\n}\n")
    done = tidy(tmp_path / "a.c")
    assert done.returncode == 0, done.stdout


def test_clang_format_is_awake(tmp_path):
    (tmp_path / "a.c").write_text("int f( int a ) {return a;}\n")
    (tmp_path / ".clang-format").write_text((ROOT / ".clang-format").read_text())
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", tmp_path / "a.c"],
                          capture_output=True)
    assert done.returncode != 0


LOCKED = """\
#include <quarry/spinlock.h>
struct pond {
	spinlock_t lock;
	int level;
};
static void raise(struct pond *p) __must_hold(p->lock);
static void raise(struct pond *p)
{
	p->level++;
}
void fill(struct pond *p);
void fill(struct pond *p)
{
	unsigned long flags = spin_lock_irqsave(&p->lock);

	raise(p);
	spin_unlock_irqrestore(&p->lock, flags);
}
"""


@pytest.mark.parametrize("old, good", [("", True), ("spin_lock_irqsave(&p->lock)", False)])
def test_clang_proves_the_lock_annotations(tmp_path, old, good):
    (tmp_path / "a.c").write_text(LOCKED.replace(old, "0") if old else LOCKED)
    done = subprocess.run(
        ["clang", "-m32", "-std=gnu11", "-ffreestanding", "-fsyntax-only", "-Wthread-safety",
         "-Werror", f"-I{ROOT}/include", f"-I{ROOT}/arch/x86/include", tmp_path / "a.c"],
        capture_output=True, text=True)
    assert (done.returncode == 0) == good, done.stderr
    if not good:
        assert "thread-safety" in done.stderr


# ---- the driver ---------------------------------------------------------------------------------


def run_checks(*commands):
    done = subprocess.run([TOOLS / "run_checks.py", *commands], capture_output=True, text=True)
    return done.returncode, done.stdout


def test_the_driver_fails_when_one_check_fails_and_runs_the_rest():
    status, text = run_checks("one=true", "two=echo because; false", "three=true")
    assert status == 1
    lines = text.split("\n")
    assert lines[0].startswith("check one") and " ok " in lines[0]
    assert lines[1] == "because" and "FAILED" in lines[2]
    assert lines[3].startswith("check three")
    assert lines[4].startswith("check: 2 of 3 passed, 1 failed")


def test_the_driver_passes_when_all_do():
    status, text = run_checks("one=true", "two=true")
    assert status == 0 and "2 of 2 passed, 0 failed" in text


def test_a_check_that_fails_silently_is_told_of():
    status, text = run_checks("one=exit 3")
    assert status == 1 and "status 3" in text


def test_nothing_to_check_is_no_success():
    assert run_checks()[0] == 2


# ---- reading C ----------------------------------------------------------------------------------


def test_comments_and_strings_are_no_code():
    src = csource.Source("a.c", 'int a; /* int b; */ char *s = "/* { */"; // int c;\nint d;\n')
    assert "int b" not in src.code and "int c" not in src.code and "{" not in src.code
    assert "int d;" in src.code and len(src.code) == len(src.text)
    assert [c.text for c in src.comments] == ["/* int b; */", "// int c;"]


def test_functions_and_prototypes_are_told_apart():
    src = csource.Source("a.h", HEADER)
    assert [f.name for f in src.functions()] == ["pond_depth"]
    prototypes = {p.name: p for p in src.prototypes()}
    assert set(prototypes) == {"pond_fill", "pond_say"}
    assert prototypes["pond_say"].variadic and not prototypes["pond_fill"].variadic
    assert prototypes["pond_fill"].parameter_names == {"litres"}
    assert prototypes["pond_fill"].returns == "int"


def test_a_function_pointer_parameter_is_one_prototype():
    src = csource.Source("a.h", "QAPI void each(QAPI void (*fn)(void *arg), void *arg);\n")
    assert [p.name for p in src.prototypes()] == ["each"]
    assert {"arg"} <= src.prototypes()[0].parameter_names
