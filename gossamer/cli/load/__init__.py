"""gossamer load: the load generator's command.

command.py   the command, and how it ends
options.py   what may be asked, and the checked record that follows from it
perform.py   one run, from the first connection to the last answer
"""
