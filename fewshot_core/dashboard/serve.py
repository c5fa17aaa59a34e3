"""The server of the app, which ``fewshot app`` starts.

Requests for another host's name (DNS rebinding) or from pages of another origin are refused, and
browsers are told to load nothing from other hosts, whatever a text from a file makes of itself.
"""

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import fewshot_core.dashboard.home  # noqa: F401, loaded before the first reader has to wait
from fewshot_core.data_folder import app_folder

POLICY = "; ".join(
    (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:",
        "form-action 'self'",
        "frame-ancestors 'self'",
        "object-src 'none'",
        "base-uri 'self'",
    )
)
"""What pages may load: their own files only."""


class Guard:
    """Refuses foreign requests, and adds ``POLICY`` to every answer."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        if problem := self._problem(Headers(scope=scope)):
            await self._refuse(problem, scope, receive, send)
            return

        async def add_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = POLICY
            await send(message)

        await self._app(scope, receive, add_policy)

    def _problem(self, headers: Headers) -> str:
        host, origin = headers.get("host", ""), headers.get("origin")
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        if name not in self._hosts and "*" not in self._hosts:
            return f"expected one of the hosts {', '.join(sorted(self._hosts))}"
        if origin is not None and urlsplit(origin).netloc != host:
            return "expected a request of the app's own pages"
        return ""

    async def _refuse(self, problem: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": problem})
        else:
            await PlainTextResponse(problem, 403)(scope, receive, send)


def serve(address: str, port: int, hosts: Collection[str], browser: bool = False) -> None:
    """Serve the app until it is stopped; ``hosts`` may be asked for as well, any if one is ``*``.

    ``browser`` opens it in one. The settings are those of the app's folder, the current one.
    """
    known = frozenset({"localhost", "127.0.0.1", "::1", *hosts})
    guard: Any = Middleware(Guard, hosts=known)
    settings = {
        "server.address": address,
        "server.port": port,
        "server.headless": not browser,
        "browser.gatherUsageStats": False,
    }
    st.App(app_folder() / "app.py", middleware=[guard]).run(config=settings)
