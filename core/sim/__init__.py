"""Two ends of the functional TCP on a virtual wire: no packet, no socket, no real time; one seed, one run.

What is where:

    link.py     what a wire does to a segment: loss, delay, order, duplicates
    end.py      one connection and the user above it, who performs what `step` asks for
    oracle.py   what must hold after every step
    pair.py     two ends, two links, one virtual clock
    device.py   packet devices in memory
    network.py  hosts with schedulers and TcpLoops, joined by such devices
    states.py   a connection in each state, brought there by real steps
    model/      every order in which two small ends, their users, timers and the network can act
    fuzz/       bytes against a whole host
"""
