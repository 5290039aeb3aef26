"""test_ktest.py - what the test engine prints and returns, over tests with known results.

The program is build/host/ktest-fixture, made of tests/host/ktest_fixture.c; a line number in its
output stands as N here.
"""

import os
import re
import subprocess
from pathlib import Path

BUILD = Path(os.environ.get("QUARRY_BUILD") or Path(__file__).parents[2] / "build")
PROGRAM = BUILD / "host/ktest-fixture"

WHOLE = """\
KTAP version 1
# not-applicable fixture.needs_the_impossible needs=normal,highmem,ram>=64M,cpus>=2,pse,kernel
1..6
ok 1 fixture.passes
# fixture.fails_twice: tests/host/ktest_fixture.c:N: expected 2 + 2 == 5 (0x5), got 4 (0x4)
# fixture.fails_twice: tests/host/ktest_fixture.c:N: expected 2 + 2 == 5 to be true
not ok 2 fixture.fails_twice
ok 3 fixture.records_what_it_saw
# seen errno -EINVAL refuse
# seen gfp 0x12
# seen gfp 0x20
no newline
ok 4 fixture.leaves_a_line_open
# other.asks_for_a_number: seed=77
ok 5 other.asks_for_a_number
ok 6 other.walks
# totals: pass=5 fail=1 not-applicable=1
"""


def run(*args):
    """(exit status, output with its line numbers replaced)."""
    done = subprocess.run([PROGRAM, *args], capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    return done.returncode, re.sub(r"\.c:\d+:", ".c:N:", done.stdout)


def test_the_whole_report():
    assert run("-s", "77") == (1, WHOLE)


def test_patterns_choose_by_glob_and_numbering_starts_at_one():
    assert run("fixture.pass*,other.w?lks,nothing.*") == (
        0,
        "KTAP version 1\n1..2\nok 1 fixture.passes\nok 2 other.walks\n"
        "# totals: pass=2 fail=0 not-applicable=0\n",
    )


def test_a_pattern_without_a_test_fails():
    status, text = run("nothing.*")
    assert status == 1
    assert text.endswith("# no test is called nothing.*\n")


def test_only_tests_that_do_not_apply_are_no_failure():
    status, text = run("*impossible")
    assert status == 0
    assert "1..0\n# totals: pass=0 fail=0 not-applicable=1\n" in text


def test_the_seed_is_printed_and_the_length_of_walks_is_handed_on():
    assert "# other.asks_for_a_number: seed=5\n" in run("-s", "5", "other.*")[1]
    status, text = run("-n", "9", "other.walks")
    assert status == 1
    assert "expected ktest_steps(t, 7) == 7 (0x7), got 9 (0x9)" in text
