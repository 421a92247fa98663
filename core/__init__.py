"""The library: threads, event loops, the pure TCP, and what is built on them; no process, no command line."""

from gossamer.core import native

native.choose()
