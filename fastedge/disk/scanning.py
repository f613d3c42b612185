"""What was on disk when fastedge began: read into the index beside the traffic, by one worker for all."""

import os
from collections.abc import Callable
from pathlib import Path

from fastedge.disk.names import FOLDERS, OURS, read_temporary
from fastedge.disk.records import Records
from fastedge.disk.scan import scan_folder


def scan(records: Records, is_closing: Callable[[], bool]) -> None:
    """In a thread of its own; folder by folder, until it is through or `is_closing`. What dead writers left is deleted;
    what is not fastedge's is left alone, and one such file is named."""
    directory = os.fsdecode(records.names.directory)
    strange = [name for name in _listed(records, directory) if name not in OURS and name not in FOLDERS]
    for folder in FOLDERS:
        if is_closing():
            return
        found = _scan_folder(records, f"{directory}/{folder}")
        strange += [f"{folder}/{name}" for name in found]
    while records.evict(0):
        if is_closing():
            return
    records.index.end_scan()
    if strange:
        text = f"{directory}/{strange[0]} is not fastedge's, and left alone; there are {len(strange)} such files"
        records.complaints.say("strange", f"cache.disk_path: {text}")


def _scan_folder(records: Records, path: str) -> list[str]:
    """Names that are no record's."""
    try:
        found = scan_folder(os.fsencode(path), records.index)
    except FileNotFoundError:
        return []
    except OSError as error:
        records.complaints.failed(error)
        return []
    strange = []
    for name in found.others:
        temporary = read_temporary(name)
        if temporary is None:
            strange.append(name)
        elif not records.index.is_in_flight(*temporary):
            records.delete(os.fsencode(f"{path}/{name}"))
    for name in found.surplus:
        records.delete(os.fsencode(f"{path}/{name}"))
    return strange


def _listed(records: Records, directory: str) -> list[str]:
    try:
        return [path.name for path in Path(directory).iterdir()]
    except OSError as error:
        records.complaints.failed(error)
        return []
