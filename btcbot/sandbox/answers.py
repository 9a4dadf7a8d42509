"""Answers of the HTTP hosts: envelopes, refusals, pages of the edge, and the answer that never comes whole."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from btcbot.sandbox.limits import Exceeded
from btcbot.sandbox.wire import encode

JSON = "application/json; charset=utf-8"
PAIR_LENGTH_MAX = 20
PAGE = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
)
TITLES = {403: "Forbidden", 502: "Bad Gateway", 503: "Service Temporarily Unavailable", 504: "Gateway Time-out"}


def json_answer(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(encode(document), status, headers=dict(headers or {}), media_type=JSON)


def success(data: object, message: str | None = None, code: object = 0) -> Response:
    return json_answer({"data": data, "success": True, "message": message, "code": code})


def failure(message: str, code: object, status: int = 400) -> Response:
    return json_answer({"success": False, "message": message, "code": code}, status)


def pair_unknown(name: str) -> Response:
    return failure(f"Pair {name[:PAIR_LENGTH_MAX]} does not exists.", 1037)


def failure_without_data(message: str, code: object, status: int = 400) -> Response:
    """As users/transactions has it."""
    return json_answer({"data": None, "success": False, "message": message, "code": code}, status)


def order_refused(message: str, code: int) -> Response:
    return json_answer(
        {"httpStatusCode": 400, "data": None, "success": False, "message": message, "code": code}, 400
    )  # fmt: skip


def unauthorized(reason: str, *, is_successful: bool) -> Response:
    """`success` is true in it, as far as anybody knows (protocol 3)."""
    return json_answer({"success": is_successful, "message": f"Unauthorized - {reason}", "code": 1037}, 401)


def too_many(exceeded: Exceeded, retry_after: str | None = None) -> Response:
    """`retry_after` stands in for the seconds of the limit."""
    limit = exceeded.limit
    return json_answer(
        {
            "message": "TOO_MANY_REQUESTS", "success": False, "code": 429,
            "details": f"Quota exceeded. Maximum allowed: {limit.count} per {limit.period}.",
            "limit": str(limit.count), "period": limit.period, "policy": limit.policy,
        },
        429,
        {"Retry-After": retry_after or str(exceeded.retry_after)},
    )  # fmt: skip


def too_many_in_old_words() -> Response:
    return failure("Too many requests", 429, 429)


def maintenance() -> Response:
    return failure("SYSTEM_UNDER_MAINTENANCE", "SYSTEM_UNDER_MAINTENANCE", 503)


def internal_error() -> Response:
    return json_answer({"message": "INTERNAL_ERROR", "code": "INTERNAL_ERROR"}, 500)


def system_error() -> Response:
    """The generic failure, under a status that says all is well."""
    return json_answer({"data": None, "success": False, "message": "SYSTEM_ERROR", "code": 1000, "extensions": None})


def page(status: int) -> Response:
    """Of the edge, which knows nothing of what lies behind it."""
    return Response(PAGE.format(title=f"{status} {TITLES[status]}"), status, media_type="text/html")


class NoAnswer(Response):
    """The request was taken, and nothing comes back until the client hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


class CutAnswer(Response):
    """Half of an answer; then the connection is gone."""

    def __init__(self, whole: Response) -> None:
        super().__init__(whole.body, whole.status_code, media_type=whole.media_type or JSON)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
