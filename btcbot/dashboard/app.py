"""The page as an ASGI application. Read-only by construction: three GET routes, no form, no script, no cookie.

- It shows what the watcher knows and asks nobody: a page that is loaded a thousand times costs the exchange nothing.
- Only a browser on this machine reaches it, and only by a loopback name: other sites cannot talk to it through DNS.
"""

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from btcbot.domain.health import HealthReport, Reason, Status
from btcbot.services.monitor_view import MonitorView

HERE = Path(__file__).parent
HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; script-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
VERDICTS = {
    Status.OK: "All is well",
    Status.WARN: "Something wants attention",
    Status.FAIL: "Something is broken",
    Status.UNKNOWN: "The state is not known",
}


def build_app(view: Callable[[], MonitorView]) -> ASGIApp:
    """The application around whatever `view` says at the moment of a request."""
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    templates.filters["figure"] = figure
    page = templates.get_template("health.html")
    style = (HERE / "static" / "style.css").read_text(encoding="utf-8")

    async def show(_: Request) -> Response:
        shown = view()
        report = shown.report
        is_live_heard = not any(check.reason is Reason.HEARTBEAT_OLD for check in report.checks)
        verdict = VERDICTS[report.status]
        return HTMLResponse(page.render(view=shown, report=report, verdict=verdict, is_live_heard=is_live_heard))

    async def health(_: Request) -> Response:
        report = view().report
        return JSONResponse(report.document(), status_code=200 if _is_serving(report) else 503)

    async def stylesheet(_: Request) -> Response:
        return Response(style, media_type="text/css")

    app = Starlette(
        routes=[
            Route("/", show, methods=["GET"]),
            Route("/health.json", health, methods=["GET"]),
            Route("/style.css", stylesheet, methods=["GET"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)],
    )
    return WithHeaders(app)


def figure(value: object) -> str:
    """A number of the feed for reading: thousands apart, two digits behind the point if any; else the text."""
    try:
        number = Decimal(str(value))
        digits = 0 if number == number.to_integral_value() else 2
        shown = f"{number:,.{digits}f}" if number.is_finite() else "–"
    except InvalidOperation:
        return "–" if value is None else str(value)
    return shown


class WithHeaders:
    """Puts the security headers on every answer, errors included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *ours]
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _is_serving(report: HealthReport) -> bool:
    return report.status in (Status.OK, Status.WARN)
