"""What the tests of the runner share: the path to the tools, a kernel, a build directory."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))


@pytest.fixture(scope="session")
def kernel(tmp_path_factory):
    """The kernel of fixture.asm."""
    binary = tmp_path_factory.mktemp("fixture") / "fixture.bin"
    subprocess.run(["nasm", "-f", "bin", "-o", binary, ROOT / "tests/runner/fixture.asm"],
                   check=True)
    return str(binary)


@pytest.fixture(scope="session", autouse=True)
def build_dir(tmp_path_factory):
    """Logs, ISOs and RAM files of these tests stay out of build/."""
    import qtest
    import run_qemu
    build = tmp_path_factory.mktemp("build")
    (build / "logs").mkdir()
    qtest.BUILD = run_qemu.BUILD = build
    return build
