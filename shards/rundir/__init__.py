"""The run directory of a server, and what is reached by it."""
