"""`ecotone serve`: a local model over HTTP."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from ecotone.cli.common import example


@click.command(epilog=example(
    "ecotone serve --model my-reserve/models/latest",
    "curl --data-binary @a.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8000/v1/predict",
))
@click.option("--model", required=True, type=click.Path(exists=True, path_type=Path),
              help="The folder of a local model or trained network, or a project: its latest one.")
@click.option("--host", default="127.0.0.1", show_default=True,
              help="Where to listen; 0.0.0.0 lets other computers in (give a token then).")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
              help="The port; 0 takes a free one.")
@click.option("--token", default="", envvar="ECOTONE_SERVE_TOKEN",
              help="What requests must bear; better in the variable ECOTONE_SERVE_TOKEN.")
@click.option("--queue", type=click.IntRange(1, 100_000), default=64, show_default=True,
              help="Pictures in the server at once; more are refused with 429.")
@click.option("--batch-size", type=click.IntRange(1, 4096), default=32, show_default=True)
@click.option("--max-bytes", type=click.IntRange(1), default=32 * 2**20, show_default=True,
              help="Bytes of one request.")
@click.option("--max-pixels", type=click.IntRange(1), default=100_000_000, show_default=True,
              help="Pixels of one picture, known before it is decoded.")
@click.option("--max-pictures", type=click.IntRange(1), default=32, show_default=True,
              help="Pictures of one request.")
@click.option("--threads", type=click.IntRange(0, 1024), default=0,
              help="Threads that decode; default: one a core.")
@click.option("--timeout", type=click.FloatRange(1), default=60, show_default=True,
              help="Seconds for one request.")
@click.option("--grace", type=click.FloatRange(0), default=30, show_default=True,
              help="Seconds to finish in when it is stopped.")
def serve(model: Path, host: str, port: int, token: str, **limits: float) -> None:
    """Serve a local model over HTTP, for other programs.

    POST a picture to /v1/predict; /docs describes all of it. Ends with Ctrl+C or SIGTERM after what
    was taken is answered; a second signal ends it at once.
    """
    from ecotone.review.safety import is_loopback
    from ecotone.serve.limits import Limits
    from ecotone.serve.server import Told
    from ecotone.serve.server import serve as run

    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s", level=logging.WARNING)
    everybody = not token and not is_loopback(host)

    def opened(_: str) -> None:
        if everybody:
            click.echo(f"serve: all who reach {host} may use it; give a --token", err=True)
        click.echo(f"serve: loading {model}")

    told = Told(
        opened=opened,
        ready=lambda url, name, classes: click.echo(
            f"serve: {name} with {classes} classes is ready at {url} (described at {url}/docs)"),
        stopping=lambda rows: click.echo(f"serve: stopping, {rows} pictures are finished first"),
    )
    run(model, host, port, Limits(**limits), token, told)
