"""Exporters of installed plug-ins: entry points in the group `otel_agent_eval.exporters`."""

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import Any, cast

from otel_agent_eval.exporters.exporter import Exporter

ENTRY_POINT = "otel_agent_eval.exporters"

ExporterFactory = Callable[[str, Mapping[str, Any]], Exporter]
"""Called with the destination's name (`kafka/audit`) and its settings as the configuration gives them.

Raises `ValueError` for settings that it cannot use, with a message that names the key.
"""


class PluginError(Exception):
    """A plug-in is installed and cannot be used."""


def plugin_kinds() -> frozenset[str]:
    """Return the kinds of exporter that plug-ins add: what stands before the slash in a destination's name."""
    return frozenset(point.name for point in entry_points(group=ENTRY_POINT))


def load_factory(kind: str) -> ExporterFactory:
    """Return the factory of a kind. Raises `PluginError` when there is none, or it cannot be loaded."""
    points = list(entry_points(group=ENTRY_POINT, name=kind))
    if not points:
        raise PluginError(f"no exporter {kind!r} is installed")
    try:
        factory = points[0].load()
    except Exception as error:
        raise PluginError(f"exporter {kind!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(factory):
        raise PluginError(f"exporter {kind!r} is not callable")
    return cast("ExporterFactory", factory)
