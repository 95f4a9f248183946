"""Rules and groups as Prometheus knows them, and the YAML of a rule file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from otel_agent_eval.alerts.promql import duration


@dataclass(frozen=True, slots=True)
class Recording:
    """Records an expression's result as series of a name."""

    record: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return the rule as it stands in the file."""
        labels = {"labels": dict(self.labels)} if self.labels else {}
        return {"record": self.record, "expr": self.expr, **labels}


@dataclass(frozen=True, slots=True)
class Alert:
    """Fires for each series that an expression gives; `wait` and `keep` are in seconds, 0 for none.

    `service` is the one service that the rule is about: rules of one name need labels that tell them apart.
    """

    name: str
    expr: str
    severity: str
    annotations: Mapping[str, str]
    service: str = ""
    wait: float = 0.0
    keep: float = 0.0

    def document(self) -> dict[str, Any]:
        """Return the rule as it stands in the file."""
        times = {"for": self.wait, "keep_firing_for": self.keep}
        return {
            "alert": self.name,
            "expr": self.expr,
            **{key: duration(seconds) for key, seconds in times.items() if seconds},
            "labels": {"severity": self.severity, **({"service_name": self.service} if self.service else {})},
            "annotations": dict(self.annotations),
        }


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated in order, every `interval` seconds."""

    name: str
    interval: float
    rules: Sequence[Recording | Alert]

    def document(self) -> dict[str, Any]:
        """Return the group as it stands in the file."""
        rules = [rule.document() for rule in self.rules]
        return {"name": self.name, "interval": duration(self.interval), "rules": rules}


class _Dumper(yaml.SafeDumper):
    """Writes expressions of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def rule_file(groups: Sequence[Group], comment: str) -> str:
    """Return a rule file; each line of the comment stands at its head."""
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    document = {"groups": [group.document() for group in groups]}
    return head + yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
