"""What this machine has and lacks for a server, tried where it can be tried: the rows of `gossamer doctor`.

findings    what a row is, and what all of them together mean
process     rows about this process: Python, its build, rights, limits
kernel      rows about the kernel: release, system calls, clock, settings, control groups
network     rows about packets: netlink, a queue, raw sockets, IPv6, rules
files       rows about files: /run, what a worker's user may read, packages
"""
