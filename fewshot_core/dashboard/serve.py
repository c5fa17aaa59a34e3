"""The app as ``fewshot app`` serves it: ``streamlit run`` this file.

Requests for another host's name (DNS rebinding) or from pages of another origin are refused, and
browsers are told to load nothing from other hosts, whatever a text from a file makes of itself.
"""

import os
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import fewshot_core.dashboard.home  # noqa: F401, loaded before the first reader has to wait
from fewshot_core.data_folder import app_folder

HOSTS_NAME = "FEWSHOT_HOSTS"
"""The environment variable with the names of hosts that may be asked for, or ``*``."""

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


def _hosts() -> frozenset[str]:
    named = os.environ.get(HOSTS_NAME, "")
    return frozenset({"localhost", "127.0.0.1", "::1", *filter(None, named.split(","))})


_guard: Any = Middleware(Guard, hosts=_hosts())
app = st.App(app_folder() / "app.py", middleware=[_guard])
