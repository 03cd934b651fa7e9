"""`braingan serve`: a local page over a study's folder."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    folder: Annotated[Path, typer.Argument(metavar="STUDY", help="A study, a run, or a folder of runs.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where the page is served.")] = 8765,
    host: Annotated[
        str, typer.Option(help="Another address than this machine's own, for others to connect; then with a token.")
    ] = "127.0.0.1",
) -> None:
    """Open a page to browse runs, generate slices, and read them blind."""
    import secrets
    import socket

    from braingan.errors import InputError
    from braingan.optional import optional

    if not folder.is_dir():
        raise InputError(f"{folder} is no folder: name a study, a run, or a folder of runs.")
    uvicorn = optional("uvicorn", "web", "The page takes FastAPI and uvicorn")
    optional("fastapi", "web", "The page takes FastAPI and uvicorn")
    from braingan.web.app import create_app
    from braingan.web.guard import EVERYWHERE, is_loopback

    token = None if is_loopback(host) else secrets.token_urlsafe(24)
    app = create_app(folder, host, port, token)
    shown = socket.gethostname() if host in EVERYWHERE else f"[{host}]" if ":" in host else host
    typer.echo(f"http://{shown}:{port}/{f'?token={token}' if token else ''}   (Ctrl-C ends it)")
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False, limit_concurrency=64)
