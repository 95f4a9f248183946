"""Makes what redacts the requests of a destination, from a configuration."""

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.definitions import PREFIX
from otel_agent_eval.config import Config
from otel_agent_eval.config.redaction import Redaction
from otel_agent_eval.conventions import load_readers
from otel_agent_eval.conventions.content import ContentNames
from otel_agent_eval.delivery import RedactedExporter
from otel_agent_eval.exporters import Exporter
from otel_agent_eval.processors.redaction import Redactor
from otel_agent_eval.processors.redaction_patterns import PATTERNS, own_pattern
from otel_agent_eval.processors.redaction_rules import Action, RedactionRules, Rule

_OWN_WITHOUT_CONTENT = (
    *(attribute.of("*") for attribute in catalogue.RESULT_ATTRIBUTES),
    *(attribute.of("*") for attribute in (catalogue.CATEGORIES, catalogue.SUPPORTING_DOCUMENTS)),
    *(attribute.name for attribute in (catalogue.LABEL, catalogue.DUPLICATE_OF, *catalogue.RESULT_EVENT.attributes)),
    *(attribute.name for metric in catalogue.METRICS for attribute in metric.attributes),
)
_QUOTING = catalogue.EVALUATION_EXPLANATION.name
"""Of all that is written only evidence and explanations can quote: what is not named here of evidence is content."""


def redacted(config: Config, exporter: Exporter) -> Exporter:
    """Put redaction in front of an exporter where the configuration says so. Raises `ValueError` where it cannot be."""
    settings = config.redaction_of(exporter.name)
    return exporter if settings is None else RedactedExporter(exporter, redactor(settings))


def redactor(settings: Redaction) -> Redactor:
    """Make what redacts requests. Raises `ValueError` where it cannot be made."""
    content = Action(settings.content)
    rules = RedactionRules(
        content=content,
        exceptions=content if settings.exceptions is None else Action(settings.exceptions),
        attributes=[Rule(rule.key, Action(rule.action)) for rule in settings.attributes],
        allowed_keys=settings.allowed_keys,
        patterns=[
            *(pattern for name, pattern in PATTERNS.items() if name in settings.patterns),
            *map(own_pattern, settings.blocked_values),
        ],
        pattern_action=Action(settings.pattern_action),
        key=settings.secret(),
    )
    return Redactor(rules, content_names())


def content_names() -> ContentNames:
    """Return which names hold content: of all conventions, those of plug-ins too, and of what is written here.

    Raises `ValueError` where a plug-in's cannot be told.
    """
    plain = (name for name in _OWN_WITHOUT_CONTENT if name != _QUOTING)
    return ContentNames(load_readers(), plain, namespaces=(PREFIX,))
