"""What this process may compute with."""

import math
import os
from collections.abc import Iterable
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")
_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")
_TELLING = frozenset(
    {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "bf16", "i8mm"}
)
"""Features that change which runtime or which of its kernels is fastest."""
EXACT_INT8 = frozenset({"avx512_vnni", "avx_vnni", "amx_int8"})
"""Features with which sums of products of int8 have 32 bits, and are fast; without any they may overflow 16."""


def available_cores() -> int:
    """Return the number of cores that this process may use: those it may run on, or a container's share of them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _container_cores(_CPU_LIMIT, cores))


def processor_features() -> frozenset[str]:
    """Return which of the telling features the processor has, by the names that Linux gives them; elsewhere none."""
    try:
        lines = _CPUINFO.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return telling_features(lines)


def telling_features(lines: Iterable[str]) -> frozenset[str]:
    """Find the telling features in the lines of a `/proc/cpuinfo`."""
    found = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return _TELLING.intersection(found.partition(":")[2].split())


def _container_cores(path: Path, otherwise: int) -> int:
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return max(1, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):  # no such limit
        return otherwise
