# The types of the messages of class/None.proto. Made by messi. Do not edit.

from google.protobuf.descriptor import FileDescriptor as _FileDescriptor

DESCRIPTOR: _FileDescriptor
