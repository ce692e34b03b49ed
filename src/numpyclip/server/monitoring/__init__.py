"""What an operator sees: the log, the access log and metrics."""
