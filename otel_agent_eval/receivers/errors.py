"""Why a receiver does not take a request, and what each reason is answered with over gRPC and over HTTP."""

import math
from enum import Enum

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.code_pb2 import INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNAUTHENTICATED, UNAVAILABLE, UNIMPLEMENTED
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status


class Cause(Enum):
    """Why a request is not taken, with its gRPC and its HTTP code. The last six are worth a retry."""

    MALFORMED = ("malformed", INVALID_ARGUMENT, 400)
    NO_SUCH_PATH = ("no_such_path", UNIMPLEMENTED, 404)
    WRONG_METHOD = ("wrong_method", UNIMPLEMENTED, 405)
    TOO_LARGE = ("too_large", RESOURCE_EXHAUSTED, 413)
    UNSUPPORTED_MEDIA_TYPE = ("unsupported_media_type", INVALID_ARGUMENT, 415)
    UNAUTHENTICATED = ("unauthenticated", UNAUTHENTICATED, 401)
    THROTTLED = ("throttled", UNAVAILABLE, 429)
    FULL = ("full", UNAVAILABLE, 503)
    MEMORY = ("memory", UNAVAILABLE, 503)
    SLOW = ("slow", UNAVAILABLE, 503)
    STOPPING = ("stopping", UNAVAILABLE, 503)
    INTERNAL = ("internal", UNAVAILABLE, 503)

    @property
    def grpc_code(self) -> int:
        """The number of the gRPC status code."""
        return int(self.value[1])

    @property
    def http_status(self) -> int:
        """The HTTP status."""
        return int(self.value[2])


class Rejection(Exception):  # noqa: N818 (an answer to the sender, not a fault of the gateway)
    """A request is answered with an error; `retry_after` (seconds) is set where the sender should try again."""

    def __init__(self, cause: Cause, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.cause = cause
        self.message = message
        self.retry_after = retry_after

    def status(self) -> Status:
        """Return the body of the answer, with `BadRequest` or `RetryInfo` where the specification asks for them."""
        status = Status(code=self.cause.grpc_code, message=self.message)
        if self.cause is Cause.MALFORMED:
            violation = BadRequest.FieldViolation(description=self.message)
            status.details.append(_packed(BadRequest(field_violations=[violation])))
        if self.retry_after is not None:
            delay = Duration()
            delay.FromMilliseconds(math.ceil(self.retry_after * 1000))
            status.details.append(_packed(RetryInfo(retry_delay=delay)))
        return status


class Undecodable(Rejection):
    """The request is not what it says it is."""

    def __init__(self, message: str) -> None:
        super().__init__(Cause.MALFORMED, message)


class TooLarge(Rejection):
    """The request is larger than the limit, before or after decompression."""

    def __init__(self, limit: int) -> None:
        super().__init__(Cause.TOO_LARGE, f"request is larger than {limit} bytes")


class TooMany(Rejection):
    """The request holds more of something than the limit; in parts it may be taken."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(Cause.TOO_LARGE, f"request is too large: it holds more than {limit} {what}")


class Unavailable(Rejection):
    """The request cannot be taken now; the sender keeps it and tries again."""

    def __init__(self, cause: Cause, message: str, retry_after: float = 1.0) -> None:
        super().__init__(cause, message, retry_after)


def _packed(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
