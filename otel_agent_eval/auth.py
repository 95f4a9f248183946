"""Who may send, and who we say we are: bearer tokens, and users with passwords.

Secrets come from files, which are read again when they change, or from the configuration. Nothing here has a
representation, a message or a log line that holds one.
"""

import asyncio
import base64
import binascii
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import bcrypt

from otel_agent_eval.signals import Refused
from otel_agent_eval.watched import Watched

_BCRYPT = ("$2y$", "$2b$", "$2a$")
_BCRYPT_BYTES = 72  # of a password; it never looks at more
_KNOWN_CREDENTIALS = 1024
_WAITING_CHECKS = 16


class Authenticator(Protocol):
    """Decides by the header `authorization` who may send.

    `challenge` is what HTTP tells those who may not.
    """

    challenge: str

    async def admits(self, authorization: str | bytes) -> bool:
        """Say whether the sender may send; `""` where there was no header. Raises `Refused` to be asked again later."""
        ...


Credentials = Callable[[], str]
"""Returns the value of the header `authorization` that we send now."""


def bearer_tokens(tokens: Sequence[str], file: Path | None) -> Callable[[], tuple[str, ...]]:
    """Return what gives the tokens of now: those of the file, one a line, or those given.

    Raises `ValueError` for a file that cannot be used.
    """
    if file is None:
        given = tuple(tokens)
        return lambda: given
    return Watched([file], partial(_read_tokens, file)).get


class BearerAuthenticator:
    """Admits who sends one of the tokens."""

    def __init__(self, tokens: Callable[[], tuple[str, ...]], scheme: str = "Bearer") -> None:
        self.challenge = scheme
        self._tokens = tokens
        self._scheme = scheme.lower()

    async def admits(self, authorization: str | bytes) -> bool:
        """See `Authenticator`. All tokens are compared, each in constant time."""
        scheme, token = _split(authorization)
        given = token.encode()
        admitted = False
        for known in self._tokens():
            admitted |= hmac.compare_digest(given, known.encode())
        return admitted and scheme == self._scheme


def bearer_credentials(tokens: Callable[[], tuple[str, ...]], scheme: str = "Bearer") -> Credentials:
    """Present the first of the tokens."""
    return lambda: f"{scheme} {tokens()[0]}"


def htpasswd_users(inline: str, file: Path | None) -> Callable[[], Mapping[str, bytes]]:
    """Return what gives the users of now and their passwords' hashes; a user of `inline` goes before one of the file.

    Raises `ValueError` for what cannot be used.
    """
    own = _read_htpasswd(inline, "htpasswd.inline")
    if file is None:
        return lambda: own

    def read() -> Mapping[str, bytes]:
        users = _read_htpasswd(_text(file), str(file)) | own
        if not users:  # hardly meant, and an empty file is often one that is being written
            raise ValueError(f"{file} holds no user")
        return users

    return Watched([file], read).get


class BasicAuthenticator:
    """Admits users by name and password.

    A password is checked by bcrypt, which takes milliseconds to a second: in a thread, one at a time, and once for as
    long as the users stay as they are. Beyond some that wait, others are asked to come back.
    """

    challenge = 'Basic realm="otel-agent-eval", charset="UTF-8"'

    def __init__(self, users: Callable[[], Mapping[str, bytes]]) -> None:
        self._users = users
        self._key = secrets.token_bytes(32)
        self._known: set[bytes] = set()
        self._known_of = users()
        self._checking = asyncio.Lock()
        self._waiting = 0

    async def admits(self, authorization: str | bytes) -> bool:
        """See `Authenticator`."""
        users = self._users()
        if users is not self._known_of:
            self._known, self._known_of = set(), users
        scheme, token = _split(authorization)
        seal = hmac.digest(self._key, token.encode(), "sha256")  # so that no password stays in memory
        if scheme == "basic" and seal in self._known:
            return True
        name, password = _name_and_password(token)
        if scheme != "basic" or not name or not users:
            return False
        admitted = await self._check(password, users.get(name), next(iter(users.values())))
        if admitted and users is self._known_of:
            if len(self._known) >= _KNOWN_CREDENTIALS:
                self._known.clear()
            self._known.add(seal)
        return admitted

    async def _check(self, password: bytes, hashed: bytes | None, other: bytes) -> bool:
        """Check a password; for a user that does not exist it takes as long, and says no."""
        if self._waiting >= _WAITING_CHECKS:
            raise Refused("too many passwords are being checked")
        self._waiting += 1
        try:
            async with self._checking:
                right = await asyncio.to_thread(bcrypt.checkpw, password[:_BCRYPT_BYTES], hashed or other)
        finally:
            self._waiting -= 1
        return right and hashed is not None


def basic_credentials(username: Callable[[], str], password: Callable[[], str]) -> Credentials:
    """Present a user's name and password."""
    return lambda: f"Basic {base64.b64encode(f'{username()}:{password()}'.encode()).decode('ascii')}"


def secret(value: str, file: Path | None) -> Callable[[], str]:
    """Return what gives a secret of now: that of the file without white space around it, or the one given.

    Raises `ValueError` for a file that cannot be used.
    """
    if file is None:
        return lambda: value
    return Watched([file], partial(_read_secret, file)).get


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise ValueError(f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not text in UTF-8") from None


def _read_secret(file: Path) -> str:
    text = _text(file).strip()
    if not text:
        raise ValueError(f"{file} is empty")
    return text


def _read_tokens(file: Path) -> tuple[str, ...]:
    lines = _text(file).splitlines()
    tokens = tuple(line.strip() for line in lines if line.strip())
    if not tokens:
        raise ValueError(f"{file} holds no token")
    for number, line in enumerate(lines, 1):
        if not sendable(line.strip()):
            raise ValueError(f"{file}:{number}: a token has printable ASCII characters only, and no spaces")
    return tokens


def _read_htpasswd(text: str, source: str) -> dict[str, bytes]:
    users: dict[str, bytes] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, hashed = line.strip().partition(":")
        if not colon or not name or not hashed.startswith(_BCRYPT) or not _usable(hashed):
            raise ValueError(f"{source}:{number}: expected name:hash with a bcrypt hash, as htpasswd -B writes it")
        users[name] = hashed.encode()
    return users


def _usable(hashed: str) -> bool:
    """Whether bcrypt can read a hash; costs a check at the lowest cost."""
    try:
        cheap = f"{hashed[:4]}04{hashed[6:]}"
        bcrypt.checkpw(b"", cheap.encode())
    except ValueError:
        return False
    return hashed[4:6].isdecimal()


def sendable(token: str) -> bool:
    """Whether a token can stand in a header."""
    return token.isascii() and token.isprintable() and " " not in token


def _split(authorization: str | bytes) -> tuple[str, str]:
    """Split a header into its scheme in lower case and the rest."""
    text = authorization if isinstance(authorization, str) else authorization.decode("utf-8", "replace")
    scheme, _, rest = text.partition(" ")
    return scheme.lower(), rest.strip()


def _name_and_password(token: str) -> tuple[str, bytes]:
    try:
        name, _, password = base64.b64decode(token, validate=True).partition(b":")
        return name.decode("utf-8"), password
    except (binascii.Error, ValueError):
        return "", b""
