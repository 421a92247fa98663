"""Two ends of the functional TCP on a virtual wire: no packet, no socket, no real time; the same run for the same seed.

link.py     what a wire does to a segment: loss, delay, order, duplicates
end.py      one connection and the user above it, who performs what `step` asks for
pair.py     two ends, two links, one virtual clock
states.py   a connection in each state, brought there by real steps
"""
