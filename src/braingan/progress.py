"""Progress of long work: a bar with rate and time left on a terminal, plain lines elsewhere (standard error)."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Advance(Protocol):
    """Reports work done since the last call, and optionally a word on its state."""

    def __call__(self, amount: int, note: str = "") -> None:
        """Add `amount` units of work."""


LINE_EVERY_SECONDS = 15.0


@contextmanager
def progress(task: str, total: int, unit: str, done: int = 0, shown: bool = True) -> Iterator[Advance]:
    """Show the progress of `total` units of work (0: unknown), `done` of which were finished earlier.

    Not `shown`, it is silent: another process shows the same work.
    """
    if not shown:
        yield lambda amount, note="": None
        return
    show = _bar if sys.stderr.isatty() else _lines
    with show(task, total, unit, done) as advance:
        yield advance


@contextmanager
def _bar(task: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    start, added = time.monotonic(), 0
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task(task, total=total or None, completed=done, rate="", note="")

        def advance(amount: int, note: str = "") -> None:
            nonlocal added
            added += amount
            rate = f"{added / max(time.monotonic() - start, 1e-9):.1f} {unit}/s"
            bars.update(bar, advance=amount, rate=rate, note=note)

        yield advance


@contextmanager
def _lines(task: str, total: int, unit: str, done: int) -> Iterator[Advance]:
    start = said = time.monotonic()
    count = done

    def line(note: str) -> None:
        seconds = max(time.monotonic() - start, 1e-9)
        rate = (count - done) / seconds
        left = f", {(total - count) / rate:.0f} s left" if rate and total > count else ""
        of = f"/{total}" if total else ""
        print(f"{task}: {count}{of} {unit}, {rate:.1f} {unit}/s{left} {note}".rstrip(), file=sys.stderr)

    def advance(amount: int, note: str = "") -> None:
        nonlocal count, said
        count += amount
        if time.monotonic() - said >= LINE_EVERY_SECONDS:
            said = time.monotonic()
            line(note)

    yield advance
    line("")
