"""gunicorn's own ASGI worker, under the same contract as the one for WSGI.

What it lacks: deadlines for clients that are slow, an end for websockets and idle connections at SIGTERM, a listening socket
that may be shut down before all that wait in its queue are accepted, and a record of each websocket.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any

from gunicorn.asgi import protocol
from gunicorn.workers import gasgi

from .. import request_id
from . import repetition
from .bodies import MEGABYTE
from .connection import PATIENCE
from .worker import HESITATION, TIMED_OUT

Application = Callable[[dict[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Any]

CLIENT_GONE = 499  # a status that nobody is sent; nginx' number
GOING_AWAY = 1001  # a websocket's code (RFC 6455, section 7.4.1)
LINGER = 2.0  # seconds for a client to stop sending what nobody reads, or it would lose the answer
RESERVE = 0.5  # seconds of the grace period that are kept for the worker's own end
POLL = 0.05  # seconds

_gone: ContextVar[bool] = ContextVar("gone", default=False)  # whether the client left before its answer began


class Protocol(protocol.ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """A connection."""

    def connection_made(self, transport: Any) -> None:
        """Called by asyncio."""
        self.since = time.monotonic()  # it is here, or its request's head is
        self.begun = False  # whether a part of a request has come
        self.stuck: float | None = None  # since when the client takes nothing
        self.lingers = self.leaves = False
        self._closed: bool = False
        self.worker.connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio."""
        self.worker.connections.discard(self)
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self.begun = True
        if not self.lingers:
            super().data_received(data)

    def pause_writing(self) -> None:
        """Called by asyncio."""
        self.stuck = time.monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        """Called by asyncio."""
        self.stuck = None
        super().resume_writing()

    def _on_headers_complete(self) -> bool:
        self.since = time.monotonic()
        return bool(super()._on_headers_complete())

    def _on_message_complete(self) -> None:
        self.begun = False
        super()._on_message_complete()

    def look(self, now: float, timeout: float) -> None:
        """End the connection if the client has been too slow."""
        receiver = self._body_receiver
        if self._awaiting_request and self.req_count == 1 and now > self.since + PATIENCE:
            if self.begun:
                self._safe_write(TIMED_OUT)
            self._close_transport()
        elif (
            receiver is not None
            and not receiver._complete
            and not self._websocket
            and now > self.since + timeout
        ) or (self.stuck is not None and now > self.stuck + timeout):
            self.transport.abort()

    def say_goodbye(self, now: float) -> None:
        """The worker stops: end what would not end by itself."""
        websocket = self._websocket
        if websocket is not None and websocket.accepted:
            if not self.leaves:
                self.leaves = True
                self.worker.loop.create_task(self._leave(websocket))
            return
        patience = HESITATION if self.req_count == 1 else POLL
        if self._awaiting_request and not self.begun and now > self.since + patience:
            self._close_transport()

    async def _leave(self, websocket: Any) -> None:
        with contextlib.suppress(Exception):
            await websocket._send_close(GOING_AWAY)
        # The application need not wait for the client to say goodbye, too.
        await websocket._receive_queue.put({"type": "websocket.disconnect", "code": GOING_AWAY})

    async def _handle_websocket(self, request: Any, sockname: Any, peername: Any) -> None:
        began = time.monotonic()
        try:
            await super()._handle_websocket(request, sockname, peername)
        finally:
            made = self._websocket is not None
            status = 101 if made and self._websocket.accepted else 403 if made else 400
            response = protocol.ASGIResponseInfo(status, [], 0)
            environ = self._build_environ(request, sockname, peername)
            self.log.access(response, request, environ, protocol._RequestTime(time.monotonic() - began))

    def _close_transport(self) -> None:
        receiver = self._body_receiver
        unread = receiver is not None and not receiver._complete and not self._websocket
        if not unread or self._closed or self.transport.is_closing():
            super()._close_transport()
            return
        # Closed with unread bytes, the connection would be reset before the client has the answer.
        self._closed = self.lingers = True
        self._resume_reading()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.worker.loop.call_later(LINGER, self.transport.close)


class _Response(protocol.ASGIResponseInfo):  # type: ignore[misc]  # gunicorn has no types
    """What a request's record and the metrics go by. gunicorn says 500 if there was nobody to answer."""

    def __init__(self, status: int, headers: Any, sent: int) -> None:
        super().__init__(CLIENT_GONE if _gone.get() else status, headers, sent)


class _Listening(socket.socket):
    """A listening socket that asyncio may accept from although it has been shut down for all processes."""

    def accept(self) -> Any:
        try:
            return super().accept()
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            asyncio.get_running_loop().remove_reader(self.fileno())
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None


class ASGIWorker(gasgi.ASGIWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves all its connections at once, in one event loop."""

    takes_over = True  # connections from the master, when it stops

    def load_wsgi(self) -> None:
        """Load the application; called by gunicorn."""
        super().load_wsgi()
        self.asgi: Application = carried(limited(repetition.repeated_asgi(self.asgi), self.app.largest_body))

    def run(self) -> None:
        """Serve until told to stop; called by gunicorn."""
        gasgi.ASGIProtocol, protocol.ASGIResponseInfo = Protocol, _Response
        self.connections: set[Protocol] = set()
        # Those from the master that are not yet among these.
        self._taken: set[asyncio.Task[Any]] = set()
        self._until = 0.0
        self._most = min(self.cfg.worker_connections, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        for listener in self.sockets:
            listener.sock = _Listening(fileno=listener.sock.detach())
        self.loop.add_reader(self.app.handover.hears, self._take_over)
        super().run()

    def _take_over(self) -> bool:
        """Take a connection that the master has accepted; whether there was any."""
        taken = self.app.handover.take()
        if taken:
            making = self.loop.create_task(
                self.loop.connect_accepted_socket(lambda: Protocol(self), taken[1])
            )
            self._taken.add(making)
            making.add_done_callback(self._taken.discard)
        return bool(taken)

    def notify(self) -> None:
        """Show that the worker lives; called by gunicorn each second."""
        super().notify()
        now = time.monotonic()
        for each in list(getattr(self, "connections", ())):
            each.look(now, float(self.cfg.timeout or 140))
        idle = [each for each in getattr(self, "connections", ()) if each._awaiting_request]
        excess = len(getattr(self, "connections", ())) - getattr(self, "_most", 0)
        for each in sorted(idle, key=lambda connection: connection.since)[: max(0, excess)]:
            each.transport.abort()

    def handle_exit_signal(self) -> None:
        """Called at SIGTERM."""
        until = self.app.handover.until or time.monotonic() + self.cfg.graceful_timeout
        self._until = max(until - RESERVE, time.monotonic() + RESERVE)
        super().handle_exit_signal()

    async def _shutdown(self) -> None:
        """See all off; called by gunicorn."""
        for server in self.servers:
            server.close()
        until = self._until or time.monotonic() + self.cfg.graceful_timeout
        while (now := time.monotonic()) < until and not self._quick_shutdown:
            super().notify()
            for each in list(self.connections):
                each.say_goodbye(now)
            if not (self._take_over() or self._taken or self.connections):
                break
            await asyncio.sleep(0 if self._taken else POLL)
        self.loop.remove_reader(self.app.handover.hears)  # it would take what it does not serve
        if self.connections:
            self.log.warning("Cut off after the grace period: %d connections.", len(self.connections))
        if self.lifespan and not self._quick_shutdown:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self.lifespan.shutdown(), max(until - time.monotonic(), RESERVE / 2))


def carried(application: Application) -> Application:
    """The application, whose requests have an ID: it finds it in the header, as if a proxy had sent it."""

    async def carrying(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            await application(scope, receive, send)
            return
        name = request_id.HEADER.lower().encode()
        claimed = next((value for key, value in scope["headers"] if key == name), b"")
        chosen = request_id.begin(claimed.decode("latin-1")).encode()
        headers = [*((key, value) for key, value in scope["headers"] if key != name), (name, chosen)]

        async def sending(message: dict[str, Any]) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                given = list(message.get("headers", []))
                if not any(key.lower() == name for key, _ in given):
                    message = message | {"headers": [*given, (name, chosen)]}
            await send(message)

        await application(scope | {"headers": headers}, receive, sending)

    return carrying


def limited(application: Application, most: int) -> Application:
    """The application, but that a request whose body has more than `most` bytes is answered 413."""

    async def answering(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        received, started, gone = 0, False, False

        async def refuse() -> None:
            text = f"A request may have {most // MEGABYTE} MB.\n".encode()
            headers = [
                (b"content-type", b"text/plain"),
                (b"content-length", b"%d" % len(text)),
                (b"connection", b"close"),
            ]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": text})

        async def receiving() -> Any:
            nonlocal received, started, gone
            message = await receive()
            gone = gone or message["type"] == "http.disconnect"
            received += len(message.get("body", b""))
            if received <= most:
                return message
            if not started:
                started = True
                await refuse()
            return {"type": "http.disconnect"}

        async def sending(message: dict[str, Any]) -> None:
            nonlocal started
            if received <= most:
                started = True
                await send(message)

        length = next((value for key, value in scope["headers"] if key == b"content-length"), b"0")
        if length.isdigit() and int(length) > most:
            await refuse()
            return
        try:
            await application(scope, receiving, sending)
        finally:
            _gone.set(gone and not started)

    return answering
