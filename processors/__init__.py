"""What enriches a span: the built-in evaluators."""
