"""A random test that failed in a row is reduced: which, by which command, and how often."""

import dataclasses
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import qhosted  # noqa: E402
import qtest  # noqa: E402
import walks  # noqa: E402
from run_qemu import Machine  # noqa: E402
from testrows import Row  # noqa: E402

LOG = """KTAP version 1
1..4
# a.good: seed=5
ok 1 a.good
# a.bad: seed=7
# a.bad: tests/a.c:9: expected 1, got 2
not ok 2 a.bad
not ok 3 a.plain
# a.last: seed=9
panic: broken list
"""


def kernel_row(mem="1G", append="console=serial test=* page_poison=1 steps=10 steps=500"):
    return Row("16M-pc", "matrix", {}, Machine(kernel="", mem=mem, append=append))


def hosted_row(variant="m32-gcc-asan"):
    keys = {key: "" for key in qhosted.KEYS}
    keys.update(variant=variant, mem="16M", cpus="1", sched="seed", test="*", append="steps=300")
    return qhosted.make_row("hosted-16M", keys, variant)


@pytest.fixture(name="explain")
def explain_fixture(monkeypatch, tmp_path):
    """walks.explain() without programs; what it would build and run is noted in .built, .ran."""
    (tmp_path / "logs").mkdir()
    monkeypatch.setattr(walks.run_qemu, "BUILD", tmp_path)
    monkeypatch.setattr(walks, "reduced", set())

    def explain(log, answer="KTEST(walk, steps_that_failed)\n"):
        def run(argv, timeout):
            explain.ran.append((argv, timeout))
            return 0, answer, 1.0
        return walks.explain(kernel_row(), log, explain.built.extend, run)
    explain.built, explain.ran, explain.logs = [], [], tmp_path / "logs"
    return explain


def test_failed_random_tests_are_those_with_a_seed_and_no_ok():
    assert walks.failed_walks(LOG) == {"a.bad": "7", "a.last": "9"}


def test_a_kernels_walk_is_reduced_with_its_seed_steps_and_memory():
    assert walks.reduce_argv(kernel_row(), "a.bad", "7") == [
        "tools/reduce.py", "--variant", "m64-gcc-asan", "--mem", "1024M", "--seed", "7",
        "--steps", "500", "a.bad", "page_poison=1"]


def test_a_processs_walk_is_reduced_in_its_own_variant():
    assert walks.reduce_argv(hosted_row(), "a.bad", "7") == [
        "tools/reduce.py", "--variant", "m32-gcc-asan", "--mem", "16M", "--seed", "7",
        "--steps", "300", "a.bad"]


def test_each_test_is_reduced_once_and_its_command_always_shown(explain):
    first, second = explain(LOG), explain(LOG)
    assert [argv[-2] for argv, _ in explain.ran] == ["a.bad", "a.last"]
    assert all(timeout >= walks.SECONDS for _, timeout in explain.ran)
    assert first.count("KTEST(walk, steps_that_failed)") == 2
    assert len(second) == 2 and all("--seed" in line for line in second)
    assert {Path(path).name for path in explain.built} == {"quarry-m64-gcc-asan"}


def test_only_so_many_are_reduced(explain):
    explain("".join(f"# a.t{i}: seed=1\nnot ok {i} a.t{i}\n" for i in range(1, 9)))
    assert len(explain.ran) == walks.REDUCTIONS


def test_a_long_reduction_is_left_in_its_file(explain):
    lines = explain("# a.bad: seed=7\nnot ok 1 a.bad\n", "\tfree_page(p);\n" * 1000)
    assert len(lines) == 2 and lines[1].startswith("1000 lines: ")
    assert (explain.logs / "a.bad.reduced.c").read_text().count("\n") == 1000


def test_the_runner_explains_a_failed_row_and_no_other(monkeypatch, capsys):
    monkeypatch.setattr(walks, "explain", lambda *_: ["a.bad had seed=7"])
    good = qtest.with_walks(hosted_row(), qtest.Verdict(log=LOG))
    bad = qtest.with_walks(hosted_row(), qtest.Verdict(log=LOG, problems=["panic"]))
    assert good.walks == [] and bad.walks == ["a.bad had seed=7"]
    due = dataclasses.replace(hosted_row(), must_panic=True)
    assert qtest.with_walks(due, qtest.Verdict(log=LOG, problems=["panic"])).walks == []
    qtest.Printer(False, 3).verdict("job", bad, "job.log")
    assert "\n      a.bad had seed=7\n" in capsys.readouterr().out
