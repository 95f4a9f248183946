"""The tokenizer and the models that come with the package, loaded once."""

import pytest
from support.keyword_model import load_tokenizer

from otel_agent_eval.models.builtin import load_builtin
from otel_agent_eval.models.model import Model
from otel_agent_eval.models.tokens import Tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return load_tokenizer()


@pytest.fixture(scope="session")
def toxicity_model() -> Model:
    return load_builtin("toxicity")


@pytest.fixture(scope="session")
def grounding_model() -> Model:
    return load_builtin("faithfulness")
