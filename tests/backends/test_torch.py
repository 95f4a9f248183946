"""Models in torch beside the libraries that their scores must agree with, and OpenVINO, where these are installed."""

import subprocess
from pathlib import Path

import pytest
from backends.environments import python

pytestmark = pytest.mark.backends
ROOT = Path(__file__).parents[2]
FILES = [*sorted((ROOT / "tests" / "pretrained").glob("test_*.py")), ROOT / "tests" / "models" / "test_runtimes.py"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)
def test_what_needs_other_runtimes_passes_there(file: Path) -> None:
    command = [python("torch"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout-method=thread", file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:]
