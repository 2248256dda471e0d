"""Plants one identifier, compressed, into a new table of the first SQLite file below a folder: the control of the scan.

Usage: plant.py FOLDER IDENTIFIER
"""

import os
import sqlite3
import sys
import zlib


def main():
    folder, identifier = sys.argv[1], sys.argv[2]
    for root, _, names in sorted(os.walk(folder)):
        for name in sorted(names):
            if name.endswith(".db"):
                database = sqlite3.connect(os.path.join(root, name))
                database.execute("create table planted (body blob)")
                body = zlib.compress(("a note about " + identifier + " that nobody should see").encode())
                database.execute("insert into planted values (?)", (b"\x01" + body,))
                database.commit()
                database.close()
                return
    raise SystemExit("no store found to plant in")


if __name__ == "__main__":
    main()
