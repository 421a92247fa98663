"""The functional TCP: pure functions from a connection and an event to a connection and actions."""
