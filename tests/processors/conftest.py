"""The model that tells by keywords, and those that come with the package, loaded once."""

import pytest
from support.keyword_model import keyword_model

from otel_agent_eval.models.builtin import load_builtin
from otel_agent_eval.models.model import Model


@pytest.fixture(scope="session")
def keywords() -> Model:
    return keyword_model()


@pytest.fixture(scope="session")
def toxicity_model() -> Model:
    return load_builtin("toxicity")


@pytest.fixture(scope="session")
def grounding_model() -> Model:
    return load_builtin("faithfulness")
