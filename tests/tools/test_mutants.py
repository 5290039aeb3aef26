"""What `make mutants` changes, draws, judges and counts: on a sample, and in a tree of one file."""
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"
sys.path.insert(0, str(TOOLS))

import mutants  # noqa: E402
import mutate  # noqa: E402

SAMPLE = """\
/* if (a < b) is no code here. */
#include <quarry/mm.h>
#define ROOM 4u

static const int table[2] = { 7, 8 };
static_assert(ROOM > 3, "room");

static int first(const char *s, int order)
{
	int nr = 0;

	for (int i = 0; i < NR_THINGS; i++) {
		if (s[i] && order != 2)
			nr += 1;
		else
			note("a < b");
	}
	take(order, ZONE_DMA);
	return nr > 5 ? nr : table[1];
}
"""


def changes(operator, text=SAMPLE):
    return [(text[s.start:s.end], s.afters) for s in mutate.sites_of("mm/a.c", text)
            if s.operator == operator]


@pytest.mark.parametrize("operator, expected", [
    ("compare", [("<", ("<=",)), ("!=", ("==",)), (">", (">=",))]),
    ("logic", [("&&", ("||",))]),
    ("negate", [("i < NR_THINGS", ("!(i < NR_THINGS)",)),
                ("s[i] && order != 2", ("!(s[i] && order != 2)",)),
                ("nr > 5", ("!(nr > 5)",))]),
    ("call", [('note("a < b");', ('while (0) note("a < b");',)),
              ("take(order, ZONE_DMA);", ("while (0) take(order, ZONE_DMA);",))]),
    ("store", [("nr += 1;", ("while (0) nr += 1;",))]),
    ("return", [("nr > 5 ? nr : table[1]", ("0",))]),
    ("swap", [("ZONE_DMA", ("ZONE_NORMAL", "ZONE_HIGHMEM"))]),
    ("order", [("order", ("(order + 1)", "(order - 1)"))] * 2),
    ("bound", [("NR_THINGS", ("(NR_THINGS + 1)", "(NR_THINGS - 1)"))]),
])
def test_an_operator_finds_its_places(operator, expected):
    assert changes(operator) == expected


def test_constants_are_found_in_defines_and_tables_but_not_in_assertions():
    found = [before for before, _ in changes("constant")]
    assert found == ["4u", "2", "7", "8", "0", "0", "2", "1", "5", "1"]
    assert changes("constant")[0] == ("4u", ("5u", "3u"))


def test_an_array_is_made_smaller_only():
    text = "static void f(void)\n{\n\tint *a[NR_X];\n\n\ta[NR_X] = b[NR_X];\n}\n"
    assert [len(afters) for _, afters in changes("bound", text)] == [1, 2, 2]


def test_a_mutant_differs_in_its_place_only():
    site = next(s for s in mutate.sites_of("mm/a.c", SAMPLE) if s.operator == "logic")
    mutant = mutate.mutant_of(site, SAMPLE, "||")
    assert mutant.text == SAMPLE.replace("&&", "||")
    assert mutant.line == 13
    assert [line for line in mutant.diff(SAMPLE).splitlines() if line[:2] in ("-\t", "+\t")] == [
        "-\t\tif (s[i] && order != 2)", "+\t\tif (s[i] || order != 2)"]


def test_every_site_is_drawn_once_in_an_order_that_the_seed_makes():
    texts = {"mm/a.c": SAMPLE}
    one, again, other = ([m.id for m in mutate.drawn(texts, seed)] for seed in (1, 1, 2))
    assert one == again != other
    assert len(one) == len(set(one)) == len(mutate.sites_of("mm/a.c", SAMPLE))


def test_ids_stay_when_lines_are_added_above():
    longer = SAMPLE.replace("static const", "int more;\n\nstatic const")
    assert [m.id for m in mutate.drawn({"mm/a.c": SAMPLE}, 3)] == \
        [m.id for m in mutate.drawn({"mm/a.c": longer}, 3)]


def entries(tmp_path, text):
    path = tmp_path / "list.txt"
    path.write_text(text)
    return path


PLANTED = """\
# a remark
[wrong-sum]
file: mm/a.c
bug: adds
  too much
-			nr += 1;
+			nr += 2;
"""


def test_a_planted_mutant_is_the_file_with_its_text_replaced(tmp_path):
    found, = mutate.planted(entries(tmp_path, PLANTED), {"mm/a.c": SAMPLE})
    assert (found.id, found.note, found.line) == ("wrong-sum", "adds too much", 14)
    assert found.text == SAMPLE.replace("+= 1", "+= 2")


@pytest.mark.parametrize("change, why", [
    (("nr += 1;", "nr += 3;"), "applies 0 times to mm/a.c"),
    (("-\t\t\tnr += 1;\n+\t\t\tnr += 2;", "-\n+\n+"), "applies 3 times"),
    (("bug: adds\n  too much\n", ""), "has no bug"),
    (("+= 2", "+= 1"), "changes nothing"),
    (("mm/a.c", "mm/none.c"), "applies 0 times to mm/none.c"),
    (("file:", "nonsense"), "neither a heading"),
])
def test_a_planted_mutant_that_does_not_apply_once_is_an_error(tmp_path, change, why):
    with pytest.raises(mutate.ListError, match=why):
        mutate.planted(entries(tmp_path, PLANTED.replace(*change)), {"mm/a.c": SAMPLE})


def test_two_planted_mutants_of_one_name_are_an_error(tmp_path):
    with pytest.raises(mutate.ListError, match="two entries"):
        mutate.planted(entries(tmp_path, PLANTED + PLANTED), {"mm/a.c": SAMPLE})


def test_the_lists_fit_the_tree():
    """Or the next run ends at once, or counts a remark on a mutant that there no longer is."""
    texts = mutants.read_texts(ROOT, "")
    mutate.planted(ROOT / "tests/mutants/planted.txt", texts)
    known = {m.id: m.path for m in mutate.all_mutants(texts)}
    for entry in mutate.read_entries(ROOT / "tests/mutants/equivalent.txt"):
        assert known.get(entry.name) == entry.keys["file"], entry.name


# ---- a run, with judges that are not there ------------------------------------------------------


class Judges:
    """Says of the n-th mutant that it is shown what it was told to say."""

    def __init__(self, verdicts):
        self.verdicts, self.shown = list(verdicts), []

    def judge(self, mutant):
        self.shown.append(mutant.id)
        return {"verdict": self.verdicts.pop(0), "judge": "j", "why": "w", "seconds": 0.0}

    def close(self, at_once):
        pass


def make_run(tmp_path, judges, code="c", tests="t", equivalent=()):
    results = mutants.Results(tmp_path / "results.jsonl", code, tests)
    return mutants.Run(results, lambda: judges, 1, equivalent)


def test_what_is_no_mutant_is_drawn_again(tmp_path):
    judges = Judges(["no-compile", "killed", "same-code", "survived", "killed"])
    done, dropped = make_run(tmp_path, judges).draw(mutate.drawn({"mm/a.c": SAMPLE}, 1), 3)
    assert [verdict["verdict"] for _, verdict in done] == ["killed", "survived", "killed"]
    assert dropped == {"no-compile": 1, "same-code": 1}
    assert judges.shown == [m.id for m in mutate.drawn({"mm/a.c": SAMPLE}, 1)][:5]


@pytest.mark.parametrize("code, tests, nr_again", [("c", "t", 0), ("c", "T", 1), ("C", "T", 4)])
def test_a_run_takes_from_the_one_before_what_still_holds(tmp_path, code, tests, nr_again):
    verdicts = ["killed", "same-code", "survived", "killed"]
    make_run(tmp_path, Judges(verdicts)).draw(mutate.drawn({"mm/a.c": SAMPLE}, 1), 3)
    with (tmp_path / "results.jsonl").open("a") as out:
        out.write('{"id": "broken o')     # as a run that is killed leaves it
    judges = Judges(verdicts[-nr_again:] if nr_again else [])
    make_run(tmp_path, judges, code, tests).draw(mutate.drawn({"mm/a.c": SAMPLE}, 1), 3)
    assert len(judges.shown) == nr_again


def finish(tmp_path, capsys, drawn, planted, equivalent=""):
    """(was it enough?, the lines printed) of a run with these verdicts."""
    listed = mutate.read_entries(entries(tmp_path, equivalent))
    run = make_run(tmp_path, Judges(drawn + planted), equivalent=listed)
    args = type("Args", (), {"seed": 1, "number": len(drawn)})
    by_hand = [mutate.Mutant(f"p{i}", "mm/a.c", 1, "planted", "a", "b", f"{i}", "bug")
               for i in range(len(planted))]
    fine = mutants.run_all(run, {"mm/a.c": SAMPLE}, args, by_hand, listed)
    return fine, capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("nr_drawn, nr_planted, enough", [
    (17, 19, True), (16, 20, False), (20, 18, False), (20, 20, True)])
def test_the_goals_are_85_of_100_and_38_of_40(tmp_path, capsys, nr_drawn, nr_planted, enough):
    drawn = ["killed"] * nr_drawn + ["survived"] * (20 - nr_drawn)
    planted = ["killed"] * nr_planted + ["survived"] * (20 - nr_planted)
    fine, lines = finish(tmp_path, capsys, drawn, planted)
    assert fine == enough
    assert lines[-2:] == [f"killed {nr_drawn} of 20 drawn by seed 1",
                          f"killed {nr_planted} of 20 planted"]
    assert sum(line.startswith("survived: ") for line in lines) == 40 - nr_drawn - nr_planted


def equivalent_to(*ids):
    return "".join(f"[{i}]\nreason: nobody looks\naccepted: a second reader\n" for i in ids)


def test_equivalent_mutants_count_as_survivors(tmp_path, capsys):
    first = next(mutate.drawn({"mm/a.c": SAMPLE}, 1)).id
    fine, lines = finish(tmp_path, capsys, ["survived"] + ["killed"] * 9, ["killed"],
                         equivalent_to(first))
    assert fine and "killed 9 of 10 drawn by seed 1" in lines
    assert any("SURVIVED, equivalent: nobody looks" in line for line in lines)


def test_an_equivalent_mutant_that_is_killed_is_an_error(tmp_path, capsys):
    first = next(mutate.drawn({"mm/a.c": SAMPLE}, 1)).id
    fine, lines = finish(tmp_path, capsys, ["killed"] * 10, ["killed"], equivalent_to(first))
    assert not fine
    assert f"mutants: {first} is listed as equivalent, but was killed by j" in lines


def test_an_equivalent_mutant_needs_a_reason_and_a_second_reader(tmp_path, capsys):
    fine, _ = finish(tmp_path, capsys, ["killed"] * 10, ["killed"], "[x]\nreason: none\n")
    assert not fine


def test_more_than_ten_equivalent_mutants_are_too_many(tmp_path, capsys):
    ids = [m.id for m in mutate.drawn({"mm/a.c": SAMPLE}, 1)][:11]
    verdicts = ["survived"] * 11 + ["killed"] * 13
    fine, lines = finish(tmp_path, capsys, verdicts, ["killed"], equivalent_to(*ids))
    assert not fine and "mutants: 11 equivalent mutants, at most 10 are allowed" in lines


# ---- a tree of one file -------------------------------------------------------------------------

MAKEFILE = """\
BUILD ?= build
.PHONY: all
$(BUILD)/x86-gcc/quarry.elf: $(BUILD)/x86-gcc/mm/a.o
	@mkdir -p $(@D)
	gcc -o $@ $^
$(BUILD)/x86-gcc/mm/a.o: mm/a.c
	@mkdir -p $(@D)
	gcc -O2 -Wall -Werror -c mm/a.c -o $@
"""

PROGRAM = """\
#include <stdio.h>
#include <stdlib.h>
static int sum(int n)
{
	int s = 0;

	for (int i = 0; i < n; i++)
		s += i;
	return s;
}

int main(int argc, char **argv)
{
	int spare = 3;

	if (argc > 5 && argv)
		puts("five");
	return spare && sum(argc + 3) != 6;
}
"""

CASES = {"wrong": "-		s += i;\n+		s += i + 1;\n",
         "unseen": '-		puts("five");\n+		puts("four");\n',
         "endless": "-	for (int i = 0; i < n; i++)\n+	for (volatile int i = 0; n; i++)\n",
         "same": "-	int spare = 3;\n+	int spare = 4;\n",
         "no-c": "-	return s;\n+	return t;\n"}


@pytest.fixture(name="tree")
def little_tree(tmp_path):
    tree = tmp_path / "tree"
    for name, text in {"Makefile": MAKEFILE, "mm/a.c": PROGRAM,
                       "tests/mutants/equivalent.txt": "",
                       "tests/mutants/judges.cfg": "[defaults]\nkind = command\n"
                       "build = x86-gcc/quarry.elf\ncommand = build/x86-gcc/quarry.elf\n"
                       "files =\nseconds = 1\n\n[run]\n"}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tree / "tests/mutants/planted.txt").write_text("\n".join(
        f"[{name}]\nfile: mm/a.c\nbug: of this kind\n{change}" for name, change in CASES.items()))
    shutil.copytree(TOOLS, tree / "tools", ignore=shutil.ignore_patterns("__pycache__", "gdb"))
    return tree


def mutants_of(tree, *arguments):
    return subprocess.run(["/usr/bin/python3", "tools/mutants.py", "--workers", "1", *arguments],
                          cwd=tree, capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1",
                               "BUILD": "an/outer/make's"})


def test_each_mutant_is_built_judged_and_undone(tree):
    said = mutants_of(tree, "--number", "0")
    assert said.stdout.splitlines()[-2:] == ["killed 0 of 0 drawn by seed 1",
                                             "killed 2 of 3 planted"]
    verdicts = {r["id"]: r["verdict"] for r in map(
        json.loads, (tree / "build/mutants/results.jsonl").read_text().splitlines())}
    assert verdicts == {"wrong": "killed", "unseen": "survived", "endless": "killed",
                        "same": "same-code", "no-c": "no-compile"}
    assert "mutants: 1 planted mutants are none: same-code" in said.stdout
    assert said.returncode == 1
    assert (tree / "build/mutants/copy-0/mm/a.c").read_text() == PROGRAM


def test_one_mutant_is_shown_as_a_diff_and_its_verdict_is_the_status(tree):
    killed, survived = (mutants_of(tree, "--only", name) for name in ("wrong", "unseen"))
    assert "+\t\ts += i + 1;" in killed.stdout and "killed by run: status 1" in killed.stdout
    assert (killed.returncode, survived.returncode) == (0, 1)
    assert "+\t\ts += i + 1;" in mutants_of(tree, "--show", "wrong").stdout
    assert mutants_of(tree, "--only", "nobody").returncode == 2


def test_judges_that_do_not_accept_the_unchanged_tree_end_the_run(tree):
    (tree / "mm/a.c").write_text(PROGRAM.replace("!= 6", "!= 7"))
    said = mutants_of(tree, "--number", "1")
    assert said.returncode == 2
    assert "run is not content with the unchanged tree: status 1" in said.stderr


def test_a_run_that_is_ended_from_outside_leaves_nobody_behind(tree):
    copy = tree / "build/mutants/copy-0"
    judges = tree / "tests/mutants/judges.cfg"
    judges.write_text(judges.read_text().replace("seconds = 1", "seconds = 60"))
    process = subprocess.Popen(["/usr/bin/python3", "tools/mutants.py", "--only", "endless"],
                               cwd=tree, stdout=subprocess.PIPE, text=True)
    for line in process.stdout:     # the diff, then what is being built
        if line.startswith("building"):
            break
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and "volatile" not in text_of(copy / "mm/a.c"):
        time.sleep(0.05)
    process.terminate()
    assert process.wait(timeout=30) == 130
    assert not subprocess.run(["pgrep", "-f", f"{copy}/tools/mutant_worker.py"], check=False,
                              capture_output=True).stdout


def text_of(path):
    return path.read_text() if path.exists() else ""


def test_a_filter_that_names_no_file_is_an_error(tree):
    said = mutants_of(tree, "--filter", "mm/none*")
    assert said.returncode == 2 and "no file of mm/ is called 'mm/none*'" in said.stderr


def test_what_is_no_longer_in_the_tree_goes_from_its_copy(tmp_path):
    root, copy = tmp_path, tmp_path / "build/copy"
    for name in ("kept.c", "mm/gone.c", "build/copy/build/built.o"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
    (root / ".gitignore").write_text("build/\n")
    subprocess.run(["git", "init", "-q", root], check=True)
    mutants.sync(root, copy)
    assert (copy / "mm/gone.c").exists()
    (root / "mm/gone.c").unlink()
    mutants.sync(root, copy)
    assert not (copy / "mm/gone.c").exists()
    assert (copy / "kept.c").exists() and (copy / "build/built.o").exists()


def test_what_a_broken_off_run_left_in_its_copy_is_mended(tree):
    mutants_of(tree, "--only", "unseen")
    copy = tree / "build/mutants/copy-0"
    (copy / "mm/a.c").write_text(PROGRAM.replace("s += i", "s += 2"))
    subprocess.run(["make", "build/x86-gcc/quarry.elf"], cwd=copy, check=True,
                   stdout=subprocess.DEVNULL)
    assert "SURVIVED" in mutants_of(tree, "--only", "unseen").stdout
