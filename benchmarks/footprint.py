"""What a gateway costs before it does anything: time to start, memory, idle CPU, and the size of an installation.

    python benchmarks/footprint.py [--starts 5] [--idle 10] [--workers 1] [--no-install] [--out results.json]

The size is that of a fresh virtual environment with the package and what it depends on, without pip and without extras;
making it needs a package index. Sizes are in MB of 10^6 bytes, on disk as the file system counts them.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import machine
from backend import Backend, backend
from harness import ROOT, configuration, gateway, print_table, write
from sender import http_sender
from telemetry import interactions

from otel_agent_eval.signals import Signal

_ANSWERS = 200
_SPANS_OF_ANSWER = 3
_PATIENCE = 60.0
_NOT_OURS = frozenset({"pip", "setuptools", "_distutils_hack", "pkg_resources"})
_NOT_SHIPPED = (".git", ".venv", ".venvs", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")


def main() -> None:
    """Parse options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--idle", type=float, default=10.0, help="seconds for which idle CPU is measured")
    parser.add_argument("--workers", type=int, default=1, help="how many processes hold models")
    parser.add_argument("--no-install", action="store_true", help="do not measure the size of an installation")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    before = machine.describe()
    with backend() as target:
        starts = [_start(target, options.workers) for _ in range(options.starts)]
        process = _process(target, options.idle, options.workers)
    results = {
        "start to ready s": median(taken for taken, _ in starts),
        "start to ready, slowest of all s": max(taken for taken, _ in starts),
        "CPU until ready s": median(cpu for _, cpu in starts),
        **process,
    }
    sizes: Mapping[str, float] = {}
    if not options.no_install:
        sizes = _install_sizes()
        results["installation MB"] = sum(sizes.values())
    print_table("footprint", [{"what": name, "measured": value} for name, value in results.items()])
    if sizes:
        largest = Counter(sizes).most_common(8)
        print_table("largest parts of an installation", [{"part": name, "MB": size} for name, size in largest])
    write(options.out, {"results": results, "starts": starts, "installation": sizes}, before)


def _configuration(target: Backend, workers: int) -> dict[str, Any]:
    exporter = {"otlp/backend": {"endpoint": target.grpc_endpoint, "tls": {"insecure": True}}}
    return configuration(exporter, {"workers": workers}, interval="1h")


def _start(target: Backend, workers: int) -> tuple[float, float]:
    """Return the seconds from starting the process until /readyz says yes, looked at every 50 ms, and its CPU time."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        with gateway(_configuration(target, workers), Path(folder)) as running:
            return time.monotonic() - started, machine.cpu_seconds(running.pid)


def _process(target: Backend, idle: float, workers: int) -> dict[str, float]:
    """Return memory and CPU of a gateway that has just started, and once it has scored some answers."""
    with tempfile.TemporaryDirectory() as folder, gateway(_configuration(target, workers), Path(folder)) as running:
        time.sleep(1.0)
        fresh = machine.memory_mb(running.pid)
        cpu = machine.cpu_seconds(running.pid)
        time.sleep(idle)
        cpu = machine.cpu_seconds(running.pid) - cpu
        send = http_sender(running.http_endpoint)
        expected = target.count(Signal.TRACES) + _ANSWERS * _SPANS_OF_ANSWER
        for interaction in islice(interactions(seed=3), _ANSWERS):
            send(Signal.TRACES, interaction.body)
        _wait(target, expected)
        used = machine.memory_mb(running.pid)
        return {
            "memory, models loaded, idle MB": fresh["pss"],
            "of it private MB": fresh["private"],
            f"memory after {_ANSWERS} answers MB": used["pss"],
            "threads": machine.threads(running.pid),
            f"CPU over {idle:g} idle seconds, per cent of a core": 100 * cpu / idle,
        }


def _wait(target: Backend, expected: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while target.count(Signal.TRACES) < expected:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{expected - target.count(Signal.TRACES)} spans have not arrived")
        time.sleep(0.05)


def _install_sizes() -> dict[str, float]:
    """Install into a fresh environment, from a copy so that nothing is built in this tree; return MB by package."""
    with tempfile.TemporaryDirectory() as folder:
        source, environment = Path(folder) / "source", Path(folder) / "environment"
        shutil.copytree(ROOT, source, symlinks=True, ignore=shutil.ignore_patterns(*_NOT_SHIPPED))
        venv.create(environment, with_pip=True)
        python = environment / "bin" / "python"
        _call([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", source])
        _call([python, "-m", "otel_agent_eval", "--help"])
        lib = environment / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        parts = [path for path in lib.iterdir() if path.name.partition("-")[0] not in _NOT_OURS]
        return {path.name: _disk_mb(path) for path in parts}


def _call(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stderr[-2000:]}")


def _disk_mb(path: Path) -> float:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(file.lstat().st_blocks * 512 for file in files) / 1e6


if __name__ == "__main__":
    main()
