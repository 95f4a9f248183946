"""Makes what redacts the requests of a destination, from a configuration."""

from collections.abc import Callable

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
from otel_agent_eval.watched import Watched

_NAMES_AND_IDS = (catalogue.CATEGORIES, catalogue.SUPPORTING_DOCUMENTS)
_QUOTING = (catalogue.EVALUATION_EXPLANATION,)
_EVENT_AND_METRICS = (catalogue.RESULT_EVENT, *catalogue.METRICS)
_OWN_WITHOUT_CONTENT = (
    catalogue.LABEL.name,
    catalogue.DUPLICATE_OF.name,
    *(attribute.of("*") for attribute in catalogue.RESULT_ATTRIBUTES),
    *(evidence.of(name) for evidence in _NAMES_AND_IDS for name in evidence.evaluators),
    *(attribute.name for entry in _EVENT_AND_METRICS for attribute in entry.attributes if attribute not in _QUOTING),
)
"""Of what the gateway writes what cannot quote. Evidence that is not named here can, that of plug-ins too."""


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
        key=_key(settings),
    )
    return Redactor(rules, content_names())


def _key(settings: Redaction) -> Callable[[], bytes]:
    """Return what gives the secret of hashes: nothing is hashed with one that was taken back."""
    secret = settings.secret()
    if settings.hmac_key_file is None:
        return lambda: secret
    return Watched([settings.hmac_key_file], settings.secret, strict=True).get


def content_names() -> ContentNames:
    """Return which names hold content: of all conventions, those of plug-ins too, and of what is written here.

    Raises `ValueError` where a plug-in's cannot be told.
    """
    return ContentNames(load_readers(), _OWN_WITHOUT_CONTENT, namespaces=(PREFIX,))
