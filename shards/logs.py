"""How log lines look: one line an event, on standard error."""

import logging


def configure_logging(level: str, who: str) -> None:
    """Send all log records of this process to standard error."""
    # Per cent signs in a name would be read as fields of the format.
    logging.basicConfig(
        level=level.upper(),
        format=f"%(asctime)s {who.replace('%', '%%')} %(levelname)s %(message)s",
        datefmt="%Y-%m-%dT%H:%M:%S",
        force=True,
    )
