"""The experiments of the paper, made again: `gossamer bench NAME`.

    experiment.py   what a bench finds, and the JSON of a run
    rounds.py       interleaved rounds, their end, and pairs of one round
    child.py        a measurement in a process of its own
    threads.py      memory, creation and switch of a thread, beside asyncio, trio and OS threads
    fifo.py         pipes with idle threads beside them
    sync.py         mutex, channel and transactions
    timers.py       a million pending timers
    disk.py         random reads by up to 65,536 threads, beside fio
    webdisk.py      the web server with files that no cache holds, beside nginx
    connections.py  idle connections on the functional TCP, up to a million
    shards.py       a request's cost with more workers
    restart.py      what clients lose while workers come and go
    simulator.py    segments a second through the TCP alone
    table.py, plot.py   how it is shown

Source: Li and Zdancewic, PLDI 2007, section 5.
"""
