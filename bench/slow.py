"""Slow clients, all at once: python -m bench.slow PORT PATH SECONDS [SIZE OF A BODY]

Whoever is cut off comes again. Prints what they were answered, as a JSON object.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter

TRICKLING, SILENT, READING = 200, 200, 50
PAUSE = 5.0  # seconds between two bytes
RATE = 1024  # bytes a second
RECEIVE = 4096  # bytes that the kernel takes for a client that reads slowly
AGAIN = 0.2  # seconds until one that was cut off is back


async def main(port: int, path: str, seconds: float, body: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n".encode()
    post = "POST /api/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    begun = [
        head,
        f"{post}Content-Length: {body}\r\n\r\n".encode(),
        f"{post}Transfer-Encoding: chunked\r\n\r\n{body:x}\r\n".encode(),
    ]
    each = [
        *(trickle(port, begun[number % len(begun)], seen) for number in range(TRICKLING)),
        *(trickle(port, b"", seen) for _ in range(SILENT)),
        *(read(port, head + b"\r\n", seen) for _ in range(READING)),
    ]
    clients = [asyncio.create_task(client) for client in each]
    await asyncio.sleep(seconds)
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    return seen


async def trickle(port: int, begin: bytes, seen: Counter[str]) -> None:
    """Send `begin`, then a byte now and then; with nothing to begin with, nothing at all."""
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(begin)
            answer = asyncio.ensure_future(reader.read(12))
            while not (await asyncio.wait([answer], timeout=PAUSE))[0]:
                writer.write(b"X" if begin else b"")
            seen[f"sending: {(await answer).decode() or 'closed'}"] += 1
            writer.close()
        except OSError as error:
            seen[f"sending: {type(error).__name__}"] += 1
        await asyncio.sleep(AGAIN)


async def read(port: int, request: bytes, seen: Counter[str]) -> None:
    """Ask for something large, and read it slowly."""
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE)
            connection.setblocking(False)
            try:
                await loop.sock_connect(connection, ("127.0.0.1", port))
                await loop.sock_sendall(connection, request)
                while await loop.sock_recv(connection, RATE):
                    await asyncio.sleep(1)
                seen["reading: closed"] += 1
            except OSError as error:
                seen[f"reading: {type(error).__name__}"] += 1
        await asyncio.sleep(AGAIN)


if __name__ == "__main__":
    port, path, seconds, *body = sys.argv[1:]
    print(json.dumps(asyncio.run(main(int(port), path, float(seconds), int(*body or ["100000"])))))
