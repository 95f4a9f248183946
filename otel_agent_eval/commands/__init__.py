"""The subcommands of `otel-agent-eval`, a module each; otel_agent_eval/cli.py declares their options."""
