"""Kernel sockets: the loop, the calls that it takes, and what each part of a connection's life waits for."""
