"""`nix run .#bench`: how fast the image boots, how large it is, how quickly it is rebuilt.

All figures are ratios within one run, medians of repeated, interleaved runs. What this machine cannot measure is
reported with the reason. Exit code: 0, or 1 when the image does not boot.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import boot, growth, lock, page, pull, rebuild, reliability, report, size, throughput
from bench.archive import Archive
from bench.chart import Bars, draw
from bench.lab import BenchError, Lab
from cluster import ClusterError


def main() -> None:
    options = parse_arguments()
    quick = options.quick
    times = 1 if quick else options.times
    image = Archive(options.image)
    configuration = json.loads(options.configuration.read_text())
    if options.paths:
        for path, count in size.paths(image).items():
            print(f"{count / 1e6:8.2f} MB  {path}")
        return
    if options.shares:
        print(size.shared(image, Archive(options.shares.resolve())))
        return
    if options.reliability is not None:
        events = reliability.chosen(options.reliability)
        before = page.read(options.page) if options.page and options.reliability else ""
        reliability.table([], before)  # rather now than in half an hour
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            Lab(Path(folder), configuration, options.project) as lab,
        ):
            text = reliability.table(reliability.rows(lab, events), before)
        print(text)
        if options.page:
            page.write(options.page, text)
        return
    machine, rows = report.machine(), []
    if options.lock:
        rows = lock.rows(times)
        table = report.as_table(rows)
        print(table)
        if options.json:
            options.json.write_text(json.dumps(report.as_json(machine, rows, [], {}), indent=1) + "\n")
        if options.page:
            page.write(options.page, f"{report.described(machine)}\n\n{table}", "measured with --lock")
        return
    if options.pull:
        with (
            tempfile.TemporaryDirectory(prefix="bench-") as folder,
            Lab(Path(folder), configuration, options.project) as lab,
        ):
            rows, bars = pull.measure(lab, options.push, times)
        table = report.as_table(rows)
        print(table)
        if options.json:
            options.json.write_text(json.dumps(report.as_json(machine, rows, bars, {}), indent=1) + "\n")
        if options.page:
            pictures = [f"![{bar.title}]({options.page.stem}/{bar.name}.svg)" for bar in bars]
            text = "\n\n".join([report.described(machine), table, *pictures])
            page.write(options.page, text, "measured with --pull")
            draw_all(options.page.with_suffix(""), bars)
        return
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        Lab(Path(folder), configuration, options.project) as lab,
    ):
        say("boot and memory")
        rows += boot.rows(lab, 1 if quick else 2 * times)
        say("throughput")
        rows += throughput.rows(lab, image, max(1, times // 2), turns=1 if quick else 200)
        say("growth")
        curves = growth.curves(lab, max(1, times // 3), largest=10 if quick else 1000)
    say("size")
    rows += size.rows(image, conventional=not quick)
    say("rebuild")
    rows += rebuild.rows(1 if quick else 3, cold=not quick)
    table = report.as_table(rows)
    print(table)
    if options.json:
        details = {"paths": size.paths(image)}
        options.json.write_text(json.dumps(report.as_json(machine, rows, curves, details), indent=1) + "\n")
    if options.page:
        page.write(options.page, f"{report.described(machine)}\n\n{table}")
        draw_all(options.page.with_suffix(""), curves)


def draw_all(folder: Path, pictures: Sequence[growth.Curve | Bars]) -> None:
    """Draw them into the folder."""
    folder.mkdir(exist_ok=True)
    for picture in pictures:
        draw(picture, folder / f"{picture.name}.svg")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nix run .#bench --", description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--configuration", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--project", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--push", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, default=9, help="repetitions of what takes long (default: 9)")
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


def say(what: str) -> None:
    print(f"Measuring {what} ...", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except (BenchError, ClusterError) as error:
        sys.exit(f"bench: {error}")
    except KeyboardInterrupt:
        sys.exit("bench: stopped.")
