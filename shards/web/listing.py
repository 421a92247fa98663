"""The list of a folder, for the directory index page.

Owns reading a folder in a bounded way; the page itself is `folder_page`'s. Reading a folder may block on the
disk, so it is done in the pool. What a symbolic link leads to is asked as a request would ask it: what could
not be served is not shown either.
"""

import os
from heapq import nsmallest

from gossamer.core.errors import BoundExceeded
from gossamer.core.threads.calls import sys_blio
from gossamer.shards.web.content import Folder
from gossamer.shards.web.files import Files
from gossamer.shards.web.folder_page import FolderEntry, Order, folder_page
from gossamer.shards.web.options import WebOptions
from gossamer.shards.web.paths import is_servable


async def list_folder(folder: Folder, files: Files, options: WebOptions, order: Order) -> bytes:
    """The page of a folder, which is closed. Raises: OSError, BoundExceeded."""
    entries_max, hidden_files = options.autoindex_entries_max, options.hidden_files
    try:
        entries, is_cut = await sys_blio(read_folder, folder.file.fd, entries_max, hidden_files)
    finally:
        folder.file.close()
    shown = [await followed(folder.name, entry, files) if entry.is_link else entry for entry in entries]
    return folder_page(folder.name, [each for each in shown if each is not None], is_cut=is_cut, order=order)


async def followed(folder: str, entry: FolderEntry, files: Files) -> FolderEntry | None:
    """What a symbolic link leads to; None where that would not be served."""
    try:
        found = await files.stat(f"{folder}/{entry.name}" if folder else entry.name)
    except (OSError, BoundExceeded):
        return None
    if not found.is_file and not found.is_directory:
        return None
    return FolderEntry(entry.name, found.is_directory, found.size_bytes, found.mtime_ns // 1_000_000_000)


def read_folder(fd: int, entries_max: int, hidden_files: bool) -> tuple[list[FolderEntry], bool]:
    """The first entries_max entries by name that are served, links among them; and whether there are more."""
    with os.scandir(fd) as listing:
        served = (item for item in listing if is_servable(item.name, hidden_files))
        first = nsmallest(entries_max + 1, served, key=lambda item: item.name)
    entries = [entry for item in first[:entries_max] if (entry := folder_entry(item)) is not None]
    return entries, len(first) > entries_max


def folder_entry(item: os.DirEntry[str]) -> FolderEntry | None:
    """One entry; None when it has gone, or is neither a file nor a folder nor a link."""
    try:
        status = item.stat(follow_symlinks=False)
        is_directory, is_link = item.is_dir(follow_symlinks=False), item.is_symlink()
    except OSError:  # It went away: there is nothing to show.
        return None
    if not is_directory and not is_link and not item.is_file(follow_symlinks=False):
        return None
    return FolderEntry(item.name, is_directory, status.st_size, int(status.st_mtime), is_link)
