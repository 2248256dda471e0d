"""Puts watched files back to what a disk holds after the power went: takes back what no fsync covered.

Usage: undo.py LOG_FOLDER [SEED]    (prints how many operations it took back)

Without a seed everything that was not synced is gone. With one, some of its sectors are on the disk after all, as a
disk's cache writes them: in no order, and not all of one write.
"""

import os
import random
import struct
import sys

HEADER = struct.Struct("<IIQQQQQ")
MAGIC = 0x544C5350
WRITE, SYNC_BEGAN, TRUNCATE, SYNC_DONE, CREATE, REMOVE = 1, 2, 3, 4, 5, 6
SECTOR = 512


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


def is_there(path, inode):
    return os.path.exists(path) and os.stat(path).st_ino == inode


def undo(records):
    """Takes back; returns how many operations, and by path what the file held before."""
    done = {offset for kind, _, offset, _, _, _ in records if kind == SYNC_DONE}
    lasting, undone, written = set(), 0, {}
    for kind, inode, offset, old_size, old, path in reversed(records):
        if kind == SYNC_BEGAN and offset in done:
            lasting.add(inode)
        elif kind == REMOVE:
            lasting.add(inode)  # its inode may have gone to a later file, which what came before must not touch
        elif kind == CREATE and offset not in lasting and is_there(path, inode):
            os.remove(path)
            written.pop(path, None)
            undone += 1
        elif kind in (WRITE, TRUNCATE) and inode not in lasting and is_there(path, inode):
            with open(path, "r+b") as file:
                if path not in written:
                    written[path] = file.read()
                file.truncate(max(old_size, offset + len(old)) if kind == TRUNCATE else old_size)
                file.seek(offset)
                file.write(old)
            undone += 1
    return undone, written


def tear(path, written, chance):
    """Lets some sectors of what was taken back reach the disk after all."""
    with open(path, "rb") as file:
        kept = file.read()
    size = chance.randint(min(len(kept), len(written)), max(len(kept), len(written)))
    sectors = []
    for at in range(0, size, SECTOR):
        sector = (written if chance.random() < 0.5 else kept)[at:at + SECTOR]
        sectors.append(sector.ljust(SECTOR, b"\0"))
    with open(path, "r+b") as file:
        file.write(b"".join(sectors)[:size])
        file.truncate(size)


def main():
    folder = sys.argv[1]
    chance = random.Random(int(sys.argv[2])) if len(sys.argv) > 2 else None
    total = 0
    for name in sorted(os.listdir(folder)):
        if name.endswith(".undo"):
            undone, written = undo(records_of(os.path.join(folder, name)))
            os.remove(os.path.join(folder, name))
            total += undone
            if chance:
                for path in sorted(written):
                    tear(path, written[path], chance)
    print(total)


if __name__ == "__main__":
    main()
