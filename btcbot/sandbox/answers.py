"""Answers of the HTTP hosts: envelopes, refusals, pages of the edge, and the answer that never comes."""

from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from btcbot.sandbox.limits import Exceeded
from btcbot.sandbox.wire import encode
from btcbot.simulation.orders import Refusal

PAGE = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
    "<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
)


def json_answer(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        encode(document), status, headers=dict(headers or {}), media_type="application/json; charset=utf-8"
    )  # fmt: skip


def success(data: object, message: str | None = None, code: object = 0) -> Response:
    return json_answer({"data": data, "success": True, "message": message, "code": code})


def failure(message: str, code: object, status: int = 400) -> Response:
    return json_answer({"success": False, "message": message, "code": code}, status)


def order_refused(refusal: Refusal) -> Response:
    return json_answer(
        {"httpStatusCode": 400, "data": None, "success": False, "message": refusal.message, "code": refusal.code}, 400
    )


def unauthorized(reason: str) -> Response:
    """`success` is true, as at the exchange (protocol 3)."""
    return json_answer({"success": True, "message": f"Unauthorized - {reason}", "code": 1037}, 401)


def too_many(exceeded: Exceeded) -> Response:
    limit = exceeded.limit
    return json_answer(
        {
            "message": "TOO_MANY_REQUESTS", "success": False, "code": 429,
            "details": f"Quota exceeded. Maximum allowed: {limit.count} per {limit.period}.",
            "limit": str(limit.count), "period": limit.period, "policy": limit.policy,
        },
        429,
        {"Retry-After": str(exceeded.retry_after)},
    )  # fmt: skip


def maintenance() -> Response:
    return failure("SYSTEM_UNDER_MAINTENANCE", "SYSTEM_UNDER_MAINTENANCE", 503)


def page(status: int, title: str) -> Response:
    return Response(PAGE.format(title=f"{status} {title}"), status, media_type="text/html")


class NoAnswer(Response):
    """The request was taken, and nothing comes back until the client hangs up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
