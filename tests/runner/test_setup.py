"""tools/setup.sh: nothing to do, something to do, and nobody allowed to do it.

dpkg-query, apt-get, sudo and id are stand-ins that the test puts first on the path.
"""

import os
import resource
import subprocess

import pytest

from run_qemu import ROOT

SETUP = ROOT / "tools/setup.sh"
TOOLS = ("bash", "env", "id", "cat", "sed", "printf")


@pytest.fixture(name="world")
def world_fixture(tmp_path):
    """A function: run setup.sh with these commands, and no others, on the path."""
    def run(*args, **scripts):
        for name, script in scripts.items():
            path = tmp_path / name.replace("_", "-")
            path.write_text(f"#!/bin/bash\n{script}\n")
            path.chmod(0o755)
        for tool in TOOLS:
            if not (tmp_path / tool).exists():
                (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
        environment = {**os.environ, "PATH": str(tmp_path)}
        return subprocess.run(["/bin/bash", SETUP, *args], env=environment, cwd=tmp_path,
                              capture_output=True, text=True, check=False)
    return run


ALL_THERE = 'for p in "${@:3}"; do echo "$p installed"; done'
NO_NASM = 'for p in "${@:3}"; do [ $p = nasm ] || echo "$p installed"; done; exit 1'
RECORD = 'echo "$0 $*" >> calls'
ROOT_ID = "echo 0"
USER_ID = "echo 1000"


def calls(tmp_path):
    path = tmp_path / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_nothing_happens_when_all_is_there(world, tmp_path):
    done = world(dpkg_query=ALL_THERE, apt_get=RECORD)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert calls(tmp_path) == []


def test_it_costs_less_than_a_third_of_a_second_of_processor_time():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([SETUP, "--check"], stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3


def test_only_what_is_missing_is_installed(world, tmp_path):
    done = world(dpkg_query=NO_NASM, apt_get=RECORD, id=ROOT_ID)
    assert done.returncode == 0
    assert "installing nasm" in done.stderr
    assert [call.split(" ", 1)[1] for call in calls(tmp_path)] == [
        "install -y -q --no-install-recommends nasm"]


def test_the_index_is_fetched_when_the_first_try_fails(world, tmp_path):
    once = RECORD + "; [ $1 = update ] && touch fetched; [ -e fetched ]"
    done = world(dpkg_query=NO_NASM, apt_get=once.replace("touch", "> "), id=ROOT_ID)
    assert done.returncode == 0, done.stderr
    assert [call.split()[1] for call in calls(tmp_path)] == ["install", "update", "install"]


def test_a_failed_installation_is_a_failure(world):
    done = world(dpkg_query=NO_NASM, apt_get="exit 100", id=ROOT_ID)
    assert done.returncode != 0


def test_a_user_goes_through_sudo(world, tmp_path):
    done = world(dpkg_query=NO_NASM, apt_get=RECORD, id=USER_ID, sudo=RECORD + '; "$@"')
    assert done.returncode == 0
    assert len(calls(tmp_path)) == 2 and "sudo" in calls(tmp_path)[0]


def test_without_root_and_sudo_it_says_what_to_do(world, tmp_path):
    done = world(dpkg_query=NO_NASM, apt_get=RECORD, id=USER_ID)
    assert done.returncode == 1
    assert "neither root nor sudo" in done.stderr and "apt-get install nasm" in done.stderr
    assert calls(tmp_path) == []


def test_check_names_what_is_missing_and_installs_nothing(world, tmp_path):
    done = world("--check", dpkg_query=NO_NASM, apt_get=RECORD)
    assert (done.returncode, done.stdout) == (1, "nasm\n")
    assert calls(tmp_path) == []
    assert world("--check", dpkg_query=ALL_THERE).returncode == 0


def test_a_system_without_dpkg_is_told_so(world):
    done = world()
    assert done.returncode == 1 and "no dpkg" in done.stderr
