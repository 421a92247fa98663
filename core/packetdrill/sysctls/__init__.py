"""Sysctls of scripts: which is which parameter of ours, which has no bearing here, and which asks for
behaviour that does not exist. What stands in none of the tables is unsupported, by name.

Source: Linux's Documentation/networking/ip-sysctl.rst; FreeBSD's tcp(4).
"""
