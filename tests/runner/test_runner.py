"""Every way in which a boot can go wrong is a failure, and a good one is not.

The kernel is fixture.asm, which behaves as its command line says.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pexpect
import pytest

import qtest
import run_qemu
from run_qemu import Console, Machine, MachineEnded
from testrows import Row

TOOLS = Path(run_qemu.__file__).parent
RUN = TOOLS / "run_qemu.py"


def make_row(kernel, behave, **keys):
    """A row of tests.cfg, as data."""
    defaults = {"test": "*", "expect": "", "forbid": "", "timeout": "20", "kind": "row",
                "config": ""}
    keys = {**defaults, "end": "panic" if keys.get("kind") == "death" else "", **keys}
    machine = Machine(kernel=kernel, mem="16M", append=f"behave={behave} steps=1",
                      boot=keys.get("boot", "direct"), garbage=keys.get("garbage", 0),
                      modules=keys.get("modules", ()), cpu=keys.get("cpu", "pentium3"),
                      name=f"{behave}-{keys.get('boot', 'direct')}")
    name = f"death-{behave}" if keys["kind"] == "death" else behave
    return Row(name, keys["kind"], keys, machine)


def judge(kernel, behave, **keys):
    """Boot a row the way `make test` does."""
    return qtest.row_job(make_row(kernel, behave, **keys)).run(lambda text: None)


def only_problem(verdict):
    assert verdict.failed >= 1
    assert len(verdict.problems) == 1, verdict.problems
    return verdict.problems[0]


# ---- a good row ---------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["direct", "iso"])
def test_passing_tests_are_counted(kernel, path):
    verdict = judge(kernel, "pass", boot=path)
    assert verdict.problems == []
    assert (verdict.passed, verdict.failed) == (3, 0)
    assert verdict.not_applicable == {"a.big": "highmem,ram>=64M"}
    assert [t.seen for t in verdict.tests] == [
        ["gfp __GFP_DMA", "errno -EINVAL split_page"], [], []]


def test_a_passing_row_passes_with_garbage_in_ram(kernel, build_dir):
    verdict = judge(kernel, "pass", garbage=7)
    assert (verdict.passed, verdict.failed) == (3, 0)
    ram = (build_dir / "ram/16M-7.bin").read_bytes()
    assert len(ram) == 16 << 20 and ram.count(0) < len(ram) // 128


def test_expected_and_forbidden_lines_are_tests(kernel):
    verdict = judge(kernel, "pass", expect="^hello$\nno such line", forbid="ok 2\nnever seen")
    assert [(t.name, t.passed) for t in verdict.tests[3:]] == [
        ("expect: ^hello$", True), ("expect: no such line", False),
        ("forbid: ok 2", False), ("forbid: never seen", True)]
    assert (verdict.passed, verdict.failed) == (5, 2)


def test_a_modules_checksum_must_be_the_files(kernel):
    verdict = judge(kernel, "modules", modules=("random:1K:1", "random:1K:2"))
    assert [(t.name, t.passed) for t in verdict.tests[1:]] == [
        ("module random-1K-1.bin is read as it is", True),
        ("module random-1K-2.bin is read as it is", False)]


# ---- bad rows -----------------------------------------------------------------------------------


def test_a_failed_test_is_one_failure_with_its_diagnostics(kernel):
    verdict = judge(kernel, "fail")
    assert verdict.problems == []
    assert (verdict.passed, verdict.failed) == (1, 1)
    assert verdict.tests[1].diagnostics == ["a.second: tests/x.c:33: expected 1, got 2"]


def test_a_panic_is_a_failure(kernel):
    verdict = judge(kernel, "panic")
    assert verdict.failed == 1 and verdict.passed == 2
    assert "the kernel panicked" in verdict.problems[0]
    assert "panic: out of luck" in verdict.problems[1]


def test_a_panic_is_a_failure_even_if_the_exit_code_says_all_is_well(kernel):
    assert "panic: out of luck" in only_problem(judge(kernel, "hidden-panic"))


def test_a_triple_fault_is_a_failure_and_is_named(kernel):
    verdict = judge(kernel, "triple")
    assert verdict.failed == 1
    assert "triple fault" in verdict.problems[0]


def test_a_reset_is_a_failure_and_no_triple_fault(kernel):
    verdict = judge(kernel, "reset")
    assert verdict.failed == 1
    assert verdict.problems[0] == "the machine was reset"


def test_a_hang_is_a_failure_and_leaves_the_registers_in_the_log(kernel):
    verdict = judge(kernel, "hang", timeout="2")
    assert verdict.failed == 1
    assert "hang: no end after 2 s" in verdict.problems[0]
    assert re.search(r"^EIP=001\w+", verdict.log, re.M)


def test_missing_output_is_a_failure(kernel):
    assert "no plan" in judge(kernel, "silent").problems[0]


@pytest.mark.parametrize("behave, complaint", [
    ("short", "3 tests planned, 1 reported"),
    ("gap", "test numbers are not 1..3"),
    ("twice", "a.first is reported twice"),
    ("none", "no test ran"),
    ("no-totals", "totals are missing"),
    ("liar", "a clean poweroff"),
    ("pessimist", "the kernel reported failed tests"),
    ("odd", "QEMU's status is 171"),
])
def test_a_log_that_contradicts_itself_is_a_failure(kernel, behave, complaint):
    verdict = judge(kernel, behave)
    assert verdict.failed >= 1
    assert any(complaint in problem for problem in verdict.problems), verdict.problems


def test_endless_output_is_a_failure(kernel, monkeypatch):
    monkeypatch.setattr(run_qemu, "OUTPUT_MAX", 20000)
    assert "endless output" in judge(kernel, "flood").problems[0]


def test_a_row_that_stops_at_the_prompt_fails_at_once(kernel):
    verdict = judge(kernel, "monitor")
    assert "monitor's prompt" in verdict.problems[0]
    assert verdict.seconds < 15     # its time limit is 20


@pytest.mark.parametrize("keys", [
    {"cpu": "no-such-cpu"}, {"modules": ("no/such/file",)}, {"boot": "floppy"}])
def test_a_row_that_cannot_start_is_a_failure(kernel, keys):
    assert "did not start" in judge(kernel, "pass", **keys).problems[0]


def test_a_row_without_a_kernel_is_a_failure():
    assert "did not start" in judge("/no/such/kernel", "pass").problems[0]


@pytest.fixture(name="fake_make")
def fake_make_fixture(tmp_path, monkeypatch):
    """A function: instead of make, a script runs; returns the file of the words it was given."""
    def fake(script):
        program, words = tmp_path / "make", tmp_path / "words"
        program.write_text(f'#!/bin/sh\necho "$@" >> {words}\n{script}\n')
        program.chmod(0o755)
        monkeypatch.setattr(qtest, "make_argv", lambda: [str(program)])
        monkeypatch.setattr(qtest, "kernels", {})
        return words
    return fake


def test_rows_of_another_configuration_boot_a_kernel_that_is_built_once(kernel, fake_make,
                                                                        monkeypatch):
    words = fake_make(f"echo '  LINK    x'; echo {kernel}")
    monkeypatch.setenv("QUARRY_CC", "clang")
    monkeypatch.setenv("QUARRY_CONFIG", "SMP=0 KMALLOC_MAX_SIZE=131072")
    for _ in range(2):
        verdict = judge("/no/such/kernel", "pass", config="KMALLOC_MAX_SIZE=4194304")
        assert (verdict.passed, verdict.failed, verdict.problems) == (3, 0, [])
    asked, = words.read_text().splitlines()
    assert asked.endswith(" CC=clang CONFIG=SMP=0 KMALLOC_MAX_SIZE=4194304 print-kernel")


def test_a_configuration_that_does_not_build_is_a_failure(kernel, fake_make):
    fake_make("echo no rule; exit 2")
    verdict = judge(kernel, "pass", config="SMP=0")
    assert (verdict.passed, verdict.failed) == (0, 1)
    assert verdict.problems == ["the kernel with SMP=0 was not built"]
    assert verdict.log == "no rule\n"


@pytest.mark.parametrize("build, target", [("build", "build/host/a-b"),
                                           ("build/x", "build/x/host/a-b"),
                                           ("/elsewhere", "/elsewhere/host/a-b")])
def test_the_host_program_of_a_pytest_file_is_built_before_it_runs(fake_make, monkeypatch,
                                                                   tmp_path, build, target):
    words = fake_make("")
    (tmp_path / "tests").mkdir()
    monkeypatch.setattr(qtest, "ROOT", tmp_path)
    monkeypatch.setattr(qtest, "BUILD", tmp_path / build)
    path = tmp_path / "tests/test_x.py"
    path.write_text('PROGRAM = BUILD / "host/a-b"\n')
    job = qtest.pytest_job(path, "kernel")
    qtest.build_host_programs([job.program])
    assert words.read_text().split()[-1] == target
    path.write_text('PROGRAM = BUILD / "hosted/quarry-a-b"\n')
    assert qtest.pytest_job(path, "kernel").program.endswith("/hosted/quarry-a-b")
    path.write_text("# names none\n")
    assert qtest.pytest_job(path, "kernel").program == ""


@pytest.mark.parametrize("build", ["build", "build/x", "/elsewhere"])
def test_what_is_to_be_built_is_named_as_make_names_it(monkeypatch, build):
    monkeypatch.setattr(qtest, "BUILD", qtest.ROOT / build)
    given, = [w for w in qtest.make_argv() if w.startswith("BUILD=")] or ["BUILD=build"]
    assert qtest.make_target(str(qtest.BUILD / "host/a-b")) == given[len("BUILD="):] + "/host/a-b"


@pytest.mark.parametrize("log, shown", [("a\n# note: half of it\n", "      note: half of it\n"),
                                        ("a # note: no\n", "")])
def test_a_log_can_have_a_note_beside_the_verdict(capsys, log, shown):
    qtest.Printer(False, 3).verdict("job", qtest.Verdict(log=log), "job.log")
    assert capsys.readouterr().out.partition("\n")[2] == shown


def test_a_fault_of_the_runner_is_a_failure(kernel):
    def broken(stream):
        raise KeyError("oops")

    verdict = qtest.run_job(qtest.Job("broken", "row", broken), qtest.Printer(False, 10))
    assert verdict.failed == 1 and "the runner failed" in verdict.problems[0]


@pytest.mark.parametrize("behave, passed, complaint", [
    ("pass", 3, None), ("fail", 1, None), ("triple", 1, "triple fault")])
def test_bochs_is_judged_by_what_was_said_and_how_it_ended(kernel, behave, passed, complaint):
    verdict = judge(kernel, behave, kind="bochs", boot="iso")
    assert verdict.passed == passed
    assert verdict.failed == (behave != "pass")
    assert bool(verdict.problems) == bool(complaint)
    assert not complaint or complaint in verdict.problems[0]


# ---- rows that must die -------------------------------------------------------------------------


def test_a_due_panic_with_the_right_text_passes(kernel):
    verdict = judge(kernel, "death", kind="death", expect="double free of page 0x")
    assert (verdict.passed, verdict.failed) == (1, 0)
    assert verdict.tests[0].name == "death.death"


@pytest.mark.parametrize("behave, expect, complaint", [
    ("death", "stack overflow", "no line of the log matches: stack overflow"),
    ("survivor", "hello", "a panic was due"),
    ("pass", "hello", "a panic was due"),
    ("triple", "ok", "a panic was due: triple fault"),
])
def test_a_due_panic_that_does_not_come_is_a_failure(kernel, behave, expect, complaint):
    verdict = judge(kernel, behave, kind="death", expect=expect)
    assert (verdict.passed, verdict.failed) == (0, 1)
    assert any(complaint in line for line in verdict.tests[0].diagnostics)


# ---- the whole driver ---------------------------------------------------------------------------


def run_driver(kernel, monkeypatch, capsys, behaviours, keys=None):
    """qtest.run_all() over rows of the fixture; (went well, printed lines)."""
    class Config:
        def rows(self, long, tests=None):
            return [make_row(kernel, behave, **(keys or {})) for behave in behaviours]

    class Args:
        long, filter, verbose = False, "", False

    monkeypatch.setattr(qtest, "host_programs", lambda *_: [])
    monkeypatch.setattr(qtest, "pytest_files", lambda: [])
    monkeypatch.setattr(qtest, "hosted_jobs", lambda long: [])
    config = Config()
    config.kernel = kernel
    went_well = qtest.run_all(config, Args())
    return went_well, capsys.readouterr().out.splitlines()


def test_the_driver_closes_with_the_count(kernel, monkeypatch, capsys, build_dir):
    # a.big is not applicable in "pass", and nobody else runs it: that is the one failure
    went_well, lines = run_driver(kernel, monkeypatch, capsys, ["pass", "no-totals", "fail"])
    assert not went_well
    assert lines[-1] == "5 passed, 3 failed"
    assert "not ok a.big: it applied to no row (needs highmem,ram>=64M)" in lines
    results = json.loads((build_dir / "logs/results.json").read_text())
    assert results["complete"] is True
    assert results["jobs"]["pass"]["tests"]["a.first"]["seen"] == [
        "gfp __GFP_DMA", "errno -EINVAL split_page"]
    assert (build_dir / "logs/fail.log").read_text().startswith("KTAP version 1")


def test_the_driver_is_content_only_when_something_passed(kernel, monkeypatch, capsys):
    went_well, lines = run_driver(kernel, monkeypatch, capsys, ["death"],
                                  {"kind": "death", "expect": "double free"})
    assert went_well and lines[-1] == "1 passed, 0 failed"
    assert not qtest.summary({}, 0.0, {})


def test_a_host_program_that_dies_or_lies_is_a_failure(tmp_path):
    def verdict(script):
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return qtest.host_job(program).run(lambda text: None)

    good = "echo KTAP version 1; echo 1..1; echo ok 1 a.b;"
    bad = good.replace("ok 1", "not ok 1")
    assert (verdict(good).passed, verdict(good).failed) == (1, 0)
    assert (verdict(bad + "exit 1").problems, verdict(bad + "exit 1").failed) == ([], 1)
    assert verdict(good + "exit 3").problems == ["exit status 3"]
    assert verdict(good + "kill -SEGV $$").problems == ["killed by signal 11"]
    assert verdict(bad).problems == ["exit status 0"]
    assert "no plan: the tests did not start" in verdict("true").problems


def test_a_pytest_file_that_fails_skips_or_holds_nothing_is_a_failure(tmp_path, monkeypatch):
    tests = tmp_path / "tests"
    tests.mkdir()
    monkeypatch.setattr(qtest, "ROOT", tmp_path)

    def verdict(text):
        path = tests / "test_x.py"
        path.write_text(text)
        return qtest.pytest_job(path, "kernel").run(lambda text: None)

    three = verdict("import pytest\ndef test_a(): pass\ndef test_b(): assert 0\n"
                    "def test_c(): pytest.skip('no')\n")
    assert (three.passed, three.failed, three.problems) == (1, 2, [])
    assert "no test ran" in verdict("").problems
    assert verdict("import nothing_of_that_name\n").failed >= 1


# ---- typed input --------------------------------------------------------------------------------


def environment():
    return {**os.environ, "QUARRY_BUILD": str(run_qemu.BUILD)}


def run_typed(kernel, text, *options):
    """`printf ... | make run`, as far as run_qemu.py has a part in it."""
    return subprocess.run(
        [RUN, "run", "--kernel", kernel, "--mem", "16M", *options], input=text, text=True,
        capture_output=True, timeout=30, check=False, env=environment())


def test_typed_lines_are_answered_and_the_machine_is_powered_off(kernel):
    done = run_typed(kernel, "meminfo\nzoneinfo\n", "--append", "behave=monitor")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "hello", "quarry> meminfo", "you said meminfo", "quarry> zoneinfo", "you said zoneinfo",
        "quarry> poweroff"]


def test_no_input_at_all_is_a_clean_run(kernel):
    assert run_typed(kernel, "", "--append", "behave=monitor").returncode == 0


def test_a_typed_reboot_starts_the_machine_again(kernel):
    done = run_typed(kernel, "reboot\nmeminfo\n", "--append", "behave=monitor")
    assert done.returncode == 0
    assert done.stdout.count("hello") == 2 and "you said meminfo" in done.stdout


@pytest.mark.parametrize("behave, typed, complaint", [
    ("monitor", "panic\nmeminfo\n", "panicked"),
    ("triple", "meminfo\n", "triple fault"),
    ("reset", "meminfo\n", "was reset"),
    ("monitor", "hang\n", "hang"),
    ("hang", "", "hang"),
    ("fail", "", "failed tests"),
])
def test_a_typed_run_that_goes_wrong_says_so(kernel, behave, typed, complaint):
    patience = "2" if complaint == "hang" else "20"
    done = run_typed(kernel, typed, "--append", f"behave={behave}", "--timeout", patience)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_a_user_at_a_terminal_has_the_serial_line(kernel):
    child = pexpect.spawn(str(RUN), ["run", "--kernel", kernel, "--mem", "16M", "--append",
                                     "behave=monitor"], timeout=20, encoding="utf-8",
                          env=environment())
    child.expect("quarry> ")
    child.send("meminfo\r")
    child.expect("you said meminfo")
    child.expect("quarry> ")
    child.send("poweroff\r")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_console_hands_each_commands_output_to_a_script(kernel):
    with Console(Machine(kernel, mem="16M", append="behave=monitor", name="console")) as console:
        assert console.greeting.startswith("hello")
        assert console.command("one") == "you said one\n"
        assert console.command("two") == "you said two\n"
        assert console.poweroff().kind == "poweroff"


def test_a_console_reports_an_unexpected_end(kernel):
    with Console(Machine(kernel, mem="16M", append="behave=monitor", name="console")) as console:
        with pytest.raises(MachineEnded) as ended:
            console.command("panic")
        assert ended.value.end.kind == "panic"
        assert "panic: as you wish" in ended.value.text


# ---- the ISO is made once -----------------------------------------------------------------------


def test_an_iso_is_rebuilt_only_when_an_input_changes(kernel, tmp_path):
    module = tmp_path / "module"
    module.write_text("one")
    machine = Machine(kernel, boot="iso", append="a=b c$d", modules=(f"{module} x",), name="iso")
    path = run_qemu.make_iso(machine)
    made = os.stat(path).st_mtime_ns
    assert os.stat(run_qemu.make_iso(machine)).st_mtime_ns == made
    module.write_text("two")
    assert os.stat(run_qemu.make_iso(machine)).st_mtime_ns != made
    assert "multiboot2 /boot/quarry.elf 'a=b' 'c$d'" in run_qemu.grub_cfg(machine)
    assert "module2 /boot/module 'module' 'x'" in run_qemu.grub_cfg(machine)
