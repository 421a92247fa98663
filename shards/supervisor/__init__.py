"""The supervisor: starts workers, watches them, replaces them, reloads, stops.

    loop -> commands -> replacing -> scaling -> queues -> children -> slot -> launch

Each knows those to its right alone. What follows from an end, or from a wanted number, is decided by the
pure `endings` and `numbers`; these do it.
"""
