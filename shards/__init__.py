"""Processes: configuration, plan, supervisor, workers, firewall, counters, control, command line."""
