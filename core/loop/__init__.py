"""The event loops, each of which takes some system calls; the only place in core that meets ffi."""
