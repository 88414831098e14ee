"""Prints what rustdoc has to be told of the dependencies of the crate in the current directory, an argument a line: from what
`cargo test --no-run --message-format=json` says that it compiled."""

import json
import re
import sys

with open("Cargo.toml", encoding="utf-8") as file:
    section = file.read().split("\n[dependencies]\n")[1].split("\n[")[0]
wanted = {name.replace("-", "_") for name in re.findall(r"^([\w-]+) = ", section, re.MULTILINE)}
paths = {}
for line in sys.stdin:
    artifact = json.loads(line) if line.startswith("{") else {}
    if artifact.get("reason") == "compiler-artifact":
        name = artifact["target"]["name"].replace("-", "_")
        libraries = [path for path in artifact["filenames"] if path.endswith(".rlib")]
        if name in wanted and libraries:
            paths[name] = libraries[0]
missing = wanted - paths.keys()
if missing:
    sys.exit(f"cargo did not say where these are: {sorted(missing)}")
for name, path in sorted(paths.items()):
    print("--extern")
    print(f"{name}={path}")
