"""TLS over any stream, on either stack: a machine without I/O, and a stream that carries it."""
