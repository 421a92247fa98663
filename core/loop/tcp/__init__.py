"""The functional TCP on real packets: the doer of `core.tcp`."""
