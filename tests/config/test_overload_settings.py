"""Workers, priorities and the memory limiter: what can be said of them, and what is told when it is wrong."""

import pytest

from otel_agent_eval.config import Config, ConfigError, loads
from otel_agent_eval.config.processors import AgentEval, EvaluatorSettings

PAGE = """
receivers: {{otlp: {{protocols: {{grpc: }}}}}}
processors:
  memory_limiter: {limiter}
  agent_eval: {agent_eval}
exporters: {{console: }}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: {order}, exporters: [console]}}
"""
LIMITER, IN_ORDER = "{limit_mib: 800}", "[memory_limiter, agent_eval]"


def loaded(limiter: str = LIMITER, agent_eval: str = "{}", order: str = IN_ORDER) -> Config:
    return loads(PAGE.format(limiter=limiter, agent_eval=agent_eval, order=order), "c.yaml", {}).config


def test_a_limiter_before_the_evaluation_leaves_the_evaluation_in_place() -> None:
    config = loaded()
    assert config.agent_eval is not None
    assert config.memory_limiter is not None
    assert config.memory_limiter.limit_mib == 800


@pytest.mark.parametrize(
    ("limiter", "message"),
    [
        ("{}", "c.yaml:4: processors.memory_limiter: give limit_mib or limit_percentage"),
        ("{limit_mib: 1, limit_percentage: 1}", "c.yaml:4: processors.memory_limiter: give limit_mib or limit_percent"),
        ("{limit_mib: 5, spike_limit_mib: 5}", "c.yaml:4: processors.memory_limiter: the spike limit must be smaller"),
        ("{limit_mib: 5, spike_limit_percentage: 5}", "spike_limit_percentage goes with limit_percentage"),
        ("{limit_percentage: 5, spike_limit_mib: 5}", "spike_limit_mib goes with limit_mib"),
        ("{limit_mib: 5, check_interval: 0s}", "processors.memory_limiter.check_interval: expected at least 100ms"),
        ("{limit_percentage: 101}", "processors.memory_limiter.limit_percentage: expected at most 100; got 101"),
    ],
)
def test_a_limiter_that_cannot_be_meant_is_named(limiter: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(limiter)
    assert message in str(raised.value)


def test_a_limiter_must_come_first_and_be_the_only_one() -> None:
    with pytest.raises(ConfigError, match="memory_limiter must be the first"):
        loaded(order="[agent_eval, memory_limiter]")
    with pytest.raises(ConfigError, match="one memory for all pipelines: memory_limiter is enough"):
        loaded(limiter=f"{LIMITER}\n  memory_limiter/2: {LIMITER}")


def test_several_workers_are_processes() -> None:
    settings = loaded(agent_eval="{workers: 3, worker_timeout: 1m}").agent_eval
    assert settings is not None
    assert (settings.worker, settings.workers, settings.worker_timeout) == ("process", 3, 60.0)
    with pytest.raises(ConfigError, match=r"processors\.agent_eval: workers: more than one needs worker: process"):
        loaded(agent_eval="{worker: thread, workers: 2}")


def test_toxicity_is_kept_longest_unless_priorities_say_otherwise() -> None:
    names = ("relevance", "plugin", "context_relevance", "input_toxicity", "faithfulness", "toxicity")
    settings = AgentEval(evaluators={name: EvaluatorSettings() for name in names})
    assert settings.by_priority == [
        "toxicity", "input_toxicity", "faithfulness", "plugin", "relevance", "context_relevance"
    ]  # fmt: skip
    changed = {name: EvaluatorSettings(priority=60 if name == "relevance" else None) for name in names}
    assert AgentEval(evaluators=changed).by_priority[0] == "relevance"
    same = {name: EvaluatorSettings(priority=1) for name in names}
    assert AgentEval(evaluators=same).by_priority == list(names)
