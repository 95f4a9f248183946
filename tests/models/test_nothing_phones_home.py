"""What judges answers tells nobody of it: the runtime's own telemetry stays off."""

import os
import subprocess
import sys
from pathlib import Path

_JUDGE = """
import otel_agent_eval.cli
from otel_agent_eval.models.builtin import load_builtin
load_builtin("toxicity")
"""


def _written_at_home(home: Path, code: str) -> list[str]:
    """Run code with a home of its own, not in CI as far as it can see, and return the files that it has left there."""
    home.mkdir()
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


def test_onnx_runtime_collects_nothing(tmp_path: Path) -> None:
    assert _written_at_home(tmp_path / "ours", _JUDGE) == []


def test_this_would_be_seen(tmp_path: Path) -> None:
    """The runtime as it comes puts what it is going to send into a file; where it no longer does, look again."""
    assert any("onnxruntime" in name for name in _written_at_home(tmp_path / "plain", "import onnxruntime"))
