"""`braingan evaluate`: numbers for a run, or for anyone's pictures, beside what real data scores."""

from pathlib import Path
from typing import Annotated, Any

import typer

from braingan.cli import options


def command(
    run: Annotated[Path | None, typer.Argument(help="The folder of a run.", show_default=False)] = None,
    data: options.Data = None,
    sets: options.Sets = None,
    split: Annotated[str, typer.Option(help="test, for the final table; validation, for making choices.")] = "test",
    real: Annotated[Path | None, typer.Option(help="Instead of a run: a folder of real pictures.")] = None,
    fake: Annotated[Path | None, typer.Option(help="With --real: a folder of generated pictures.")] = None,
    train: Annotated[
        Path | None, typer.Option(help="With --real: the pictures that the generator learnt from.")
    ] = None,
    out: Annotated[Path, typer.Option(help="With --real: where the numbers go.")] = Path("metrics.json"),
    weights: Annotated[
        Path | None, typer.Option(help="A file with the weights of inception or inception-keras.")
    ] = None,
    on: Annotated[
        str | None, typer.Option("--on", help="Where to work, such as dask:tcp://host:8786. [default: here]")
    ] = None,
) -> None:
    """Compare generated slices with real ones of held-out subjects; writes metrics.json beside the snapshot."""
    import json
    from concurrent.futures import BrokenExecutor

    from braingan.errors import InputError
    from braingan.evaluation.evaluate import evaluate, evaluate_folders
    from braingan.executor import as_seen_from, open_executor
    from braingan.folders import RunFolder

    if split not in ("test", "validation"):
        raise InputError(f"--split {split}: choose test or validation.")
    chosen = list(sets or [])
    if weights:
        chosen.append(f"evaluation.weights={json.dumps(str(weights.absolute()), ensure_ascii=False)}")
    if run is not None and real is None and fake is None:
        if train is not None:
            raise InputError("--train goes with --real and --fake: a run knows what it was trained on.")
        if on is None:
            _print(evaluate(RunFolder(run), data, split, chosen))
        else:
            given = RunFolder(as_seen_from(run, on)), data and as_seen_from(data, on), split, chosen
            try:
                with open_executor(on) as executor:
                    _print(executor.submit(evaluate, *given).result())
            except BrokenExecutor as error:
                raise InputError(f"The worker of --on {on} ended abruptly, perhaps for want of memory.") from error
        typer.echo(f"next: braingan report {run}{f' --data {data}' if data else ''}")
    elif run is None and real is not None and fake is not None:
        if data is not None or on is not None or split != "test":
            raise InputError("--data, --on and --split go with a run, not with --real and --fake.")
        _print(evaluate_folders(real, fake, train, out, chosen))
        typer.echo(f"written: {out}")
    else:
        raise InputError("Name a run, as in `braingan evaluate RUN`, or two folders: --real DIR --fake DIR.")


def _print(found: dict[str, Any]) -> None:
    for note in found["protocol"]["notes"]:
        typer.echo(note)
    typer.echo(f"{'metric':40} {'value':>9} {'95 % interval':>21} {'floor':>9}")
    for name, of in found["metrics"].items():
        interval = f"{of['low']:9.4g} to {of['high']:8.4g}" if "low" in of else ""
        typer.echo(f"{name:40} {of['value']:9.4g} {interval:>21} {of.get('floor', float('nan')):9.4g}")
