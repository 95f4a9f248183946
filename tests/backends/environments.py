"""Environments for the real software that these tests talk to, one for each set that can live together.

`python tests/backends/environments.py [NAME ...]` makes what is missing; a changed requirements file makes it anew.
They are virtual environments of Python. A folder of the same name with a package-lock.json adds packages of npm, which
the environment brings itself; `grafana` has nothing else, and is left out where npm is not installed.
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


def node_modules(name: str = GRAFANA) -> Path:
    """Return the folder of an environment's packages of npm that `prepare` has made."""
    path = ROOT / name / "node_modules"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `python tests/backends/environments.py {name}` first")
    return path


def prepare(name: str) -> None:
    """Make the environment unless it stands and its requirements have not changed since."""
    requirements, lock = HERE / "requirements" / f"{name}.txt", HERE / name / "package-lock.json"
    pinned = b"".join(path.read_bytes() for path in (requirements, lock) if path.exists())
    stamp = ROOT / name / f".installed-{hashlib.sha256(pinned).hexdigest()[:16]}"
    if stamp.exists():
        return
    sys.stderr.write(f"preparing {ROOT.name}/{name} ...\n")
    if requirements.exists():
        venv.create(ROOT / name, with_pip=True, clear=True)
        pip = [ROOT / name / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", requirements], check=True, cwd=ROOT.parent)  # where the project is `.`
    if lock.exists():
        _install_npm_packages(lock, ROOT / name)
    stamp.touch()


def _install_npm_packages(lock: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in (lock, lock.with_name("package.json")):
        shutil.copy(path, folder)
    own = folder / "bin" / "npm"
    npm = own if own.exists() else "npm"
    subprocess.run([npm, "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], check=True, cwd=folder)


if __name__ == "__main__":
    for wanted in sys.argv[1:] or NAMES:
        if wanted != GRAFANA or shutil.which("npm"):
            prepare(wanted)
