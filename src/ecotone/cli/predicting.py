"""`ecotone predict`: a local model or a trained network on new pictures, without a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ecotone.cli.common import (
    DEVICE,
    engine_of,
    example,
    first_lines,
    in_file,
    in_place,
    json_option,
    show,
    with_engine,
)
from ecotone.cli.progress import progress


@click.command(epilog=example(
    "ecotone predict NEW_PHOTOS --model my-reserve/models/latest -o out.csv"
))
@click.argument("pictures", type=in_place())
@click.option("--model", required=True, type=click.Path(exists=True, path_type=Path),
              help="The folder of a local model or of a trained network, or its model.onnx.")
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
              help="The table to write: .csv or .parquet.")
@click.option("--detections", type=in_file(), default=None,
              help="MegaDetector json: classify its boxes instead of whole pictures.")
@click.option("--threshold", type=click.FloatRange(0, 1), default=None,
              help="Boxes below it are left out; default: that of the training, else the file's.")
@click.option("--frames", default="rate:1", show_default=True, metavar="rate:1|motion:16|all",
              help="Which frames of a video are looked at.")
@click.option("--every-frame", is_flag=True,
              help="A row for each frame of a video; else one, by its best frame.")
@click.option("--batch-size", type=click.IntRange(1, 4096), default=None,
              help="Pictures given to the model at once; default: by the free memory.")
@click.option("--device", default=None, help=DEVICE)
@with_engine
@json_option
def predict(pictures: str, model: Path, output: Path, detections: Path | None,
            threshold: float | None, frames: str, every_frame: bool, batch_size: int | None,
            device: str | None, as_json: bool, **engine: Any) -> None:
    """Classify new PICTURES and videos with a local model or a trained network, without a project.

    PICTURES is a folder, the URL of an object storage, or a list of paths and URLs.
    """
    from ecotone.bundle.predict import predict_to_file

    with progress() as report:
        result = predict_to_file(
            pictures, model, output, detections_json=detections, threshold=threshold,
            frames=frames, every_frame=every_frame, batch_size=batch_size, progress=report,
            engine=engine_of(engine), **({"device": device} if device else {}),
        )

    def lines() -> list[str]:
        text = [f"{result.rows:,} rows of {result.pictures:,} pictures written to {output}"]
        if result.failures:
            text += [f"{len(result.failures):,} pictures failed:", *first_lines(result.failures)]
        return text + result.notes

    show(result, as_json, lines)
    if result.failures and not result.rows:
        raise click.exceptions.Exit(1)
