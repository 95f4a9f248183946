from pathlib import Path

import pytest

from otel_agent_eval.models import processor
from otel_agent_eval.models.processor import available_cores, processor_features, telling_features


def test_features_are_read_from_the_first_processor() -> None:
    intel = ["processor\t: 0", "flags\t\t: fpu avx2 avx512f amx_bf16 vme", "flags\t\t: fpu"]
    assert telling_features(intel) == {"avx2", "avx512f", "amx_bf16"}
    assert telling_features(["Features\t: fp asimd i8mm bf16"]) == {"i8mm", "bf16"}
    assert telling_features(["nothing"]) == set()


def test_a_system_without_cpuinfo_has_no_known_features(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(processor, "_CPUINFO", tmp_path / "missing")
    assert processor_features() == frozenset()


@pytest.mark.parametrize(
    ("limit", "cores"), [("max 100000", 8), ("150000 100000", 2), ("10000 100000", 1), ("9900000 100000", 8), ("", 8)]
)
def test_a_container_uses_no_more_cores_than_it_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, cores: int
) -> None:
    path = tmp_path / "cpu.max"
    path.write_text(limit)
    monkeypatch.setattr(processor, "_CPU_LIMIT", path)
    monkeypatch.setattr(processor.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert available_cores() == cores
