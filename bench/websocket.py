"""Just enough of a websocket's client (RFC 6455) to see what a server does with one."""

from __future__ import annotations

import base64
import os
import socket

PATIENCE = 60.0  # seconds for each piece
TEXT, CLOSE = 1, 8  # opcodes


def connect(address: str) -> socket.socket:
    """A connection to host:port, on which nothing has been sent."""
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=PATIENCE)


def websocket(address: str, path: str) -> socket.socket:
    """A websocket that is open."""
    client = connect(address)
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = client.recv(1)
        assert piece, head
        head += piece
    assert head.startswith(b"HTTP/1.1 101 "), head
    return client


def say(client: socket.socket, text: bytes) -> None:
    """Send one message of less than 126 bytes, masked with zeros."""
    client.sendall(bytes([0x80 | TEXT, 0x80 | len(text), 0, 0, 0, 0]) + text)


def hear(client: socket.socket) -> tuple[int, bytes]:
    """The next frame: opcode and payload, which has less than 126 bytes."""
    first, length = client.recv(2, socket.MSG_WAITALL)
    return first & 15, client.recv(length, socket.MSG_WAITALL)
