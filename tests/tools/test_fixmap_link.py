"""The number of a fixed page that the compiler knows is a constant address, or does not link."""

import re

from test_kmalloc_link import COMPILERS, built_object, disassembled, link, without_frame


@COMPILERS
def test_a_number_beyond_the_last_does_not_link_and_the_last_does(cc, tmp_path):
    good = link(cc, "", "fixmap_last", tmp_path / "good")
    assert good.returncode == 0, good.stderr
    bad = link(cc, "", "fixmap_beyond_last", tmp_path / "bad")
    assert bad.returncode != 0
    missing = set(re.findall(r"undefined reference to [`']([^']+)'", bad.stderr))
    assert missing == {"__fix_index_out_of_range"}, bad.stderr
    assert not re.search(r"\.c:\d+:\d+: error", bad.stderr)     # it did compile


@COMPILERS
def test_a_constant_number_is_a_constant_address(cc):
    code = disassembled(built_object("tests/tools/fixmap_last", cc))["fixmap_last"]
    assert [i.split() for i in without_frame(code)] == [["mov", "$0xffffe000,%eax"]], code
