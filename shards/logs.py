"""How log lines look: one line an event, on standard error."""

import logging

from gossamer.core.printable import printable


class LineFormatter(logging.Formatter):
    """The lines, with names of files as they are shown elsewhere, whatever their octets."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of a record."""
        return printable(super().format(record))


def configure_logging(level: str, who: str) -> None:
    """Send all log records of this process to standard error."""
    handler = logging.StreamHandler()
    # Per cent signs in a name would be read as fields of the format.
    line = f"%(asctime)s {who.replace('%', '%%')} %(levelname)s %(message)s"
    handler.setFormatter(LineFormatter(line, datefmt="%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
