"""The processor `redaction`: what a destination is not to get."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.processors.redaction_patterns import own_pattern

NO_REDACTION = "none"
"""What an exporter says in `redaction` where its destination gets everything."""
_SHORTEST_KEY = 16

Action = Literal["remove", "hash", "mask", "keep"]
ReadyPattern = Literal["api_key", "email", "iban", "credit_card", "ip_address", "us_ssn", "phone"]


def _secret(value: Any) -> str:  # noqa: ANN401 (whatever the file holds)
    """Check the key of hashes; messages never hold it."""
    if not isinstance(value, str):
        raise ValueError("expected text; quote it")  # noqa: TRY004 (pydantic takes no TypeError)
    if len(value) < _SHORTEST_KEY:
        raise ValueError(f"expected at least {_SHORTEST_KEY} characters: a shorter key can be guessed")
    return value


def _regex(value: str) -> str:
    own_pattern(value)
    return value


def _name(value: str) -> str:
    if not value:
        raise ValueError("expected the name of an attribute, in which * is any text")
    return value


class AttributeRule(Settings):
    """What is done with the attributes of a name."""

    key: Annotated[str, AfterValidator(_name)]
    """The name, in which `*` is any text; of spans, events, links, log records, data points, resources and scopes. Also
    `span.name`, `span.status.message`, `event.name` and `log.body`."""
    action: Action
    """`remove`, `hash` or `mask` the value; `keep` leaves it as it is, whatever else is said."""


class Redaction(Settings):
    """Takes out of requests what a destination is not to get, after scoring, just before they are sent. Exporters name
    it in their key `redaction`: see [redaction](redaction.md)."""

    content: Action = "remove"
    """What is done with prompts, answers, documents, and arguments and results of tools, in whatever convention."""
    exceptions: Action | None = None
    """What is done with messages and stack traces of exceptions, and with the status messages of their spans and of
    agents' spans: they often quote content, on all spans that they pass. Without it the same as with `content`."""
    attributes: tuple[AttributeRule, ...] = ()
    """Attributes by name; the first that fits decides, before everything else."""
    allowed_keys: tuple[Annotated[str, AfterValidator(_name)], ...] | None = None
    """The only attributes that stay, by name, in which `*` is any text; what is content goes all the same. Without it
    all stay."""
    patterns: tuple[ReadyPattern, ...] = ()
    """What is looked for in texts: `email`, `phone`, `iban`, `credit_card`, `ip_address`, `us_ssn`, `api_key`."""
    blocked_values: tuple[Annotated[str, AfterValidator(_regex)], ...] = ()
    """Regular expressions (RE2) for what else is looked for."""
    pattern_action: Literal["remove", "hash", "mask"] = "mask"
    """What is done with what was found: the rest of the text stays."""
    hmac_key: Annotated[str, BeforeValidator(_secret)] | None = Field(default=None, repr=False)
    """The secret of hashes, of 16 characters or more, best as `${env:NAME}`: with the same one equal texts have equal
    hashes."""
    hmac_key_file: Path | None = None
    """A file with that secret, in place of `hmac_key`. A changed one counts within a second; while it cannot be used,
    what would be hashed waits."""

    @model_validator(mode="after")
    def _key(self) -> Self:
        if self.hmac_key is not None and self.hmac_key_file is not None:
            raise ValueError("hmac_key and hmac_key_file both give the secret: drop one")
        if self._hashes and self.hmac_key is None and self.hmac_key_file is None:
            raise ValueError("to hash takes a secret: give hmac_key, best as ${env:NAME}, or hmac_key_file")
        return self

    @property
    def _hashes(self) -> bool:
        searched = bool(self.patterns or self.blocked_values)
        single = [rule.action for rule in self.attributes]
        return "hash" in {self.content, self.exceptions, *single, *([self.pattern_action] if searched else [])}

    def secret(self) -> bytes:
        """Return the secret of hashes, empty where there is none. Raises `ValueError` for a file that holds none."""
        if self.hmac_key_file is None:
            return (self.hmac_key or "").encode()
        try:
            key = self.hmac_key_file.read_text("utf-8").strip()
            return _secret(key).encode()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ValueError(f"hmac_key_file {str(self.hmac_key_file)!a}: {reason}") from None
