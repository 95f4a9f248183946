"""Exporters that others install."""

from pathlib import Path

import pytest

from otel_agent_eval.exporters import Exporter, PluginError, load_factory, plugin_kinds
from otel_agent_eval.signals import Payload, Signal

PLUGIN = """
class Paper:
    def __init__(self, name, settings):
        self.name, self.signals, self.printed = name, frozenset(settings["signals"]), []

    async def export(self, payload):
        self.printed.append(payload)
        return 0

    async def close(self):
        pass

NOT_A_FACTORY = 1
"""


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "paper_plugin.py").write_text(PLUGIN)
    info = tmp_path / "paper-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: paper\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[otel_agent_eval.exporters]\n"
        "paper = paper_plugin:Paper\n"
        "number = paper_plugin:NOT_A_FACTORY\n"
        "gone = no_such_module:Exporter\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


async def test_plugin_is_made_by_its_kind() -> None:
    assert plugin_kinds() >= {"paper", "number", "gone"}
    exporter = load_factory("paper")("paper/a4", {"signals": [Signal.LOGS]})
    assert isinstance(exporter, Exporter)
    assert exporter.signals == {Signal.LOGS}
    assert await exporter.export(Payload(Signal.LOGS, b"", 0)) == 0


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("stone", "no exporter 'stone' is installed"),
        ("number", "'number' is not callable"),
        ("gone", "'gone' cannot be loaded: ModuleNotFoundError"),
    ],
)
def test_plugin_that_cannot_be_used_is_named_with_the_reason(kind: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        load_factory(kind)
