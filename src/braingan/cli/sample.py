"""`braingan sample`: slices from a run."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from braingan.cli import options

if TYPE_CHECKING:
    from braingan.data.conditions import Row
    from braingan.sampling.generator import TrainedGenerator


def command(
    run: options.Run,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder; else slices, interpolation or volumes in the run's.")
    ] = None,
    count: Annotated[
        int | None, typer.Option(min=1, help="How many slices. [default: 64, and 16 along a way]", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed and number alone determine a slice.")] = 0,
    frame: Annotated[str | None, typer.Option("--frame", help="Only this frame.")] = None,
    label: Annotated[str | None, typer.Option("--label", help="Only this label of the source.")] = None,
    depth: Annotated[
        float | None,
        typer.Option("--depth", help="At this depth, 0 to 1: from inferior (coronal: posterior, sagittal: left)."),
    ] = None,
    lesion: Annotated[float | None, typer.Option("--lesion", help="With lesions of so many mm²; 0 for none.")] = None,
    gate: Annotated[
        bool, typer.Option("--gate", help="Refuse slices too near to a training slice, and write a certificate.")
    ] = False,
    layout: Annotated[
        str, typer.Option("--layout", help="How the files lie: pictures, imagefolder, or nnunet for slices with masks.")
    ] = "pictures",
    interpolate: Annotated[
        str | None,
        typer.Option("--interpolate", help="A strip and a GIF along latents, depth, lesion, frame or label instead."),
    ] = None,
    volume: Annotated[
        bool, typer.Option("--volume", help="NIfTI volumes of all depths at one latent each instead, 1 by default.")
    ] = False,
    data: options.Data = None,
) -> None:
    """Generate slices as PNG files, and one sheet of the first 64."""
    from braingan.errors import InputError
    from braingan.folders import RunFolder
    from braingan.sampling.generator import TrainedGenerator
    from braingan.sampling.pictures import PAGE, write_pictures

    generator = TrainedGenerator.open(RunFolder(run))
    wish = generator.wish(frame, label, depth, lesion)
    if (volume or interpolate is not None) and (gate or layout != "pictures" or (volume and interpolate is not None)):
        raise InputError("--volume and --interpolate go with neither each other nor --gate and --layout.")
    out = out or run / ("volumes" if volume else "slices" if interpolate is None else "interpolation")
    if interpolate is not None:
        _interpolate(generator, out, interpolate, 16 if count is None else count, seed, wish)
        return
    if volume:
        _volumes(generator, out, 1 if count is None else count, seed, wish, data)
        return
    count = 64 if count is None else count
    if not gate:
        write_pictures(generator, out, count, seed, wish, layout)
        typer.echo(f"{out}: {count} synthetic slices")
        return
    from braingan.report.certificate import write_gated_pictures

    certificate = write_gated_pictures(generator, out, count, seed, data, wish, layout)
    typer.echo(
        f"{out}: {count} synthetic slices, {certificate['refused']} of {certificate['drawn']} drawn were refused"
    )
    typer.echo(f"{out / PAGE}: the certificate; it shows training slices, so keep it with these")


def _interpolate(generator: "TrainedGenerator", out: Path, along: str, count: int, seed: int, wish: "Row") -> None:
    from braingan.errors import InputError
    from braingan.sampling.interpolate import ALONG, write_interpolation

    chosen = next((known for known in ALONG if known == along), None)
    if chosen is None:
        raise InputError(f"--interpolate {along}: there are {', '.join(ALONG)}.")
    if count < 2:
        raise InputError("--interpolate shows a way of at least two slices: give a larger --count.")
    found = write_interpolation(generator, out, chosen, count, seed, wish)
    typer.echo(
        f"{out}: {found['slices']} synthetic slices along {along}, as a strip and a GIF; correlation of neighbouring "
        f"slices {_said(found['neighbour_correlation'])}, at least {_said(found['least_correlation'])}, of slices of "
        f"different latents {_said(found['unrelated_correlation'])}"
    )


def _volumes(generator: "TrainedGenerator", out: Path, count: int, seed: int, wish: "Row", data: Path | None) -> None:
    from braingan.errors import InputError
    from braingan.evaluation.material import open_store_of
    from braingan.sampling.volume import REAL_VIEWS, write_volumes

    try:
        store = open_store_of(generator.run, data)
    except InputError as error:
        if data is not None:
            raise
        store = None
        typer.echo(f"Without real volumes to compare with: {error}")
    found = write_volumes(generator, out, count, seed, wish, store)
    typer.echo(
        f"{out}: {count} synthetic volumes of {found['slices']} slices; correlation of neighbouring slices "
        f"{_said(found['neighbour_correlation'])}, of real volumes {_said(found['real_neighbour_correlation'])}"
    )
    if (out / REAL_VIEWS).exists():
        typer.echo(f"{out / REAL_VIEWS}: real test subjects beside them, so keep it with the store")


def _said(correlation: float | None) -> str:
    return "unknown" if correlation is None else f"{correlation:.4f}"
