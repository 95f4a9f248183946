"""What a benchmark runs on, and what its processes have used. Linux only: all of it is read from the kernel."""

import os
import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

_PROC = Path("/proc")


def describe() -> Mapping[str, str | int | float]:
    """Describe the machine and the software whose speed is measured."""
    models = {line.partition(":")[2].strip() for line in _lines(_PROC / "cpuinfo") if line.startswith("model name")}
    return {
        "cpu": ", ".join(sorted(models)) or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],  # others on the machine: above 0.5 absolute times are too long
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{name: version(name) for name in ("onnxruntime", "grpcio", "protobuf", "uvicorn", "otel-agent-eval")},
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, of a process and its living descendants."""
    return sum(time.clock_gettime(_cpu_clock(process)) for process in _family(pid))


def memory_mb(pid: int) -> Mapping[str, float]:
    """Return the memory of a process and its descendants in MB (10^6).

    `rss`: resident, where pages that several share count for each; `pss`: each page once; `private`: without the pages
    that others share.
    """
    found = {"rss": 0.0, "pss": 0.0, "private": 0.0}
    for process in _family(pid):
        for line in _lines(_PROC / str(process) / "smaps_rollup"):
            name, _, rest = line.partition(":")
            kind = name.lower() if name in {"Rss", "Pss"} else "private" if name.startswith("Private_") else ""
            if kind and name != "Private_Hugetlb":
                found[kind] += int(rest.split()[0]) * 1024 / 1e6
    return found


def threads(pid: int) -> int:
    """Return how many threads a process and its descendants have."""
    return sum(len(list((_PROC / str(process) / "task").iterdir())) for process in _family(pid))


def files(pid: int) -> int:
    """Return how many files and sockets a process and its descendants have open."""
    return sum(len(list((_PROC / str(process) / "fd").iterdir())) for process in _family(pid))


def _cpu_clock(pid: int) -> int:
    """Return the clock of a process's CPU time, as clock_getcpuclockid(3) makes it: to the nanosecond, unlike stat."""
    return (~pid << 3) | 2


def _family(pid: int) -> list[int]:
    family = [pid]
    for member in family:  # grows while it is read
        for task in (_PROC / str(member) / "task").iterdir():
            family += map(int, (task / "children").read_text().split())
    return family


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()
