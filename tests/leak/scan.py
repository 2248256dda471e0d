"""Leak scan: looks for every identifier that was sent, in every byte a node left behind.

Usage: scan.py SENT.json ROOT...

SENT.json holds what a feed said about people: {"names": [...], "ids": [...], "phones": [...], "addresses": [...],
"dates": ["YYYYMMDD", ...]}. Each ROOT (a folder or file) is searched: SQLite files table by table, row by row, values
decompressed; every other file as bytes. Shares no code with the product and needs only the standard library.

Output: one JSON object: identifiers looked for, distinct identifiers found, and for each finding where it stood
(file, table, column) and which kind of identifier in which form it was -- never the identifier itself.
"""

import base64
import datetime
import gzip
import json
import os
import re
import sqlite3
import sys
import tempfile
import urllib.parse
import zlib

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
NESTING_MAX = 3
BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
HEX_RUN = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,}")


def date_forms(day):
    """A day in twelve spellings."""
    d = datetime.date(int(day[:4]), int(day[4:6]), int(day[6:8]))
    month = MONTHS[d.month - 1]
    long_month = d.strftime("%B")
    return {
        d.strftime("%Y%m%d"), d.strftime("%Y-%m-%d"), d.strftime("%Y/%m/%d"), d.strftime("%Y.%m.%d"),
        d.strftime("%d.%m.%Y"), d.strftime("%d/%m/%Y"), d.strftime("%m/%d/%Y"), d.strftime("%m-%d-%Y"),
        d.strftime("%d-%m-%Y"), "%d-%s-%d" % (d.day, month, d.year), "%d %s %d" % (d.day, long_month, d.year),
        "%s %d, %d" % (long_month, d.day, d.year),
    }


def plain_forms(kind, text):
    """The spellings under which one identifier may stand in clear."""
    if kind == "dates":
        return date_forms(text)
    forms = {text}
    digits = re.sub(r"\D", "", text)
    if kind == "phones" and len(digits) >= 10:
        a, b, c = digits[-10:-7], digits[-7:-4], digits[-4:]
        forms |= {digits[-10:], "%s-%s-%s" % (a, b, c), "%s.%s.%s" % (a, b, c), "(%s) %s-%s" % (a, b, c)}
    if kind == "ids" and len(digits) >= 9 and "-" in text:
        forms.add(digits)
    return forms


class Needles:
    """All spellings of all identifiers, searched as lower-case bytes by their first four bytes."""

    def __init__(self, sent):
        self.by_prefix = {}
        self.identifiers = 0
        for kind in ("names", "ids", "phones", "addresses", "dates"):
            for text in sent[kind]:
                if len(text) < 4:
                    continue
                self.add(self.identifiers, kind, text)
                self.identifiers += 1

    def add(self, number, kind, text):
        for plain in plain_forms(kind, text):
            raw = plain.encode()
            forms = {"clear": raw, "hex": raw.hex().encode(), "percent": urllib.parse.quote(plain).encode(),
                     "reversed": raw[::-1]}
            for offset in range(3):
                # base64 of the identifier at each alignment, without the characters that its neighbours decide
                coded = base64.b64encode(b"\0" * offset + raw)
                forms["base64+%d" % offset] = coded[(0, 2, 3)[offset]:len(coded) - 4]
            for form, needle in forms.items():
                case = not form.startswith("base64")
                needle = needle.lower() if case else needle
                if len(needle) >= 6 or (form == "clear" and len(needle) >= 4):
                    prefix = needle[:4].lower()
                    self.by_prefix.setdefault(prefix, []).append((needle, case, number, kind, form))

    def search(self, data):
        """(identifier number, kind, form) of each needle that stands in data."""
        lower = data.lower()
        found = set()
        for start in set(self.positions(lower)):
            for needle, folded, number, kind, form in self.by_prefix.get(lower[start:start + 4], ()):
                hay = lower if folded else data
                if hay.startswith(needle, start) and whole_word(lower, start, len(needle), kind, form):
                    found.add((number, kind, form))
        return found

    def positions(self, lower):
        prefixes = self.by_prefix
        for start in range(len(lower) - 3):
            if lower[start:start + 4] in prefixes:
                yield start


def whole_word(lower, start, length, kind, form):
    """Names and short numbers count only as words of their own: `Ros` in `Rosalba` is none, nor digits in digits."""
    if form != "clear" or kind == "addresses":
        return True
    before = lower[start - 1:start]
    after = lower[start + length:start + length + 1]
    return not (before.isalnum() or after.isalnum())


def layers(data, depth=0):
    """data, and whatever is compressed or encoded inside it."""
    yield data
    if depth >= NESTING_MAX:
        return
    for unpacked in unpacked_forms(data):
        yield from layers(unpacked, depth + 1)


def unpacked_forms(data):
    for body in (data, data[1:]):
        for unpack in (gzip.decompress, zlib.decompress, lambda b: zlib.decompress(b, -15)):
            try:
                out = unpack(body)
            except (OSError, EOFError, zlib.error, ValueError):
                continue
            if len(out) > 8:
                yield out
                break
    for run in BASE64_RUN.findall(data):
        text = run.replace(b"-", b"+").replace(b"_", b"/").rstrip(b"=")
        try:
            out = base64.b64decode(text + b"=" * (-len(text) % 4))
        except ValueError:
            continue
        if out[:2] in (b"\x1f\x8b", b"\x78\x9c", b"\x78\x01", b"\x78\xda") or is_text(out):
            yield out
    for run in HEX_RUN.findall(data):
        out = bytes.fromhex(run.decode())
        if is_text(out):
            yield out


def is_text(data):
    return len(data) >= 6 and sum(32 <= b < 127 or b in b"\r\n\t" for b in data) >= 0.9 * len(data)


def to_bytes(value):
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    return str(value).encode("utf-8", "surrogateescape")


def rows_of(path):
    """(table, column, bytes) of every value in a SQLite file, read from a copy with its write-ahead log."""
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "copy.db")
        for suffix in ("", "-wal"):
            if os.path.exists(path + suffix):
                with open(path + suffix, "rb") as source, open(copy + suffix, "wb") as target:
                    target.write(source.read())
        database = sqlite3.connect(copy)
        database.text_factory = bytes
        tables = [name.decode() for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        for table in tables:
            cursor = database.execute('select * from "%s"' % table.replace('"', '""'))
            columns = [column[0] for column in cursor.description]
            for row in cursor:
                for column, value in zip(columns, row):
                    data = to_bytes(value)
                    if len(data) >= 4:
                        yield table, column, data
        database.close()


def is_sqlite(path):
    with open(path, "rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def values_of(path):
    if is_sqlite(path):
        yield from rows_of(path)
        # Free pages and the log may hold what no table shows any more.
    with open(path, "rb") as file:
        yield "", "", file.read()


def files_of(roots):
    for root in roots:
        if os.path.isfile(root):
            yield root
        for folder, _, names in os.walk(root):
            for name in names:
                yield os.path.join(folder, name)


def scan(sent, roots):
    needles = Needles(sent)
    found, places, values = set(), {}, 0
    for path in files_of(roots):
        for table, column, data in values_of(path):
            values += 1
            for layer in layers(data):
                for number, kind, form in needles.search(layer):
                    found.add(number)
                    place = (os.path.basename(path), table, column, kind, form)
                    places[place] = places.get(place, 0) + 1
    return {
        "identifiers": needles.identifiers, "found": len(found), "values": values,
        "places": [dict(zip(("file", "table", "column", "kind", "form"), place), count=count)
                   for place, count in sorted(places.items())],
    }


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        sent = json.load(file)
    json.dump(scan(sent, sys.argv[2:]), sys.stdout)


if __name__ == "__main__":
    main()
