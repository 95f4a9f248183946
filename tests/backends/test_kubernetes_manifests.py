"""The manifests of examples/deploy/kubernetes against Kubernetes' own schemas."""

import subprocess
from pathlib import Path

import pytest
from backends.environments import python

pytestmark = pytest.mark.backends
MANIFESTS = sorted((Path(__file__).parents[2] / "examples" / "deploy" / "kubernetes").glob("*.yaml"))


def check(path: Path) -> subprocess.CompletedProcess[str]:
    command = [python("kubernetes").parent / "kubernetes-validate", "--strict", path]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_keeps_to_the_schemas(path: Path) -> None:
    done = check(path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_manifest_with_a_misspelt_key_does_not(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(MANIFESTS[0].read_text().replace("serviceName:", "servicename:"))
    assert check(wrong).returncode != 0
