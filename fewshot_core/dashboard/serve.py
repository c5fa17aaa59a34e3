"""The server of the app, which ``fewshot app`` starts.

Requests for another host's name (DNS rebinding) or from pages of another origin are refused, and
browsers are told to load nothing from other hosts, whatever a text from a file makes of itself.
"""

import gc
from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

import fewshot_core.dashboard.home  # noqa: F401, loaded before the first reader has to wait
from fewshot_core.dashboard.shared.page import show_failure
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


_ENTRIES = b"""<head><script>{
  const completed = ["space", "dataset", "split", "evidence", "protocol", "plan", "curves"];
  const push = history.pushState.bind(history);
  let early = null;
  for (const event of ["click", "keydown", "popstate"]) {
    addEventListener(event, () => { early = null; }, true);
  }
  history.pushState = (state, title, url) => {
    const [now, next] = [location.href, new URL(url, location.href)].map(each => new URL(each));
    const added = [...next.searchParams.keys()].filter(key => !now.searchParams.has(key));
    const same = [...now.searchParams].every(([key, text]) => next.searchParams.get(key) === text);
    const stays = now.pathname === next.pathname;
    const completes = stays && same && added.every(key => completed.includes(key));
    const corrects = !stays && now.href === early && now.search === next.search;
    (completes || corrects ? history.replaceState.bind(history) : push)(state, title, url);
    early = stays && !completes ? location.href : null;
  };
}</script>"""
"""Has the browser make no entry of its history where a page only completes its URL.

What is chosen at first is written into the URL after the page was opened: another entry would make
leaving the page take two steps back. Streamlit always makes one. In a busy browser it writes the
parameters of a new page before its path: such an early entry, which the reader did nothing after,
becomes that of the new page.
"""


NEW_OBJECTS = 50_000
"""New objects after which Python looks for garbage; each run is several. By default it is 700."""


class Guard:
    """Refuses foreign requests, adds ``POLICY`` to every answer and ``_ENTRIES`` to documents."""

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

        headers = MutableHeaders(scope=scope)
        if document := "text/html" in headers.get("accept", "") and scope.get("method") == "GET":
            for name in ("accept-encoding", "if-none-match", "if-modified-since", "range"):
                del headers[name]

        async def add(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered = MutableHeaders(scope=message)
                answered["Content-Security-Policy"] = POLICY
                if document:  # the browser may not take a document of before for this one
                    for name in ("content-length", "etag", "last-modified"):
                        del answered[name]
            elif document and message["type"] == "http.response.body":
                message["body"] = message.get("body", b"").replace(b"<head>", _ENTRIES, 1)
            await send(message)

        await self._app(scope, receive, add)

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
    gc.set_threshold(NEW_OBJECTS)
    known = frozenset({"localhost", "127.0.0.1", "::1", *hosts})
    guard: Any = Middleware(Guard, hosts=known)
    settings = {
        "server.address": address,
        "server.port": port,
        "server.allowedHosts": sorted(known),
        "server.headless": not browser,
        "browser.gatherUsageStats": False,
    }
    app = st.App(app_folder() / "app.py", middleware=[guard], on_script_error=show_failure)
    app.run(config=settings)
