"""The catalogue of every name that is written, and the writing of results onto telemetry."""
