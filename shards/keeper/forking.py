"""How a keeper begins: forked from the supervisor before that has opened anything or started a thread.

Owns what of its parent it lets go: every descriptor but the standard ones, signals, its group of processes.
A process of its own by exec would cost each start of a server as much as a worker does.

Source: fork(2); proc(5), comm.
"""

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from pathlib import Path

from gossamer.core.io.signals import SignalSocket
from gossamer.shards.configuration.config import LogConfig
from gossamer.shards.keeper.deposit import Deposit
from gossamer.shards.keeper.keeper import Keeper
from gossamer.shards.letters.signals import ENDING
from gossamer.shards.log.logs import configure_logging
from gossamer.shards.log.outlet import Outlets
from gossamer.shards.machine.procfs import ProcessIdentity, own_identity, start_ticks

log = logging.getLogger("gossamer.keeper")


def start_keeper(config: LogConfig) -> Deposit:
    """Start it. Raises: OSError."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    # Until the child catches them, none is to meet with its default action.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if not pid:
            _be_keeper(config, theirs)
    except OSError:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
    ticks = start_ticks(pid)
    return Deposit(ours, ProcessIdentity(pid, ticks or 0))


def _be_keeper(config: LogConfig, link: socket.socket) -> None:
    """What the child does; it never returns."""
    code = 1
    try:
        # What is dropped here would close descriptors by numbers that are somebody else's by then.
        gc.disable()
        gc.freeze()
        _let_go(link.fileno())
        signals = SignalSocket(ENDING)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        configure_logging(config.level, "keeper", config.format)
        outlets = Outlets()
        outlets.take_over_log()
        Keeper(link, signals, own_identity()).run()
        outlets.close()
        code = 0
    except BaseException:
        log.critical("the keeper ends of an error of its own", exc_info=True)
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(code)


def _let_go(link: int) -> None:
    os.setpgid(0, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(nothing, fd)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != link:
            with contextlib.suppress(OSError):
                os.close(int(name))
    with contextlib.suppress(OSError):
        Path("/proc/self/comm").write_text("gossamer-keeper")
