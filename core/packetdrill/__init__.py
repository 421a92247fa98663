"""packetdrill: scripts of timed socket calls and packets, played against the pure TCP in virtual time.

    text -> tokens -> grammar -> script (records) -> runner -> verdict

    runner: clock        when an event is due, and whether it came in time
            host         connections and listeners, stepped; what they emit is queued
            calls/       the socket calls of a script, over the host
            mapping      sequence numbers and timestamps of the script <-> those of the run
            expect       an expected packet against an emitted one
            assertions   %{ python }% on tcp_info
            settings     sysctls and options -> TcpParameters

It needs no rights and opens no socket; a second of the script costs nothing. The language is that of the tool
of that name; docs/packetdrill.md says which parts of it are supported.
"""
