"""What workers give up before they serve, and what of it this machine refuses.

Owns which user workers become, and the steps to it, which the worker takes. The supervisor first tries each
step in a short-lived child: a refusal is then one line at the start, instead of a worker that ends at each
start. A configured user is never silently left out.
"""

import contextlib
import errno
import os
import pwd
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, Literal

import msgspec

from gossamer.ffi import privileges
from gossamer.ffi.seccomp import refuse_calls
from gossamer.shards.configuration.config import Config
from gossamer.shards.confinement.refusals import REFUSED
from gossamer.shards.exitcode import CannotStartError, ConfigError
from gossamer.shards.letters.workerplan import Confinement, Identity
from gossamer.shards.machine.needs import describe_refusal

AUTO: Final = "auto"
AUTO_USERS: Final = ("gossamer", "nobody")
"""The first that there is: nobody is also whom other programs run as, who may then signal our workers."""
STAY_ROOT: Final = "root"
OVERFLOW: Final = Identity(65534, 65534)
"""Nobody's numbers, where no table of users names them. Source: user_namespaces(7), overflowuid."""
NOTHING: Final = Confinement(forbids_new_privileges=False, refuses_calls=False)
CONSEQUENCES: Final = {
    "forbids_new_privileges": "a program that a worker starts may gain rights by its set-user-ID bit",
}
"""What it means that a machine refuses that part."""
KEPT: Final = {"kernel": "without capabilities", "nfqueue": "with no capability but CAP_NET_ADMIN"}
WAY_OUT: Final = "allow it (CAP_SETUID, CAP_SETGID), or set server.user to root, which stays root"

StackName = Literal["kernel", "nfqueue"]
Step = Callable[[], None]


def user_name(config: Config) -> str:
    """The user that workers are to run as."""
    return _first_user() if config.server.user == AUTO else config.server.user


def _first_user() -> str:
    for name in AUTO_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return AUTO_USERS[-1]


def _may_be_another() -> bool:
    # Root without the capability tries, and gets the error; an ordinary user is not expected to try.
    return os.geteuid() == 0 or privileges.CAP_SETUID in privileges.effective_capabilities()


def worker_identity(config: Config) -> Identity | None:
    """Whom workers are to become; None when we are not root, or are to stay root. Raises: ConfigError."""
    if config.server.user == STAY_ROOT or not _may_be_another():
        return None
    try:
        entry = pwd.getpwnam(user_name(config))
    except KeyError as error:
        if config.server.user == AUTO:
            return OVERFLOW
        raise ConfigError(
            f"server.user: found {config.server.user!r}; allowed: the name of a user of this machine"
        ) from error
    return Identity(entry.pw_uid, entry.pw_gid)


def kept_capabilities(stack: StackName) -> frozenset[int]:
    """What a worker of that stack cannot do without: verdicts on packets need CAP_NET_ADMIN."""
    return frozenset({privileges.CAP_NET_ADMIN}) if stack == "nfqueue" else frozenset()


def steps(confinement: Confinement, stack: StackName) -> Iterator[Step]:
    """What the worker does, in this order; each raises OSError when the kernel refuses."""
    kept, identity = kept_capabilities(stack), confinement.identity
    if identity is not None:
        yield partial(privileges.become_user, identity.uid, identity.gid, kept)
    elif confinement.drops_capabilities:
        yield partial(privileges.keep_capabilities, kept)
    if confinement.forbids_new_privileges:
        yield privileges.forbid_new_privileges
    if confinement.refuses_calls:
        yield partial(refuse_calls, REFUSED)


def confine(config: Config, stack: StackName) -> tuple[Confinement, list[str]]:
    """What workers of that stack give up on this machine, and warnings for what it refuses.

    Raises: ConfigError; CannotStartError when a user that somebody named cannot be become.
    """
    identity = worker_identity(config)
    drops = identity is None and os.geteuid() != 0 and bool(privileges.effective_capabilities())
    whole = Confinement(identity=identity, drops_capabilities=drops, refuses_calls=config.server.seccomp)
    warnings = [] if identity is not None else _ignored_user(config)
    if not _refusal(whole, stack):
        return whole, warnings
    confinement = msgspec.structs.replace(NOTHING, drops_capabilities=drops)
    if identity is not None:
        confinement, warnings = _become_or_stay(config, identity, stack)
    for name, consequence in CONSEQUENCES.items():
        refusal = _refusal(msgspec.structs.replace(NOTHING, **{name: True}), stack)
        confinement = msgspec.structs.replace(confinement, **{name: not refusal})
        if refusal:
            warnings.append(f"{refusal}: {consequence}")
    return _with_filter(confinement, stack, warnings) if config.server.seccomp else confinement, warnings


def _with_filter(confinement: Confinement, stack: StackName, warnings: list[str]) -> Confinement:
    """The same with calls refused, which only who gains no privileges may do; where that is refused, a
    further warning."""
    if not confinement.forbids_new_privileges:
        return confinement
    tried = msgspec.structs.replace(NOTHING, forbids_new_privileges=True, refuses_calls=True)
    if refusal := _refusal(tried, stack):
        warnings.append(f"{refusal}: a worker may try any system call")
    return msgspec.structs.replace(confinement, refuses_calls=not refusal)


def _become_or_stay(config: Config, identity: Identity, stack: StackName) -> tuple[Confinement, list[str]]:
    become = msgspec.structs.replace(NOTHING, identity=identity)
    refusal = _refusal(become, stack)
    if not refusal:
        return become, []
    what = f"cannot become {user_name(config)}: {refusal}"
    if config.server.user != AUTO:
        raise CannotStartError(f"server.user: {what}; {WAY_OUT}")
    stays = f"server.user: workers stay {_own_user_name()}"
    # Of root, only the files that are its own are left then.
    stay = msgspec.structs.replace(NOTHING, drops_capabilities=True)
    if not _refusal(stay, stack):
        return stay, [f"{stays}, {KEPT[stack]}: {what}; {WAY_OUT}"]
    return NOTHING, [f"{stays}, with all rights: {what}; {WAY_OUT}"]


def _ignored_user(config: Config) -> list[str]:
    user = config.server.user
    if user in (AUTO, STAY_ROOT, _own_user_name()):
        return []
    return [
        f"server.user: found {user!r}, and workers stay {_own_user_name()}: only root becomes another user"
    ]


def _own_user_name() -> str:
    """Who we are; the number where it has no name."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def find_unreadable(confinement: Confinement, stack: StackName, paths: Iterable[str]) -> str:
    """The first of these folders and files that a worker may not read, with the reason; "" where none is.

    Raises: CannotStartError.
    """
    return _refusal(confinement, stack, [partial(_read, path) for path in paths])


def _read(path: str) -> None:
    """Raises: OSError that names the path."""
    if os.path.isdir(path):
        os.scandir(path).close()
    else:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))


def _refusal(confinement: Confinement, stack: StackName, further: Iterable[Step] = ()) -> str:
    def take_steps() -> None:
        for step in (*steps(confinement, stack), *further):
            step()

    try:
        return privileges.find_refusal(take_steps)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):
            raise CannotStartError(describe_refusal("clone", error.errno)) from error
        raise CannotStartError(
            f"cannot start a process: {error.strerror}; some must be left, and descriptors (ulimit -u, -n)"
        ) from error
