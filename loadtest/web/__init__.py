"""The web server on both stacks beside its peers, over a link between two namespaces: `gossamer bench http`.

    rows.py         what is asked: a table
    links.py        over what: a table; and the plan, which row is asked over which link
    settings.py     what was asked of a run, and how long a run is
    contenders.py   of whom: a table; a further build of the TCP is one more line there
    apps.py         what the Python peers answer with, and sink.py where ours put an upload
    echo.py         what of ours says back what it hears on a WebSocket
    python_peers.py how the Python peers are started
    stage.py        the namespaces, the link between them, and what is wrong with it
    wrk.py, curl.py the clients: command lines and what they print
    echo_client.py  the client of WebSockets
    measuring.py    one sample: what the server's processes, the client and the machine used
    sample.py       PURE: samples, medians, ratios of pairs
    result.py       the records of a run, which `--json` prints and `--schema` describes
    goals.py        PURE: what applications must cost at most: a table
    asking.py       how one row is asked of one server
    run.py          the order of it all
    report.py, picture.py   how it is shown

A round asks every contender of a case, one after the other, each round beginning with another; a ratio is
taken between two samples of one round and one case, so that what the machine did meanwhile hits both alike.
"""
