"""What the alerts are made from, and how one is put together. What they say is in texts.yaml."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Final

import yaml

from otel_agent_eval.alerts.links import answers_link, numbers_link, runbook_link
from otel_agent_eval.alerts.promql import pattern, quoted
from otel_agent_eval.alerts.recording import AGENT, SERVICE
from otel_agent_eval.alerts.rules import Alert
from otel_agent_eval.config.alerts import Alerts

_WHO: Final = f"{{{{ $labels.{SERVICE} }}}}{{{{ with $labels.{AGENT} }}}} (agent {{{{ . }}}}){{{{ end }}}}"


@dataclass(frozen=True, slots=True)
class Scope:
    """A matcher of services and their threshold; `service` is the name where it is one that is named."""

    matcher: str
    limit: float
    service: str = ""


@dataclass(frozen=True)
class Plan:
    """What the alerts are made from: settings, the services they are for (none: all), the evaluators that run."""

    settings: Alerts
    services: Sequence[str]
    evaluators: Sequence[str]

    def scopes(self, key: str) -> Iterator[Scope]:
        """Yield the services with a threshold of their own, one by one, then all others."""
        own = {name: getattr(service, key) for name, service in self.settings.services.items()}
        own = {name: value for name, value in own.items() if value is not None}
        for name, value in sorted(own.items()):
            if not self.services or name in self.services:
                yield Scope(f"{SERVICE}={quoted(name)}", value, name)
        others = [name for name in self.services if name not in own]
        if others:
            yield Scope(f"{SERVICE}=~{pattern(others)}", getattr(self.settings, key))
        elif not self.services:
            yield Scope(f"{SERVICE}!~{pattern(sorted(own))}" if own else "", getattr(self.settings, key))

    @property
    def only(self) -> str:
        """The matcher of the services, empty for all."""
        return f"{SERVICE}=~{pattern(self.services)}" if self.services else ""

    @property
    def keep(self) -> float:
        """For how long an alert about a rate stays after the rate was last certain, so that it does not flap."""
        return self.settings.windows[0] / 4

    @cached_property
    def texts(self) -> Mapping[str, Mapping[str, str]]:
        """What each alert says."""
        found: Mapping[str, Mapping[str, str]] = yaml.safe_load(files(__package__).joinpath("texts.yaml").read_bytes())
        return found

    def alert(
        self,
        name: str,
        expr: str,
        query_url: str,
        *,
        service: str = "",
        wait: float = 0,
        keep: float = 0,
        severity: str = "",
        **values: str,
    ) -> Alert:
        """Return an alert with its text, in which the values are filled in; `severity` differs from the text's."""
        text = self.texts[name]
        said = {key: text[key].replace("<who>", _WHO) for key in ("summary", "description")}
        for key, value in values.items():
            said = {part: sentence.replace(f"<{key}>", value) for part, sentence in said.items()}
        links = {"query_url": query_url, "runbook_url": runbook_link(self.settings.links, text["runbook"])}
        severity = severity or text["severity"]
        return Alert(name, expr, severity, annotations={**said, **links}, service=service, wait=wait, keep=keep)

    def failed(self, evaluator: str) -> str:
        """Return the link to the answers that failed an evaluator."""
        return answers_link(self.settings.links, evaluator)

    def numbers(self, expression: str) -> str:
        """Return the link to a drawing of an expression."""
        return numbers_link(self.settings.links, expression)
