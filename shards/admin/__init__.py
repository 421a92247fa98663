"""The admin address: what monitoring, and people with a browser, see of a running server."""
