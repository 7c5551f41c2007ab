"""What a service says instead of an answer."""

from __future__ import annotations

import msgspec

REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    417: "Expectation Failed",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}


class Problem(Exception):
    """A request that is not answered: HTTP status, stable code, one sentence, perhaps the field.

    ``close`` says that the connection cannot be used any more (its framing is lost);
    ``headers`` are further header lines, each ended by CRLF.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str = "",
        field: str | None = None,
        close: bool = False,
        headers: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code or _CODES.get(status, "error")
        self.field = field
        self.close = close
        self.headers = headers

    def native(self) -> bytes:
        """``{"status": "error", "error": {"code", "message", "field"?}}``."""
        error = {"code": self.code, "message": self.message}
        if self.field is not None:
            error["field"] = self.field
        return msgspec.json.encode({"status": "error", "error": error})

    def inference(self) -> bytes:
        """``{"error": message}``, the Open Inference Protocol's form."""
        return msgspec.json.encode({"error": self.message})

    def mlflow(self) -> bytes:
        """``{"error_code", "message"}``, the form of MLflow's scoring server."""
        code = "INVALID_PARAMETER_VALUE" if self.code == "invalid_row" else _MLFLOW.get(self.status)
        return msgspec.json.encode({"error_code": code or "INTERNAL_ERROR", "message": self.message})


_MLFLOW = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    405: "BAD_REQUEST",
    413: "BAD_REQUEST",
    415: "BAD_REQUEST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
}
_CODES = {
    400: "malformed",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "wrong_verb",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_encoding",
    417: "expectation_failed",
    422: "invalid_row",
    429: "busy",
    431: "head_too_large",
    500: "model_failed",
    501: "unsupported",
    503: "not_ready",
    504: "too_slow",
    505: "http_version",
}
