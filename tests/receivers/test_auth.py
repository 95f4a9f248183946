"""Who is admitted, and that no secret shows anywhere."""

import asyncio
import base64
import logging
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval import auth
from otel_agent_eval.signals import Refused

SECRET = "s3cret-t0ken"


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("header", "admitted"),
    [
        (f"Bearer {SECRET}", True),
        (f"bearer  {SECRET}", True),
        (f"Bearer {SECRET}".encode(), True),
        ("Bearer other", True),
        (f"Bearer {SECRET}x", False),
        (f"Bearer {SECRET[:-1]}", False),
        (f"Basic {SECRET}", False),
        (SECRET, False),
        ("Bearer ", False),
        ("Bearer", False),
        ("", False),
        (b"\xff\xfe", False),
        ("Bearer \u00e9", False),
    ],
)
async def test_a_token_is_admitted_as_it_is(header: str | bytes, admitted: bool) -> None:
    authenticator = auth.BearerAuthenticator(auth.bearer_tokens([SECRET, "other"], None))
    assert await authenticator.admits(header) is admitted


@given(st.text() | st.binary())
def test_no_header_breaks_it(header: str | bytes) -> None:
    users = auth.htpasswd_users(f"alice:{hashed('x')}", None)
    for authenticator in (
        auth.BearerAuthenticator(auth.bearer_tokens([SECRET], None)),
        auth.BasicAuthenticator(users),
    ):
        assert asyncio.run(authenticator.admits(header)) is False


async def test_tokens_of_a_file_count_as_they_change(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("old\n\nolder\n")
    tokens = auth.bearer_tokens([], file)
    authenticator = auth.BearerAuthenticator(tokens)
    credentials = auth.bearer_credentials(tokens)
    assert credentials() == "Bearer old"
    assert await authenticator.admits("Bearer older")
    file.write_text("new\n")
    await asyncio.sleep(1.1)  # files are looked at once a second
    assert credentials() == "Bearer new"
    assert await authenticator.admits("Bearer new")
    assert not await authenticator.admits("Bearer old")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "holds no token"),
        (b"\n \n", "holds no token"),
        (b"a b", "1: a token has"),
        (b"a\n\xc3\xa9", "2: a token has"),
    ],
)
def test_a_token_file_that_cannot_be_used_is_named_without_what_it_holds(
    tmp_path: Path, content: bytes, said: str
) -> None:
    file = tmp_path / "tokens"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=said) as raised:
        auth.bearer_tokens([], file)
    assert str(file) in str(raised.value)
    assert "a b" not in str(raised.value)


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ValueError, match=str(file)):
        auth.bearer_tokens([], file)
    with pytest.raises(ValueError, match=str(file)):
        auth.secret("", file)


async def test_users_are_admitted_by_name_and_password(tmp_path: Path) -> None:
    file = tmp_path / "htpasswd"
    file.write_text(f"# people\nalice:{hashed('wonder')}\nbob:{hashed('old')}\n")
    authenticator = auth.BasicAuthenticator(auth.htpasswd_users(f"bob:{hashed('builder')}", file))
    for header, admitted in (
        (basic("alice", "wonder"), True),
        (basic("alice", "wonder").lower().replace("basic", "BASIC"), False),  # the case of base64 matters
        (basic("bob", "builder"), True),
        (basic("bob", "old"), False),
        (basic("alice", "builder"), False),
        (basic("carol", "wonder"), False),
        (basic("", ""), False),
        (basic("alice", "wonder").replace("Basic", "Bearer"), False),
        ("Basic !", False),
    ):
        for _ in range(2):  # the second time from memory
            assert await authenticator.admits(header) is admitted, header


async def test_a_long_password_is_no_error() -> None:
    long = "x" * 72
    authenticator = auth.BasicAuthenticator(auth.htpasswd_users(f"alice:{hashed(long)}", None))
    assert await authenticator.admits(basic("alice", long))
    assert not await authenticator.admits(basic("alice", "y" * 10_000))


async def test_a_password_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = []
    check = bcrypt.checkpw
    authenticator = auth.BasicAuthenticator(auth.htpasswd_users(f"alice:{hashed('wonder')}", None))
    monkeypatch.setattr("otel_agent_eval.auth.bcrypt.checkpw", lambda *a: checks.append(1) or check(*a))
    for _ in range(5):
        assert await authenticator.admits(basic("alice", "wonder"))
    assert len(checks) == 1


async def test_changed_users_are_asked_again() -> None:
    users = [{"alice": hashed("one").encode()}, {"alice": hashed("two").encode()}]
    authenticator = auth.BasicAuthenticator(lambda: users[0])
    assert await authenticator.admits(basic("alice", "one"))
    del users[0]
    assert not await authenticator.admits(basic("alice", "one"))
    assert await authenticator.admits(basic("alice", "two"))


async def test_many_guesses_at_a_time_are_put_off_and_those_known_pass() -> None:
    authenticator = auth.BasicAuthenticator(auth.htpasswd_users(f"alice:{hashed('wonder')}", None))
    assert await authenticator.admits(basic("alice", "wonder"))
    guesses = [asyncio.create_task(authenticator.admits(basic("alice", str(n)))) for n in range(100)]
    await asyncio.sleep(0)
    assert await authenticator.admits(basic("alice", "wonder"))
    results = await asyncio.gather(*guesses, return_exceptions=True)
    assert True not in results
    assert sum(isinstance(result, Refused) for result in results) > 50


@pytest.mark.parametrize(
    "line", ["alice", "alice:", ":x", "alice:{SHA}x", "alice:$apr1$x$y", "alice:$2y$05$short", "alice:plain"]
)
def test_a_line_that_is_no_user_is_named_without_what_it_holds(line: str) -> None:
    with pytest.raises(ValueError, match=r"^htpasswd\.inline:2: expected name:hash") as raised:
        auth.htpasswd_users(f"# a comment\n{line}", None)
    assert "alice" not in str(raised.value)


def test_a_file_without_users_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text("# nobody yet\n")
    with pytest.raises(ValueError, match="htpasswd holds no user"):
        auth.htpasswd_users("", tmp_path / "htpasswd")
    assert auth.htpasswd_users(f"alice:{hashed('x')}", tmp_path / "htpasswd")()


def test_basic_credentials_are_those_of_now(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("wonder\n")
    credentials = auth.basic_credentials(auth.secret("alice", None), auth.secret("", file))
    assert credentials() == basic("alice", "wonder")


async def test_no_secret_is_in_a_representation_or_a_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file = tmp_path / "tokens"
    file.write_text(SECRET)
    bearer = auth.BearerAuthenticator(auth.bearer_tokens([], file))
    user = auth.BasicAuthenticator(auth.htpasswd_users(f"alice:{hashed(SECRET)}", None))
    await bearer.admits(f"Bearer {SECRET}")
    await user.admits(basic("alice", SECRET))
    assert SECRET not in f"{bearer!r} {user!r} {vars(user)!r} {caplog.text}"
    assert base64.b64encode(f"alice:{SECRET}".encode()).decode() not in repr(vars(user))
