"""What no single value shows about redaction: every destination says what it is to get, and names what there is."""

from collections.abc import Collection, Iterator

from otel_agent_eval.config.messages import suggestion
from otel_agent_eval.config.problems import Path
from otel_agent_eval.config.redaction import NO_REDACTION, Redaction
from otel_agent_eval.config.schema import Config, Parts


def errors(parts: Parts, names: Collection[str]) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong; `names` holds the processors, those whose settings are wrong included."""
    redactions = {name for name in names if is_redaction(name)}
    for name, exporter in parts.exporters.items():
        chosen = exporter.redaction
        if chosen is None and redactions:
            known = " or ".join(f"redaction: {known}" for known in sorted(redactions))
            yield ("exporters", name), f"what may it get? Say {known}, or redaction: {NO_REDACTION} for everything"
        elif chosen not in {None, NO_REDACTION, *redactions}:
            hint = suggestion(str(chosen), [*redactions, NO_REDACTION])
            yield ("exporters", name, "redaction"), f"{chosen!a} is no redaction under processors; {hint}"
    pipelines = parts.service.pipelines.by_signal() if parts.service else {}
    for signal, pipeline in pipelines.items():
        for number, name in enumerate(pipeline.processors):
            if is_redaction(name):
                path: Path = ("service", "pipelines", signal.value, "processors", number)
                yield path, f"redaction goes by destination: write redaction: {name} under its exporter, not here"


def warnings(config: Config) -> Iterator[tuple[Path, str]]:
    """Yield what works but is hardly meant."""
    used = {exporter.redaction for exporter in config.exporters.values()}
    for name, settings in config.processors.items():
        if isinstance(settings, Redaction) and name not in used:
            yield ("processors", name), "no exporter names it under redaction: nothing is redacted by it"


def is_redaction(name: str) -> bool:
    """Say whether a processor of that name is a redaction."""
    return name.partition("/")[0].strip() == "redaction"
