"""`braingan utility`: whether a run's slices help to train a network for real ones."""

from typing import Annotated

import typer

from braingan.cli import options

ENOUGH = 5
"""Seeds to conclude from."""


def command(
    run: options.Run,
    data: options.Data = None,
    share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the training subjects that are the few real ones.")
    ] = 0.1,
    seeds: Annotated[int, typer.Option(min=2, help="Repetitions, each with other subjects, slices and weights.")] = 5,
    steps: Annotated[int, typer.Option(min=2, help="Steps of each training, of 16 slices.")] = 1000,
    most: Annotated[
        int, typer.Option(min=16, help="Slices generated for each seed, and real test slices, at most.")
    ] = 4096,
) -> None:
    """Train a small network on few real slices, on generated ones, and on both; test it on real test subjects."""
    from braingan.evaluation.material import open_store_of
    from braingan.evaluation.utility import ARMS, utility
    from braingan.folders import RunFolder, write_json
    from braingan.sampling.generator import TrainedGenerator
    from braingan.training.devices import Device

    device = Device.choose("float32").device
    generator = TrainedGenerator.open(RunFolder(run), device=device)
    found = utility(generator, open_store_of(generator.run, data), share, seeds, steps, most)
    write_json(generator.snapshot.utility, found)
    typer.echo(
        f"{found['task']} by {found['score']}: {found['test_subjects']} real test subjects; {found['few_subjects']} "
        f"real training subjects, of {found['generator_saw_subjects']} that the generator saw; {found['seeds']} seeds"
    )
    for arm in ARMS:
        of = found["arms"][arm]
        gain = f"{of['gain']:+.3f} ({of['gain_low']:+.3f} to {of['gain_high']:+.3f})" if "gain" in of else ""
        typer.echo(f"{arm:10} {of['value']:.3f} ({of['low']:.3f} to {of['high']:.3f})  {gain}")
    if seeds < ENOUGH:
        typer.echo(f"Fewer than {ENOUGH} seeds: nothing to conclude from.")
    typer.echo(f"next: braingan report {run}")
