"""`python -m otel_agent_eval` is `otel-agent-eval`."""

from otel_agent_eval.cli import main

main()
