"""Constant load, from inside a network: requests to `backend` until /tmp/stop exists. Run by the image's Python.

    python3 load.py SECONDS THREADS PATH...

Every address of the name is tried, as any HTTP client does; one that refuses is none. Prints a JSON object:
{"statuses": {"200": 1234}, "failures": ["..."]}. It ends after SECONDS whatever happens.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import random
import socket
import sys
import threading
import time

HEADERS = {"Host": "api.example.com", "X-Forwarded-Proto": "https"}
PAUSE = 0.05  # seconds between one client's requests


def connect(name: str, port: int) -> socket.socket:
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    random.shuffle(found)
    refusal: OSError | None = None
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(60)
        try:
            connection.connect(address)
            return connection
        except OSError as error:
            connection.close()
            refusal = error
    raise refusal or OSError("no address")


def ask(path: str) -> int:
    connection = http.client.HTTPConnection("backend", 8000)
    connection.sock = connect("backend", 8000)
    try:
        connection.request("GET", path, headers=HEADERS)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


def main(seconds: str, threads: str, *paths: str) -> None:
    end = time.monotonic() + float(seconds)
    statuses: dict[int, int] = {}
    failures: list[str] = []
    lock = threading.Lock()

    def client(number: int) -> None:
        for path in itertools.cycle(paths[number % len(paths) :] + paths[: number % len(paths)]):
            if time.monotonic() > end or os.path.exists("/tmp/stop"):
                return
            try:
                status = ask(path)
            except (OSError, http.client.HTTPException) as error:
                with lock:
                    failures.append(f"{time.time():.3f} {path}: {type(error).__name__}: {error}")
            else:
                with lock:
                    statuses[status] = statuses.get(status, 0) + 1
            time.sleep(PAUSE)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(int(threads))]
    for each in clients:
        each.start()
    print("loading", flush=True)
    for each in clients:
        each.join()
    print(json.dumps({"statuses": statuses, "failures": failures}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
