"""Receivers: OTLP over gRPC and HTTP, bytes to decoded requests, answers by the specification."""

from otel_agent_eval.listen import ListenError, ServerTls
from otel_agent_eval.receivers.bulk import BulkLimits
from otel_agent_eval.receivers.decode import count_items, decode_protobuf
from otel_agent_eval.receivers.errors import Cause, Rejection
from otel_agent_eval.receivers.gate import ClientLimits, ClientMeter, Gate
from otel_agent_eval.receivers.intake import DEFAULT_MAX_REQUEST_BYTES, Intake, Observe, Transport
from otel_agent_eval.receivers.otlp_grpc import DEFAULT_GRPC_ENDPOINT, GrpcLimits, OtlpGrpcReceiver
from otel_agent_eval.receivers.otlp_http import DEFAULT_HTTP_ENDPOINT, HttpLimits, OtlpHttpReceiver
from otel_agent_eval.receivers.otlp_json import decode_json

__all__ = [
    "DEFAULT_GRPC_ENDPOINT",
    "DEFAULT_HTTP_ENDPOINT",
    "DEFAULT_MAX_REQUEST_BYTES",
    "BulkLimits",
    "Cause",
    "ClientLimits",
    "ClientMeter",
    "Gate",
    "GrpcLimits",
    "HttpLimits",
    "Intake",
    "ListenError",
    "Observe",
    "OtlpGrpcReceiver",
    "OtlpHttpReceiver",
    "Rejection",
    "ServerTls",
    "Transport",
    "count_items",
    "decode_json",
    "decode_protobuf",
]
