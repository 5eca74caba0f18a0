"""The protocol of activators and queue-proxies: protobuf messages, the port, our own header.

Source: knative/serving pkg/autoscaler/metrics/stat.proto (proto3; zero values are absent on the
wire). Described here instead of generated, as there are only three messages.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PORT = 8080  # that activators connect to
FORWARDED = (
    "Kn-Ahead-Forwarded"  # header of a replica that forwards frames; they are forwarded once
)

_FIELD = descriptor_pb2.FieldDescriptorProto
_STAT = (
    ("pod_name", _FIELD.TYPE_STRING),
    ("average_concurrent_requests", _FIELD.TYPE_DOUBLE),
    ("average_proxied_concurrent_requests", _FIELD.TYPE_DOUBLE),
    ("request_count", _FIELD.TYPE_DOUBLE),
    ("proxied_request_count", _FIELD.TYPE_DOUBLE),
    ("process_uptime", _FIELD.TYPE_DOUBLE),
    ("timestamp", _FIELD.TYPE_INT64),
)


def _messages() -> tuple[Any, Any, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="kn_ahead/stat.proto", package="kn_ahead", syntax="proto3"
    )
    stat = file.message_type.add(name="Stat")
    for number, (name, kind) in enumerate(_STAT, 1):
        stat.field.add(name=name, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
    message = file.message_type.add(name="WireStatMessage")
    for number, name in enumerate(("namespace", "name"), 1):
        message.field.add(
            name=name, number=number, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL
        )
    message.field.add(
        name="stat",
        number=3,
        type=_FIELD.TYPE_MESSAGE,
        type_name=".kn_ahead.Stat",
        label=_FIELD.LABEL_OPTIONAL,
    )
    messages = file.message_type.add(name="WireStatMessages")
    messages.field.add(
        name="messages",
        number=1,
        type=_FIELD.TYPE_MESSAGE,
        type_name=".kn_ahead.WireStatMessage",
        label=_FIELD.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = (pool.FindMessageTypeByName(f"kn_ahead.{m.name}") for m in file.message_type)
    stat_type, message_type, messages_type = (message_factory.GetMessageClass(d) for d in found)
    return stat_type, message_type, messages_type


Stat, WireStatMessage, WireStatMessages = _messages()
