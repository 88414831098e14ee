"""Decodes records and encodes them again.

Arguments: the directory of what was generated, the table of messages, the records, and where to write them. A line of the
table is: number of the protocol, number of the message, whether the protocol wants a process of its own, its file, the file
of the message, the message.
"""

import importlib
import struct
import subprocess
import sys


def read_records(path):
    with open(path, "rb") as file:
        data = file.read()
    records = []
    at = 0
    while at < len(data):
        protocol, message, size = struct.unpack_from("<III", data, at)
        records.append((protocol, message, data[at + 12:at + 12 + size]))
        at += 12 + size
    return records


def write_records(path, records):
    with open(path, "wb") as file:
        for protocol, message, data in records:
            file.write(struct.pack("<III", protocol, message, len(data)) + data)


def main():
    generated, cases, source, target = sys.argv[1:5]
    only = int(sys.argv[5]) if len(sys.argv) > 5 else None
    sys.path.insert(0, generated)
    table = {}
    alone = set()
    with open(cases, encoding="utf-8") as file:
        for line in file:
            protocol, message, is_alone, stem, module, name = line.split()
            table[int(protocol), int(message)] = (stem, module, name)
            if is_alone == "1":
                alone.add(int(protocol))
    records = read_records(source)
    done = []
    for protocol in sorted({record[0] for record in records}):
        mine = [record for record in records if record[0] == protocol]
        if protocol in alone and only is None:
            write_records(target, mine)
            subprocess.run([sys.executable, *sys.argv[:3], target, target, str(protocol)], check=True)
            done += read_records(target)
            continue
        for _, message, data in mine:
            stem, module, name = table[protocol, message]
            importlib.import_module(f"{stem}_client")
            importlib.import_module(f"{stem}_server")
            value = getattr(importlib.import_module(f"{module}_pb2"), name)()
            value.ParseFromString(data)
            done.append((protocol, message, value.SerializeToString()))
    write_records(target, done)


if __name__ == "__main__":
    main()
