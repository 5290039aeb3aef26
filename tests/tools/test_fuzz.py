"""`make fuzz` says what failed, and tools/reduce.py what a failure needs: of made-up programs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import fuzz  # noqa: E402
import reduce  # noqa: E402

# A program of libFuzzer's manners: it "finds" {finds}, and reduces what it found to one byte.
PROGRAM = """\
#!/usr/bin/python3
import sys, time
from pathlib import Path
if sys.argv[1] == "reduce":
    time.sleep({seconds})
    Path(sys.argv[3]).write_bytes(b"x")
    print("KTEST(a, b)")
    sys.exit(1)
finds = {finds!r}
if finds:
    prefix = next(w for w in sys.argv if w.startswith("-artifact_prefix=")).split("=")[1]
    Path(prefix + "crash").write_bytes(b"xyz")
    print("| panic: fuzz: " + finds)
    print("Test unit written to " + prefix + "crash")
print("stat::number_of_executed_units: {runs}")
sys.exit(77 if finds else 0)
"""


@pytest.fixture(name="program")
def made_up_program(tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "BUILD", tmp_path / "build")
    monkeypatch.setattr(fuzz, "CORPUS", tmp_path / "corpus")

    def make(finds="", runs=9, seconds=0, name="a"):
        path = tmp_path / f"fuzz-{name}"
        path.write_text(PROGRAM.format(finds=finds, runs=runs, seconds=seconds))
        path.chmod(0o755)
        return str(path)
    return make


def run_main(monkeypatch, capsys, *words):
    monkeypatch.setattr(sys, "argv", ["fuzz.py", "--time", "1", "--seed", "7", *words])
    status = fuzz.main()
    return status, *capsys.readouterr()


def test_programs_that_find_nothing_are_no_failure(program, monkeypatch, capsys):
    status, out, _ = run_main(monkeypatch, capsys, program(), program(name="b"))
    assert status == 0
    assert out.startswith("fuzz: seed=7\n") and "fuzz: 2 targets, 18 runs, 0 failed" in out


def test_a_crash_is_named_reduced_and_the_exit_status(program, monkeypatch, capsys):
    status, out, _ = run_main(monkeypatch, capsys, program("a page is not zero"), program(name="b"))
    assert status == 1
    assert "FAIL  a " in out and "ok    b " in out
    assert "      panic: fuzz: a page is not zero\n" in out
    assert "a-crash.min\nKTEST(a, b)\n" in out
    assert out.endswith("fuzz: 2 targets, 18 runs, 1 failed: a\n")


def test_a_reduction_without_end_leaves_the_failure(program, monkeypatch, capsys):
    monkeypatch.setattr(fuzz, "REDUCE_TIMEOUT", 0.2)
    status, out, _ = run_main(monkeypatch, capsys, program("a page is not zero", seconds=60))
    assert status == 1
    assert "panic: fuzz: a page is not zero" in out and "Not reduced" in out


def test_a_program_that_ran_nothing_has_failed(program, monkeypatch, capsys):
    status, out, _ = run_main(monkeypatch, capsys, program(runs=0))
    assert status == 1 and "it ran nothing" in out


@pytest.mark.parametrize("target", ["none", "a none", ""])
def test_a_glob_that_names_no_target_is_an_error(program, monkeypatch, capsys, target):
    status, out, err = run_main(monkeypatch, capsys, "--target", target, program())
    assert status == 1 and out == ""
    assert f"no target is called '{target.split()[-1] if target else ''}'; there are: a" in err


# ---- walks --------------------------------------------------------------------------------------


class Walk:
    """Fails with all of @needed among its steps; @other: a failure of another kind; @time: runs."""

    def __init__(self, needed, other=(), time=1000):
        self.needed, self.other, self.runs, self.time = set(needed), set(other), 0, time

    def is_late(self):
        return self.runs >= self.time

    def run(self, steps):
        self.runs += 1
        if self.other and self.other <= set(steps):
            return "other", ""
        return ("failure" if self.needed <= set(steps) else ""), ""


@pytest.mark.parametrize("needed", [[0], [999], [17], [3, 4, 5], [0, 500, 999],
                                    range(0, 1000, 100)])
def test_the_least_list_of_steps_is_found(needed):
    walk = Walk(needed)
    assert reduce.reduced(walk, list(range(1000)), "failure") == list(needed)
    assert walk.runs < 500


@pytest.mark.parametrize("time", [0, 5, 12, 20])
def test_when_the_time_is_over_what_is_left_still_fails(time):
    walk = Walk([17, 900], time=time)
    steps = reduce.reduced(walk, list(range(100000)), "failure")
    assert {17, 900} <= set(steps) and walk.runs <= time


def test_a_failure_of_another_kind_is_not_reduced_to():
    walk = Walk([10, 20], other=[3])
    assert reduce.reduced(walk, list(range(4, 30)), "failure") == [10, 20]
    steps = reduce.reduced(Walk([10, 20], other=[3]), [2, 3, 5], "other")
    assert steps == [3]


def test_failures_are_the_same_when_only_numbers_differ():
    one, other, third = (reduce.name_failure(text) for text in (
        "ok\n# mm/a.c: t.c:12: 3 is not 4\n", "# mm/a.c: t.c:12: 0x5f is not 66\n", "panic: 5\n"))
    assert one == other != third


WALK = """\
#!/usr/bin/python3
import sys
bits = open(sys.argv[sys.argv.index("-i") + 1], "rb").read()
steps = [i for i in range(len(bits) * 8) if bits[i // 8] >> i % 8 & 1]
assert "test=a.b" in sys.argv and "seed=7" in sys.argv
if {needed} <= set(steps):
    print("#C take(1);\\n#C give(2);\\npanic: at 0x12")
    sys.exit(18)
"""


@pytest.mark.parametrize("needed, status", [({7, 30}, 0), ({1000}, 1)])
def test_a_walk_is_printed_as_c(tmp_path, monkeypatch, capsys, needed, status):
    program = tmp_path / "quarry"
    program.write_text(WALK.format(needed=needed))
    program.chmod(0o755)
    monkeypatch.setattr(reduce.qhosted, "program_of", lambda _: str(program))
    monkeypatch.setattr(sys, "argv", ["reduce.py", "--seed", "7", "--steps", "40", "a.b"])
    assert reduce.main() == status
    out = capsys.readouterr().out
    if status:
        assert out == "reduce: a.b passes\n"
        return
    assert " * panic: at #\n" in out and "\n * steps 7 30 */\n" in out
    assert out.endswith("{\n\ttake(1);\n\tgive(2);\n\tEXPECT_EQ(t, 0, mm_check_all());\n}\n")


def test_a_walk_that_cannot_be_run_is_an_error():
    done = subprocess.run([ROOT / "tools/reduce.py", "--variant", "none", "a.b"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "there is no" in done.stderr
