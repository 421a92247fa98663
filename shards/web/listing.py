"""The list of a folder, for the directory index page.

Owns reading a folder in a bounded way; the page itself is `pages`'. Reading a folder may block on the disk,
so it is done in the pool.
"""

import os
from heapq import nsmallest

from gossamer.core.http.dates import format_date
from gossamer.core.threads.calls import sys_blio
from gossamer.shards.web.content import Folder
from gossamer.shards.web.pages import FolderEntry, folder_page
from gossamer.shards.web.paths import is_servable


async def list_folder(folder: Folder, entries_max: int, hidden_files: bool) -> bytes:
    """The page of a folder, which is closed. Raises: OSError."""
    try:
        entries, is_cut = await sys_blio(read_folder, folder.file.fd, entries_max, hidden_files)
    finally:
        folder.file.close()
    return folder_page(folder.name, entries, is_cut)


def read_folder(fd: int, entries_max: int, hidden_files: bool) -> tuple[list[FolderEntry], bool]:
    """The first entries_max entries by name that are served, folders first; and whether there are more."""
    with os.scandir(fd) as listing:
        served = (item for item in listing if is_servable(item.name, hidden_files))
        first = nsmallest(entries_max + 1, served, key=lambda item: item.name)
    entries = [entry for item in first[:entries_max] if (entry := folder_entry(item)) is not None]
    entries.sort(key=lambda entry: (not entry.is_directory, entry.name))
    return entries, len(first) > entries_max


def folder_entry(item: os.DirEntry[str]) -> FolderEntry | None:
    """One entry; None when it has gone, or is neither a file nor a folder."""
    try:
        status = item.stat()
        is_directory = item.is_dir()
    except OSError:  # It went away, or is a link that leads nowhere: there is nothing to show.
        return None
    if not is_directory and not item.is_file():
        return None
    return FolderEntry(item.name, is_directory, status.st_size, format_date(int(status.st_mtime)))
