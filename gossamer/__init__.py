"""Threads written as if they blocked, event loops that anybody may add, and a TCP that is a pure function."""
