"""Receivers: OTLP over gRPC and HTTP, bytes to decoded requests, answers by the specification."""
