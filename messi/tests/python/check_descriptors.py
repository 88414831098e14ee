"""Compares generated descriptors with those that protoc makes.

`check_descriptors.py GENERATED IMPORT_PATH... -- FILE...`, with grpcio-tools, in which protoc is.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from grpc_tools import protoc

NOT_FOR_PYTHON = "nanopb.proto"


def expected(import_paths: list[str], files: list[str]) -> list[descriptor_pb2.FileDescriptorProto]:
    """What protoc makes of the files and of all that they import."""
    include = str(Path(protoc.__file__).parent / "_proto")
    with tempfile.NamedTemporaryFile() as output:
        arguments = [f"-I{path}" for path in [*import_paths, include]]
        status = protoc.main(["protoc", *arguments, "--include_imports", f"-o{output.name}", *files])
        assert status == 0, f"protoc: {status}"
        return list(descriptor_pb2.FileDescriptorSet.FromString(Path(output.name).read_bytes()).file)


def without_what_follows(proto: descriptor_pb2.FileDescriptorProto) -> descriptor_pb2.FileDescriptorProto:
    """Takes out what protoc leaves out of its own Python, and what is for C."""

    def forget(fields: Any) -> None:
        for field in fields:
            words = field.name.split("_")
            name = words[0] + "".join(word[:1].upper() + word[1:] for word in words[1:])
            if field.json_name == name:
                field.ClearField("json_name")

    def walk(messages: Any) -> None:
        for message in messages:
            forget(message.field)
            forget(message.extension)
            walk(message.nested_type)

    walk(proto.message_type)
    forget(proto.extension)
    names = list(proto.dependency)
    kept = [name for name in names if name != NOT_FOR_PYTHON]
    public = [kept.index(names[i]) for i in proto.public_dependency]
    proto.ClearField("dependency")
    proto.dependency.extend(kept)
    proto.ClearField("public_dependency")
    proto.public_dependency.extend(public)
    return proto


def main() -> None:
    """Compares all files, byte by byte."""
    generated, *rest = sys.argv[1:]
    sys.path.insert(0, generated)
    split = rest.index("--")
    compared = 0
    for proto in expected(rest[:split], rest[split + 1 :]):
        if proto.name == NOT_FOR_PYTHON or proto.name.startswith("google/protobuf/"):
            continue
        module = importlib.import_module(proto.name[: -len(".proto")].replace("-", "_").replace("/", ".") + "_pb2")
        actual = descriptor_pb2.FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
        # Read again, with the options that the module has just declared.
        wanted = without_what_follows(descriptor_pb2.FileDescriptorProto.FromString(proto.SerializeToString()))
        assert actual == wanted, f"{proto.name}:\n{actual}\n--- protoc:\n{wanted}"
        assert actual.SerializeToString(deterministic=True) == module.DESCRIPTOR.serialized_pb, proto.name
        compared += 1
    print(compared)


if __name__ == "__main__":
    main()
