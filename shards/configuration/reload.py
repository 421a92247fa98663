"""What a reload may change. Pure.

Owns the list of keys that stay fixed for the life of a server, since its sockets, queues and rules were made
from them.
"""

from typing import Final

import msgspec

from gossamer.shards.configuration.config import AdminConfig, Config, NfqueueConfig

FIXED_KEYS: Final[dict[str, tuple[str, ...]]] = {
    "server": ("host", "port", "uds", "fd", "stack", "user", "seccomp", "run_dir", "pin_cpus", "backlog"),
    "admin": AdminConfig.__struct_fields__,
    "nfqueue": NfqueueConfig.__struct_fields__,
}


def changes_that_need_a_restart(old: Config, new: Config) -> tuple[Config, list[str]]:
    """The new configuration with the fixed keys as they were, and what could not be taken over, in words."""
    ignored: list[str] = []
    merged = new
    for section, keys in FIXED_KEYS.items():
        before, after = getattr(old, section), getattr(new, section)
        kept = {key: getattr(before, key) for key in keys if getattr(before, key) != getattr(after, key)}
        ignored += [f"{section}.{key} stays {value!r} until a restart" for key, value in kept.items()]
        merged = msgspec.structs.replace(merged, **{section: msgspec.structs.replace(after, **kept)})
    if old.tls.is_on != new.tls.is_on:
        # Connections go from one worker to another as they are, and the address is said with its scheme.
        merged = msgspec.structs.replace(merged, tls=old.tls)
        ignored.append(f"tls.certfile stays {old.tls.certfile!r} until a restart")
    return merged, ignored
