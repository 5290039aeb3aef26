"""A seed is a schedule: the same words on the command line are the same run, in any process."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
BUILD = Path(os.environ.get("QUARRY_BUILD", ROOT / "build"))
PROGRAM = BUILD / "hosted/quarry-m64-gcc-asan"
HASH = re.compile(r"^# schedule: .*hash=[0-9a-f]{16}$", re.M)


def hashes(seed):
    """One line for each round of a walk."""
    argv = [str(PROGRAM), "-m", "64", "-c", "3", "loglevel=8", "test=smp_walk.objects*",
            "steps=2000", f"seed={seed}"]
    run = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                         timeout=100, check=True)
    return HASH.findall(run.stdout)


@pytest.fixture(scope="module")
def of_seed_7():
    if not PROGRAM.exists():    # when this file runs alone
        subprocess.run(["make", "-s", "-C", str(ROOT), f"BUILD={BUILD}", str(PROGRAM)],
                       stdin=subprocess.DEVNULL, check=True)
    return hashes(7)


def test_the_same_seed_is_the_same_schedule_in_another_process(of_seed_7):
    assert len(of_seed_7) >= 3
    assert hashes(7) == of_seed_7


def test_another_seed_is_another_schedule(of_seed_7):
    assert not set(hashes(8)) & set(of_seed_7)
