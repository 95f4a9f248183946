"""Fixtures for all tests; a conftest here also lets tests import `support`."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from support.certificates import Authority
from support.otlp_sink import OtlpSink

settings.register_profile("patient", deadline=None)  # a busy machine is no failure
settings.load_profile("patient")


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home of its own for the tests: gateways keep their state there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture
def otlp_sink() -> Iterator[OtlpSink]:
    """A backend that accepts all until told otherwise."""
    with OtlpSink() as sink:
        yield sink


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority that the tests' servers and clients trust."""
    return Authority(tmp_path_factory.mktemp("certificates"))
