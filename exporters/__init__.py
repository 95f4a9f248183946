"""Where telemetry goes: OTLP over gRPC and HTTP, and the console."""
