"""A run on several processors: engine processes, forked by a conductor.

    share.py       which part of a run an engine has: a pure function of its number
    shared.py      the memory in which an engine counts and the conductor reads
    seat.py        what an engine process knows of the others: nothing but when to begin and to end
    letter.py      what an engine says at its end, beside what it has counted
    conductor.py   forks them, starts them at one instant, watches, and adds up

Nobody is asked anything while requests are sent: request n belongs to engine n mod N.
"""
