"""A model checker: every order in which two small ends, their users, their timers and the network can act.

What is where:

    world.py        both ends, their users and what is under way, as one value
    abstraction.py  time taken out of a connection, so that equal futures are equal values
    moves.py        what can happen next, and the world after it
    explore.py      breadth first over all of it, with a way to a close from everywhere; counterexamples
    scenarios.py    the worlds to begin with

`python -m gossamer.core.sim.model` (or `make model`) explores deeper than the tests do.
"""
