"""Puts watched files back to what a disk holds after the power went: undoes writes that no fsync covered.

Usage: undo.py LOG_FOLDER    (prints how many writes it undid)
"""

import os
import struct
import sys

HEADER = struct.Struct("<IIQQQQQ")
MAGIC = 0x544C5350
WRITE, SYNC_BEGAN, TRUNCATE, SYNC_DONE = 1, 2, 3, 4


def records_of(log):
    with open(log, "rb") as file:
        data = file.read()
    at, records = 0, []
    while at + HEADER.size <= len(data):
        magic, kind, inode, offset, old_size, saved, path_bytes = HEADER.unpack_from(data, at)
        end = at + HEADER.size + saved + path_bytes
        if magic != MAGIC:
            raise SystemExit("undo log is damaged")
        if end > len(data):
            break  # the kill came inside this record, so the write it precedes never began
        old = data[at + HEADER.size:at + HEADER.size + saved]
        path = data[end - path_bytes:end].decode()
        records.append((kind, inode, offset, old_size, old, path))
        at = end
    return records


def undo(records):
    done = {offset for kind, _, offset, _, _, _ in records if kind == SYNC_DONE}
    synced, undone = set(), 0
    for kind, inode, offset, old_size, old, path in reversed(records):
        if kind == SYNC_BEGAN and offset in done:
            synced.add(inode)
        elif kind in (SYNC_BEGAN, SYNC_DONE):
            continue
        elif inode not in synced and os.path.exists(path) and os.stat(path).st_ino == inode:
            with open(path, "r+b") as file:
                file.truncate(max(old_size, offset + len(old)) if kind == TRUNCATE else old_size)
                file.seek(offset)
                file.write(old)
            undone += 1
    return undone


def main():
    folder = sys.argv[1]
    total = 0
    for name in sorted(os.listdir(folder)):
        if name.endswith(".undo"):
            total += undo(records_of(os.path.join(folder, name)))
            os.remove(os.path.join(folder, name))
    print(total)


if __name__ == "__main__":
    main()
