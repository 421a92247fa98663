"""The same scripts on either TCP: both ends of a connection, in namespaces, over a good link and a bad one.

    scripts -> scenarios (a table) -> process (one end of all of them) -> cell (two processes, a link,
    captures) -> what each end observed, and what stood on the wire

Nothing is imported here.
"""
