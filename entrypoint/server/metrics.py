"""Metrics for whoever scales the deployment: in Prometheus' text form, on an address of their own (METRICS_BIND)."""

from __future__ import annotations

import contextlib
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import lacks_processes, no_process
from .address import refusal, shown
from .counters import BUCKETS, Counters

PATH = "/metrics"
PATIENCE = 1.0  # seconds for one scrape
HEAD = 8192  # bytes
_LISTENING = 10  # TCP_LISTEN
_QUEUES = 24  # where struct tcp_info of Linux has the queue of such a socket, and its limit


class Endpoint:
    """Answers from a thread of the master, one client after the other, so that none of them can stop the master."""

    def __init__(self, address: tuple[str, int], text: Callable[[], str]) -> None:
        """Bind the address. Raises BootError: SERVER if that is not possible."""
        self._text = text
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        try:
            self._listener = socket.create_server(address, family=family, backlog=16)
        except OSError as error:
            raise refusal(address, error, "METRICS_BIND") from error

    def start(self) -> None:
        """Begin to answer. Raises BootError: SERVER if there can be no thread."""
        try:
            threading.Thread(target=self._run, name="metrics", daemon=True).start()
        except RuntimeError as error:
            if lacks_processes(error):
                raise no_process(error) from error
            raise

    def close(self) -> None:
        """For a worker, which does not answer."""
        self._listener.close()

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # the master's to hear
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # no further descriptor
                time.sleep(PATIENCE)
                continue
            with client, contextlib.suppress(OSError):
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        deadline, head = time.monotonic() + PATIENCE, b""
        while b"\r\n\r\n" not in head and len(head) < HEAD:
            client.settimeout(max(0.001, deadline - time.monotonic()))
            data = client.recv(HEAD)
            if not data:
                return
            head += data
        found = head.split(b" ", 2)[:2] == [b"GET", PATH.encode()]
        body = self._text().encode() if found else f"The metrics are at {PATH}.\n".encode()
        client.settimeout(PATIENCE)
        client.sendall(
            f"HTTP/1.1 {'200 OK' if found else '404 Not Found'}\r\nContent-Type: text/plain; version=0.0.4\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
            + body
        )


def text(counters: Counters, workers: Iterable[int], listeners: Iterable[Any]) -> str:
    """What Prometheus reads; `workers` are the pids of those that live, `listeners` are gunicorn's sockets."""
    workers = list(workers)
    handled = counters.in_progress(workers)
    by_class, seconds = counters.by_class(), counters.seconds()
    count = sum(by_class)
    bounds = [*(f"{most:g}" for most in BUCKETS), "+Inf"]
    queues = [
        (shown([each.sock.getsockname()[:2]]), found) for each in listeners if (found := _queue(each.sock))
    ]
    metrics: list[tuple[str, str, str, list[tuple[str, float]]]] = [
        ("workers", "gauge", "Worker processes.", [("", len(workers))]),
        ("workers_busy", "gauge", "Workers that handle a request.", [("", sum(map(bool, handled)))]),
        ("requests_in_progress", "gauge", "Requests that are handled.", [("", sum(handled))]),
        (
            "listen_queue",
            "gauge",
            "Connections that wait for a worker.",
            [(f'{{address="{address}"}}', waiting) for address, (waiting, _) in queues],
        ),
        (
            "listen_queue_limit",
            "gauge",
            "Connections that can wait for a worker.",
            [(f'{{address="{address}"}}', most) for address, (_, most) in queues],
        ),
        (
            "requests_total",
            "counter",
            "Requests that the application was given, by status code.",
            [(f'{{status="{number}xx"}}', value) for number, value in enumerate(by_class, 1)],
        ),
        (
            "request_duration_seconds",
            "histogram",
            "How long they took.",
            [
                *(
                    (f'_bucket{{le="{most}"}}', value)
                    for most, value in zip(bounds, [*counters.by_bucket(), count], strict=True)
                ),
                ("_sum", seconds),
                ("_count", count),
            ],
        ),
    ]
    return "".join(
        f"# HELP gunicorn_{name} {meaning}\n# TYPE gunicorn_{name} {kind}\n"
        + "".join(f"gunicorn_{name}{label} {value}\n" for label, value in samples)
        for name, kind, meaning, samples in metrics
    )


def _queue(listener: socket.socket) -> tuple[int, int] | None:
    """How many connections wait in the socket's queue, and how many can; None if the kernel does not tell."""
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    try:
        told = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _QUEUES + 8)
    except OSError:
        return None
    if len(told) < _QUEUES + 8 or told[0] != _LISTENING:
        return None
    waiting, most = struct.unpack_from("II", told, _QUEUES)
    return waiting, most
