"""Alert rules from a configuration: pure functions from settings to the files that Prometheus loads."""
