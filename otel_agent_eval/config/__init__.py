"""The configuration: its schema, how it is read, and what it says when it is wrong."""

from otel_agent_eval.config.exporters import (
    ConsoleExporter,
    Exporter,
    OtlpGrpcExporter,
    OtlpHttpExporter,
    PluginExporter,
)
from otel_agent_eval.config.load import Loaded, load, loads
from otel_agent_eval.config.problems import ConfigError, Problem
from otel_agent_eval.config.processors import AgentEval, EvaluatorRule, EvaluatorSettings, Rule, Selector
from otel_agent_eval.config.receivers import OtlpReceiver
from otel_agent_eval.config.schema import Config

__all__ = [
    "AgentEval",
    "Config",
    "ConfigError",
    "ConsoleExporter",
    "EvaluatorRule",
    "EvaluatorSettings",
    "Exporter",
    "Loaded",
    "OtlpGrpcExporter",
    "OtlpHttpExporter",
    "OtlpReceiver",
    "PluginExporter",
    "Problem",
    "Rule",
    "Selector",
    "load",
    "loads",
]
