"""`nix run .#bench`: how fast the image boots, how large it is, how quickly it is rebuilt.

All figures are ratios within one run, medians of repeated, interleaved runs. What this machine cannot measure is
reported with the reason. Exit code: 0, or 1 when the image does not boot.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import boot, growth, lock, page, pull, rebuild, reliability, report, size, throughput
from bench.archive import Archive
from bench.chart import Bars, draw
from bench.lab import BenchError, Lab
from bench.report import Row
from cluster import ClusterError


def main() -> None:
    options = parse_arguments()
    check(options)
    if options.paths:
        list_paths(options)
    elif options.shares:
        print(size.shared(Archive(options.image), Archive(options.shares.resolve())))
    elif options.reliability is not None:
        measure_reliability(options)
    elif options.lock:
        measure_lock(options)
    elif options.pull:
        measure_pull(options)
    else:
        measure_all(options)


def check(options: argparse.Namespace) -> None:
    """Raise BenchError if what is measured could not be written: rather now than in half an hour."""
    if options.page:
        page.read(options.page, mark_of(options))
    if options.json and not options.json.absolute().parent.is_dir():
        raise BenchError(f"there is no folder for {options.json}")


def mark_of(options: argparse.Namespace) -> str:
    """The mark of the page's place for what is measured."""
    return (
        "measured with --lock" if options.lock else "measured with --pull" if options.pull else page.MEASURED
    )


def repetitions(options: argparse.Namespace) -> int:
    return 1 if options.quick else int(options.times)


def list_paths(options: argparse.Namespace) -> None:
    """Write what is in the image, with sizes."""
    for path, count in size.paths(Archive(options.image)).items():
        print(f"{count / 1e6:8.2f} MB  {path}")


def measure_reliability(options: argparse.Namespace) -> None:
    """What events do to the server."""
    events = reliability.chosen(options.reliability)
    before = page.read(options.page) if options.page and options.reliability else ""
    reliability.table([], before)  # rather now than in half an hour
    with laboratory(options) as lab:
        text = reliability.table(reliability.rows(lab, events), before)
    print(text)
    if options.page:
        page.write(options.page, text)


def measure_lock(options: argparse.Namespace) -> None:
    """What a lock of 300 packages costs."""
    machine = report.machine()
    publish(options, machine, lock.rows(repetitions(options)))


def measure_pull(options: argparse.Namespace) -> None:
    """The way from a registry to a node's first answer."""
    machine = report.machine()
    with laboratory(options) as lab:
        rows, bars = pull.measure(lab, options.push, repetitions(options))
    publish(options, machine, rows, bars, linked=True)


def measure_all(options: argparse.Namespace) -> None:
    """Everything else."""
    machine, quick, times = report.machine(), options.quick, repetitions(options)
    image = Archive(options.image)
    with laboratory(options) as lab:
        say("boot and memory")
        rows = boot.rows(lab, 1 if quick else 2 * times)
        say("throughput")
        rows += throughput.rows(lab, image, max(1, times // 2), turns=1 if quick else 200)
        say("growth")
        curves = growth.curves(lab, max(1, times // 3), largest=10 if quick else 1000)
    say("size")
    rows += size.rows(image, conventional=not quick)
    say("rebuild")
    rows += rebuild.rows(1 if quick else 3, cold=not quick)
    publish(options, machine, rows, curves, details={"paths": size.paths(image)})


@contextlib.contextmanager
def laboratory(options: argparse.Namespace) -> Iterator[Lab]:
    configuration = json.loads(options.configuration.read_text())
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Lab(Path(folder), configuration, options.project) as lab,
    ):
        yield lab


def publish(
    options: argparse.Namespace,
    machine: dict[str, Any],
    rows: list[Row],
    pictures: Sequence[growth.Curve | Bars] = (),
    linked: bool = False,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write the table to standard output; all samples and details to the file, table and pictures to the page, if asked for.

    Args:
        machine: where it was measured, as it was before.
        linked: whether the pictures come below the table; else the page has them where it speaks of them.
    """
    table = report.as_table(rows)
    print(table)
    if options.json:
        content = report.as_json(machine, rows, [*pictures], {**(details or {})})
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    if options.page:
        folder = options.page.with_suffix("")
        links = [f"![{each.title}]({folder.name}/{each.name}.svg)" for each in pictures if linked]
        page.write(options.page, "\n\n".join([report.described(machine), table, *links]), mark_of(options))
        draw_all(folder, pictures)


def draw_all(folder: Path, pictures: Sequence[growth.Curve | Bars]) -> None:
    """Draw them into the folder."""
    if pictures:
        folder.mkdir(exist_ok=True)
    for picture in pictures:
        draw(picture, folder / f"{picture.name}.svg")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nix run .#bench --", description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--configuration", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--project", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--push", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument(
        "--times", type=at_least_one, default=9, help="repetitions of what takes long (default: 9)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="each thing once, and nothing that takes minutes"
    )
    parser.add_argument("--paths", action="store_true", help="only list what is in the image, with sizes")
    parser.add_argument(
        "--reliability",
        nargs="?",
        const="",
        metavar="EVENT",
        help="only measure what events do to the server (all of them, or those whose names contain EVENT)",
    )
    parser.add_argument(
        "--shares",
        type=Path,
        metavar="ARCHIVE",
        help="only say how much of another image, as `nix build` makes it, a node with this one has",
    )
    parser.add_argument(
        "--pull",
        action="store_true",
        help="only measure the way of an image, and of an edit, from a registry to a node's first answer",
    )
    parser.add_argument("--lock", action="store_true", help="only measure what a lock of 300 packages costs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument(
        "--page",
        type=Path,
        metavar="FILE",
        help="put the table into this page (with EVENT only those rows), and draw the curves beside it",
    )
    return parser.parse_args()


def at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("it is a number, at least 1")
    return int(text)


def say(what: str) -> None:
    print(f"Measuring {what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (BenchError, ClusterError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: stopped.")
