"""Sans-I/O HTTP/1.1: bytes to values and values to bytes, for servers and clients."""
