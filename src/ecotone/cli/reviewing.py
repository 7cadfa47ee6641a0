"""`ecotone review`."""

from __future__ import annotations

import getpass
import threading
import webbrowser
from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import example, open_project, project_option


@click.command(epilog=example("ecotone review", "ecotone review --port 9000 --author Amina"))
@click.option("--port", type=click.IntRange(0, 65535), default=8721, show_default=True,
              help="The port; 0 takes a free one.")
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Where to listen; 0.0.0.0 lets other computers in, who need the printed token.")
@click.option("--author", default=None, help="Who decides; default: your name on this computer.")
@click.option("--learn-every", type=click.IntRange(0), default=25, show_default=True,
              help="New labels after which it fuses in the background; 0: only when asked.")
@click.option("--no-browser", is_flag=True, help="Do not open the page.")
@project_option
def review(port: int, host: str, author: str | None, learn_every: int, no_browser: bool,
           project: Path | None) -> None:
    """Look at pictures and decide, in the browser.

    Decisions are stored as they are made; a fusion learns from them in the background. Ends with
    Ctrl+C.
    """
    from ecotone.review.server import serve

    with open_project(project) as opened:
        path = opened.path

    def ready(address: Any) -> None:
        click.echo(f"review: {address.url}")
        if address.token:
            click.echo("others on your network can open it with the token in this address alone")
        click.echo("stop with Ctrl+C")
        if not no_browser:
            threading.Timer(0.5, webbrowser.open, [address.url]).start()

    serve(path, host, port, author or _own_name(), learn_every, ready)


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "reviewer"
