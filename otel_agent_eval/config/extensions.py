"""Extensions: who may send, and who we say we are. Receivers and exporters name them under `auth`."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, SecretStr, model_validator

from otel_agent_eval.auth import sendable
from otel_agent_eval.config.base import Settings


def _token(token: SecretStr) -> SecretStr:
    """Check that a token can be sent. The message does not hold it."""
    if not token.get_secret_value() or not sendable(token.get_secret_value()):
        raise ValueError("a token has printable ASCII characters only, and no spaces")
    return token


Token = Annotated[SecretStr, AfterValidator(_token)]


class BearerTokenAuth(Settings):
    """Tokens in the header `authorization`. Receivers admit who sends one of them; exporters send the first."""

    scheme: str = "Bearer"
    """The word before the token."""
    token: Token | None = None
    """The token, for example `${env:TOKEN}`."""
    tokens: tuple[Token, ...] = ()
    """Several tokens, in place of `token`."""
    filename: Path | None = None
    """A file with a token a line, in place of both; read again when it changes."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(map(bool, (self.token, self.tokens, self.filename))) != 1:
            raise ValueError("give one of token, tokens and filename")
        if not self.scheme.isalnum():
            raise ValueError("scheme is a word, such as Bearer")
        return self

    @property
    def given(self) -> tuple[str, ...]:
        """The tokens that stand in the configuration."""
        return tuple(token.get_secret_value() for token in (self.tokens or (self.token,)) if token is not None)


class Htpasswd(Settings):
    """Users who may send, with their passwords' bcrypt hashes, as `htpasswd -B` writes them."""

    file: Path | None = None
    """A file with `name:hash` a line; read again when it changes."""
    inline: SecretStr = SecretStr("")
    """The same as text; a user that stands here goes before one of the file."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.file is None and not self.inline.get_secret_value().strip():
            raise ValueError("give file, inline or both")
        return self


class ClientAuth(Settings):
    """The user that exporters send as."""

    username: str = ""
    """The user's name."""
    username_file: Path | None = None
    """A file with the name, in place of `username`; read again when it changes."""
    password: SecretStr = SecretStr("")
    """The password, for example `${env:PASSWORD}`."""
    password_file: Path | None = None
    """A file with the password, in place of `password`; read again when it changes."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if bool(self.username) == bool(self.username_file):
            raise ValueError("give username or username_file")
        if bool(self.password.get_secret_value()) == bool(self.password_file):
            raise ValueError("give password or password_file")
        if ":" in self.username:
            raise ValueError("a username cannot hold a colon")
        return self


class BasicAuth(Settings):
    """Users with passwords. Receivers admit those of `htpasswd`; exporters send as the one of `client_auth`."""

    htpasswd: Htpasswd | None = None
    """Who may send."""
    client_auth: ClientAuth | None = None
    """Who we say we are."""

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.htpasswd is None and self.client_auth is None:
            raise ValueError("give htpasswd (for receivers), client_auth (for exporters), or both")
        return self


Extension = BearerTokenAuth | BasicAuth


class Auth(Settings):
    """Names an extension, as the Collector does."""

    authenticator: str
    """The extension, such as `bearertokenauth` or `basicauth/agents`."""
