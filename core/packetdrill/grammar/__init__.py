"""The language: recursive descent, one module for each part of it.

    script   options, set-up command, events
    packets  < and >, flags, sequence ranges, IP, ICMP
    options  TCP options
    calls    socket calls, expressions

Every error names file and line, what was expected and what was found.

Source: the published grammar of the tool.
"""

from gossamer.core.packetdrill.grammar.script import parse

__all__ = ["parse"]
