"""Lightweight threads: coroutines that make system calls, and the scheduler that hands each to a loop."""
