"""Sysctls of scripts: which are parameters of ours, which have no effect here, and which ask for behaviour
that does not exist here. One in none of the tables is reported by name, as unsupported.

Source: Linux's Documentation/networking/ip-sysctl.rst; FreeBSD's tcp(4).
"""
