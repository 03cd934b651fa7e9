"""`braingan inspect`: what is in a store."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

SHOWN = 10


def command(
    store: Annotated[Path, typer.Argument(help="The store, as `braingan prepare` made it.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder for pictures and inspect.json. [default: derived/inspect]")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail if a slice stands in two splits.")] = False,
) -> None:
    """Count, show and audit a store: counts, grey levels, lesions, a contact sheet, leaks between splits."""
    from braingan.data.inspect import inspect_store
    from braingan.data.store import Store
    from braingan.errors import InputError

    opened = Store.open(store)
    folder = out or opened.folder.derived / "inspect"
    found = inspect_store(opened, folder)
    _show(found)
    typer.echo(
        "Written: " + ", ".join(str(path) for path in sorted(folder.iterdir()) if path.suffix in (".png", ".json"))
    )
    leaks = found["leaks"]
    if strict and not isinstance(leaks, str) and leaks["found"]:
        raise InputError(
            f"--strict: {leaks['slices']} slices stand in two splits; {folder / 'inspect.json'} names them."
        )


def _show(found: Mapping[str, Any]) -> None:
    from braingan.data.sizes import counted

    store, each = found["store"], found["counts"]["slices_a_subject"]
    slices, subjects = counted(store["count"], "slices"), counted(store["subjects"], "subjects")
    typer.echo(f"{slices} of {subjects}, {store['side']}×{store['side']} pixels")
    _table(found["counts"])
    typer.echo(f"Slices a subject: {each['lowest']:.0f} to {each['highest']:.0f}, median {each['median']:g}")
    for frame, splits in found["grey_levels"].items():
        said = (f"{split} {levels['median']} ({levels['percentile_5']} to {levels['percentile_95']})"
                for split, levels in splits.items())  # fmt: skip
        typer.echo(f"Grey levels above 0, median (5 to 95 %), {frame}: {', '.join(said)}")
    _show_lesions(found["lesions"])
    typer.echo(f"Volumes that seem to show a head with its skull: {found['volumes_with_skull']}")
    for name, fact in found["source"].items():
        typer.echo(f"Source {name}: {fact}")
    for name in ("licence", "reference"):
        if not found["source"].keys() & {name, name.replace("c", "s")}:
            typer.echo(f"Source {name}: not stated")
    for note in found["notes"]:
        typer.echo(f"Note: {note}")
    for reason, count in found["left_out"].items():
        typer.echo(f"Left out: {count} × {reason}")
    _show_leaks(found["leaks"])


def _table(counts: Mapping[str, Any]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table("slices (subjects)", "train", "validation", "test")
    for kind in ("frame", "label"):
        rows = counts[f"{kind}s"]
        for name in list(rows)[:SHOWN]:
            table.add_row(escape(f"{kind} {name}"), *_cells(rows[name]))
        if len(rows) > SHOWN:
            table.add_row(f"{len(rows) - SHOWN} more {kind}s")
    table.add_row("all", *_cells(counts["all"]))
    Console().print(table)


def _cells(splits: Mapping[str, Any]) -> list[str]:
    return [f"{of['slices']} ({of['subjects']})" for of in splits.values()]


def _show_lesions(lesions: Mapping[str, Any] | str) -> None:
    if isinstance(lesions, str):
        typer.echo(f"Lesions: {lesions}")
        return
    for split, of in lesions.items():
        area = of.get("area_mm2")
        spread = f", {area['lowest']:.0f} to {area['highest']:.0f} mm², median {area['median']:.0f}" if area else ""
        typer.echo(
            f"Lesions, {split}: on {of['slices_with_lesion']} of {of['slices_with_label_map']} slices "
            f"with a label map{spread}"
        )


def _show_leaks(leaks: Mapping[str, Any] | str) -> None:
    if isinstance(leaks, str):
        typer.echo(f"Leak audit: {leaks}")
        return
    typer.echo(
        f"Leak audit: {len(leaks['found'])} of {leaks['pairs_compared']} pairs of slices in two splits are the same or "
        f"nearly so ({leaks['slices']} slices)"
    )
    pairs = Counter(
        tuple((leak[which]["subject"], leak[which]["split"]) for which in ("first", "second"))
        for leak in leaks["found"]
    )
    for ((one, of_one), (other, of_other)), count in pairs.most_common(SHOWN):
        typer.echo(f"  {one} ({of_one}) and {other} ({of_other}): {count}")
    if len(pairs) > SHOWN:
        typer.echo(f"  and {len(pairs) - SHOWN} more pairs of subjects")
    if pairs:
        typer.echo("If these are one person's, give them one subject name (data.pattern) and prepare again.")
