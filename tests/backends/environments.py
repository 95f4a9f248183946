"""Virtual environments for the real software that these tests talk to, one for each set that can live together.

`python tests/backends/environments.py [NAME ...]` makes what is missing; a changed requirements file makes it anew.
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent / ".venvs"
NAMES = tuple(sorted(path.stem for path in (HERE / "requirements").glob("*.txt")))


def python(name: str) -> Path:
    """Return the interpreter of an environment that `prepare` has made."""
    path = ROOT / name / "bin" / "python"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `python tests/backends/environments.py {name}` first")
    return path


def prepare(name: str) -> None:
    """Make the environment unless it stands and its requirements have not changed since."""
    requirements = HERE / "requirements" / f"{name}.txt"
    stamp = ROOT / name / f".installed-{hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]}"
    if stamp.exists():
        return
    sys.stderr.write(f"preparing {ROOT.name}/{name} ...\n")
    venv.create(ROOT / name, with_pip=True, clear=True)
    pip = [ROOT / name / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", requirements], check=True, cwd=ROOT.parent)  # where the project is `.`
    stamp.touch()


if __name__ == "__main__":
    for wanted in sys.argv[1:] or NAMES:
        prepare(wanted)
