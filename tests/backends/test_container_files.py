"""The Dockerfile of examples/deploy against its linter, and the compose file against `docker-compose config`."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from backends.environments import python

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"


def lint(path: Path) -> list[str]:
    command = [python("hadolint").parent / "hadolint", "--no-color", "--format", "json", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    return [entry["code"] for entry in json.loads(done.stdout)]


@pytest.mark.backends
def test_the_linter_has_nothing_to_say_of_the_dockerfile(tmp_path: Path) -> None:
    assert lint(DEPLOY / "Dockerfile") == []
    wrong = tmp_path / "Dockerfile"
    wrong.write_text((DEPLOY / "Dockerfile").read_text().replace("WORKDIR /source", "WORKDIR source"))
    assert lint(wrong) == ["DL3000"]


def configured(path: Path) -> subprocess.CompletedProcess[str]:
    command = ["docker-compose", "--project-directory", str(DEPLOY), "--file", str(path), "config"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)


@pytest.mark.debian
def test_docker_compose_takes_the_compose_file(tmp_path: Path) -> None:
    done = configured(DEPLOY / "compose.yaml")
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert yaml.safe_load(done.stdout)["services"].keys() == services.keys()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text().replace("read_only:", "readonly:"))
    assert "Unsupported config option for services.gateway" in configured(wrong).stderr
