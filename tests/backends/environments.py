"""Environments for the real software that these tests talk to, one for each set that can live together.

`python tests/backends/environments.py [NAME ...]` makes what is missing; a changed requirements file makes it anew.
They are virtual environments of Python, but for `grafana`, which has packages of npm and is left out without it.
"""

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent / ".venvs"
GRAFANA = "grafana"
NAMES = (*sorted(path.stem for path in (HERE / "requirements").glob("*.txt")), GRAFANA)


def python(name: str) -> Path:
    """Return the interpreter of an environment that `prepare` has made."""
    path = ROOT / name / "bin" / "python"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `python tests/backends/environments.py {name}` first")
    return path


def node_modules() -> Path:
    """Return the folder of Grafana's packages that `prepare` has made."""
    path = ROOT / GRAFANA / "node_modules"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `python tests/backends/environments.py {GRAFANA}` first")
    return path


def prepare(name: str) -> None:
    """Make the environment unless it stands and its requirements have not changed since."""
    node = name == GRAFANA
    requirements = HERE / name / "package-lock.json" if node else HERE / "requirements" / f"{name}.txt"
    stamp = ROOT / name / f".installed-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}"
    if stamp.exists():
        return
    sys.stderr.write(f"preparing {ROOT.name}/{name} ...\n")
    if node:
        _install_npm_packages(requirements, ROOT / name)
    else:
        venv.create(ROOT / name, with_pip=True, clear=True)
        pip = [ROOT / name / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", requirements], check=True, cwd=ROOT.parent)  # where the project is `.`
    stamp.touch()


def _install_npm_packages(lock: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in (lock, lock.with_name("package.json")):
        shutil.copy(path, folder)
    subprocess.run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], check=True, cwd=folder)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or NAMES:
        if wanted != GRAFANA or shutil.which("npm"):
            prepare(wanted)
