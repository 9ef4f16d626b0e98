"""What ordinary events do to the server, without a proxy and behind one: the table of docs/reliability.md."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from bench import asgi, bodies, outage, page, release, report, rotation, silence, stopping
from bench.boot import family, proportional_set_size
from bench.lab import BenchError, Lab, Site, free_port, wait_for_200
from bench.ordinary import ordinary
from bench.subject import Event, Subject

QUIET, LOADED = 15.0, 60.0  # seconds
LARGE = 5_000_000  # bytes
FILE = "large.bin"


def slow_clients(subject: Subject) -> str:
    """Ordinary clients in quiet times, and beside slow ones."""
    port, server = subject.port, subject.process.pid
    quiet, before = ordinary(port, QUIET), memory(server)
    command = [sys.executable, "-m", "bench.slow", str(port), f"/static/{FILE}", str(LOADED)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as slow:
        time.sleep(2)
        loaded, during = ordinary(port, LOADED - 10), memory(server)
        print(slow.communicate()[0].strip(), file=sys.stderr)
    return (
        f"{loaded}; longest {loaded.longest:.2f} s;"
        f" p99 {1000 * loaded.p99:.0f} ms, quiet {1000 * quiet.p99:.0f} ms;"
        f" memory {(during - before) / 1e6:+.0f} MB"
    )


def memory(server: int) -> int:
    """Bytes of the master and its workers."""
    return sum(proportional_set_size(each) for each in family(server))


EVENTS = (
    Event(
        "450 slow clients for a minute: 200 send a byte every 5 s, 200 nothing, 50 read at 1 kB/s",
        slow_clients,
    ),
    Event(
        "SIGTERM under saturation: 8 clients, 3 workers that wait for a table's lock",
        stopping.saturated,
        {"WEB_CONCURRENCY": "3"},
    ),
    Event("a release's `ALTER TABLE` behind a session that is idle in a transaction", release.waits),
    Event(
        "a release's `ALTER TABLE` behind such a session, with `atomic = False`",
        partial(release.waits, atomic=False),
    ),
    Event(
        "the database's password changes, in its file and on the server",
        rotation.password_changes,
        prepare=rotation.prepare,
    ),
    Event("PostgreSQL is restarted ten times", outage.restarted),
    Event("one POST of 446 MB to `/admin/login/`", bodies.large, prepare=bodies.prepare),
    Event("Nobody reads the server's standard output", silence.unread, unread=True),
    Event(
        "ASGI: SIGTERM with 20 websockets and 20 streaming answers under way",
        asgi.stopped,
        asgi.VARIABLES,
        prepare=asgi.prepare,
    ),
    Event(
        "ASGI: the same 450 slow clients",
        slow_clients,
        asgi.VARIABLES,
        prepare=asgi.prepare,
    ),
)
HEAD = ("event", "usual", "here", "here, behind HAProxy", "measured")


def chosen(only: str) -> list[Event]:
    """The events whose names contain that. Raises BenchError if there is none."""
    found = [event for event in EVENTS if only in event.name]
    if not found:
        raise BenchError(f"no event's name contains {only!r}")
    return found


def rows(lab: Lab, events: Iterable[Event]) -> Iterator[list[str]]:
    """Each event, and what it did to the documents' way, to this, and to this behind the proxy; and when that was."""
    sides: list[tuple[str, list[str], bool]] = [
        ("usual", lab.documents, False),
        ("here", lab.entrypoint, False),
        ("here, behind HAProxy", lab.entrypoint, True),
    ]
    for event in events:
        facts, row = report.machine(), [event.name]
        for name, command, proxied in sides:
            variables = {"WEB_CONCURRENCY": "5"} | event.variables
            site = lab.site(f"{name.split()[0]}-{free_port()}", **variables)
            row.append(measured(site, command, proxied, event))
            print(f"{event.name}, {name}: {row[-1]}", file=sys.stderr, flush=True)
        yield [*row, f"{report.day()}, load {facts['load']:.1f}"]


def table(lines: Iterable[list[str]], before: str = "") -> str:
    """The machine, and these rows. Other events keep the rows that they have `before`.

    Raises BenchError if these are another machine's.
    """
    machine = f"{report.computer(report.machine())}."
    kept = page.rows(before)[2:]
    if kept and not before.startswith(machine):
        raise BenchError(
            "the page's figures are of another machine, or another Python, and rows must be comparable: measure all of"
            f" them. This is {machine}"
        )
    found = {row[0]: row for row in [*kept, *lines]}
    ordered = [found[event.name] for event in EVENTS if event.name in found]
    lines = [list(HEAD), ["---"] * len(HEAD), *ordered]
    return "\n".join([machine, "", *(f"| {' | '.join(line)} |" for line in lines)])


def measured(site: Site, command: list[str], proxied: bool, event: Event) -> str:
    """What the event did to the site, started by the command, and asked through the proxy if `proxied`; or why that is not known."""
    pipe = os.pipe() if event.unread else ()
    event.prepare(site)
    try:
        with site.running(command, *pipe[1:]) as process:
            (site.folder / "staticfiles" / FILE).write_bytes(bytes(LARGE))
            if not proxied:
                return event.measure(Subject(site, command, process, site.port))
            with proxy(site) as port:
                return event.measure(Subject(site, command, process, port))
    except BenchError as error:
        return f"not measured: {error}"
    finally:
        for each in pipe:
            os.close(each)


@contextlib.contextmanager
def proxy(site: Site) -> Iterator[int]:
    """deploy/haproxy.cfg in front of the site, but for TLS, the redirect to it, and Docker's DNS."""
    program, text = shutil.which("haproxy"), (Path(__file__).parent.parent / "deploy/haproxy.cfg").read_text()
    if not program:
        raise BenchError("no haproxy on PATH")
    port = free_port()
    for pattern, replacement in (
        (r"^frontend http\n(  .*\n)+", ""),
        (r"bind :8443 ssl .*", f"bind 127.0.0.1:{port}"),
        (r"server-template .*", f"server one 127.0.0.1:{site.port}"),
    ):
        text, found = re.subn(pattern, replacement, text, flags=re.MULTILINE)
        if found != 1:
            raise BenchError(f"haproxy.cfg has no {pattern}")
    file = site.lab.folder / f"haproxy-{port}.cfg"
    file.write_text(text)
    log = file.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen([program, "-db", "-f", str(file)], stdout=output, stderr=output)
    try:
        wait_for_200(port, process, log)
        yield port
    finally:
        process.kill()
        process.wait()
