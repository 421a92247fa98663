"""Queues and connections go from one worker to another."""
