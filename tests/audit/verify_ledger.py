#!/usr/bin/env python3
"""A second verifier of Tidegate's audit ledger, sharing no code with the first.

    verify_ledger.py KEY LEDGER WITNESS [LEDGER WITNESS]...

KEY is the ledger's public key (name+id+base64), or a file that holds it. LEDGER is an export: lines
{"leaf":n,"record":"<base64>","hash":"<hex>"}, then {"checkpoint":"<signed note>"}. WITNESS holds the checkpoint lines
that a witness kept; "-" when there is none. Prints one JSON verdict a ledger; exits 10 when one is broken, 2 when it
cannot read its input. Standard library only.
"""

import base64
import hashlib
import json
import os
import sys

# --- Ed25519 verification, RFC 8032 section 5.1; points are extended (X, Y, Z, T) -----------------------------------------------------------------
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
NEUTRAL = (0, 1, 1, 0)

def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)

def times(scalar, point):
    total = NEUTRAL
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total

def equal(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0

def decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if len(data) != 32 or y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)

BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

def signed_by(public, message, signature):
    key, r, s = decompress(public), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or key is None or r is None or s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % ORDER
    return equal(times(s, BASE), add(r, times(k, key)))

# --- Signed notes and checkpoints (C2SP) -------------------------------------------------------------------------
def read_key(text):
    name, key_id, encoded = text.strip().split("+", 2)
    data = base64.b64decode(encoded, validate=True)
    digest = hashlib.sha256(name.encode() + b"\n" + data).digest()[:4]
    if data[0] != 1 or len(data) != 33 or digest.hex() != key_id:
        raise ValueError("not an Ed25519 key of this name")
    return name, digest, data[1:]

def read_checkpoint(note, key):
    """(origin, size, root, time), or None when the note is not one that the key signed."""
    name, key_id, public = key
    text, gap, signatures = note.rpartition("\n\n")
    text += "\n"
    lines = text.split("\n")
    if not gap or len(lines) != 5 or not lines[0] or not lines[3].startswith("time "):
        return None
    for line in signatures.split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or parts[1] != name:
            continue
        try:
            data = base64.b64decode(parts[2], validate=True)
            if data[:4] == key_id and signed_by(public, text.encode(), data[4:]):
                return lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True), int(lines[3][5:])
        except ValueError:
            pass
    return None

# --- The tree, RFC 6962 section 2.1 ------------------------------------------------------------------------------
def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()

class Tree:
    """Its perfect subtrees' roots, largest first."""

    def __init__(self):
        self.size, self.roots = 0, []

    def append(self, digest):
        size = self.size
        while size & 1:
            digest = hashlib.sha256(b"\1" + self.roots.pop() + digest).digest()
            size >>= 1
        self.roots.append(digest)
        self.size += 1

    def root(self):
        digest = self.roots[-1] if self.roots else hashlib.sha256(b"").digest()
        for left in reversed(self.roots[:-1]):
            digest = hashlib.sha256(b"\1" + left + digest).digest()
        return digest

# --- The ledger --------------------------------------------------------------------------------------------------
def verify(lines, witness_lines, key):
    findings, leaves, own, kept, hole, following = [], [], [], [], False, 0
    for line in lines:
        row = json.loads(line)
        if "checkpoint" in row:
            own.append(read_checkpoint(row["checkpoint"], key))
            continue
        leaf, record, stored = row["leaf"], base64.b64decode(row["record"]), bytes.fromhex(row["hash"])
        if leaf_hash(record) != stored:
            findings.append((leaf, "record does not match the hash stored with it"))
        if leaf < following:
            findings.append((leaf, "record stands twice or out of order"))
            continue
        if leaf > following:
            findings.append((following, "record is missing"))
            hole = True
        following = leaf + 1
        if not hole:
            leaves.append(stored)
        try:
            if json.loads(record)["v"] != 1:
                raise ValueError
        except (ValueError, KeyError, TypeError):
            findings.append((leaf, "record cannot be read"))
    for line in witness_lines:
        kept.append(read_checkpoint(json.loads(line)["checkpoint"], key))
    findings += [(None, "a checkpoint is not signed by this key") for c in own + kept if c is None]
    own, kept = [c for c in own if c], [c for c in kept if c]
    findings += [(c[1], "checkpoints run backwards") for b, c in zip(own, own[1:]) if c[1] < b[1] or c[3] < b[3]]
    if len({c[0] for c in own + kept}) > 1:
        findings.append((None, "checkpoints of several ledgers"))

    tree, good, reported, witnessed = Tree(), 0, set(), None
    tagged = [(c, "ledger") for c in own] + [(c, "witness") for c in kept]
    tagged.sort(key=lambda pair: pair[0][1])
    for (_, size, root, _), keeper in tagged:
        while tree.size < size and tree.size < len(leaves):
            tree.append(leaves[tree.size])
        if tree.size != size:
            continue
        if tree.root() == root:
            good, witnessed = size, size if keeper == "witness" else witnessed
        elif keeper not in reported:
            reported.add(keeper)
            findings.append((good, f"a record from {good} to {size - 1} is not the one the {keeper}'s checkpoint covers"))
    for first, second in zip(tagged, tagged[1:]):
        if first[0][1] == second[0][1] and first[0][2] != second[0][2] and not reported:
            findings.append((good, "two checkpoints of one size differ"))
    sealed = max([c[1] for c in own], default=0)
    for end in (sealed, max([c[1] for c in kept], default=0)):
        if end > following:
            findings.append((following, f"the ledger ends after {following} records, a checkpoint covers {end}"))
    if sealed < following:
        findings.append((sealed, "the last records are numbered and no checkpoint covers them"))
    findings.sort(key=lambda finding: (finding[0] is None, finding[0]))
    return {"intact": not findings, "size": following, "root": tree.root().hex(), "witnessed_size": witnessed,
            "first_bad": findings[0][0] if findings else None, "findings": [text for _, text in findings[:20]]}

def main(arguments):
    if len(arguments) < 3 or len(arguments) % 2 == 0:
        print(__doc__, file=sys.stderr)
        return 2
    key_text = arguments[0]
    if os.path.exists(key_text):
        with open(key_text, encoding="utf-8") as file:
            key_text = file.read()
    key, broken = read_key(key_text), False
    for ledger_path, witness_path in zip(arguments[1::2], arguments[2::2]):
        with open(ledger_path, encoding="utf-8") as file:
            lines = file.read().splitlines()
        with open(os.devnull if witness_path == "-" else witness_path, encoding="utf-8") as file:
            witness = file.read().splitlines()
        verdict = verify(lines, witness, key)
        broken |= not verdict["intact"]
        print(json.dumps(verdict))
    return 10 if broken else 0

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
