"""What goes in and comes out as json; the OpenAPI document is made from these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ecotone.serve.limits import MAX_BOXES

MOST_TOP = 10_000
ONE = r"(0(\.[0-9]{1,17})?|1(\.0{1,17})?)"
BOX = rf"^{ONE},{ONE},{ONE},{ONE}$"  # x,y,width,height in a query or a form
Part = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Coordinates = Annotated[list[Part], Field(
    min_length=4, max_length=4,
    description="x, y, width, height of the box as parts of the picture's width and height.",
)]
Boxes = Annotated[list[Coordinates], Field(max_length=MAX_BOXES)]
BASE64 = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PictureInput(_Given):
    """A picture of a batch."""

    data: str = Field(
        description="The bytes of the picture file, base64.",
        json_schema_extra={"format": "byte", "pattern": BASE64, "contentEncoding": "base64"},
    )
    id: str | None = Field(None, min_length=1, max_length=500,
                           description="Comes back with the answer; default: its place from 0.")
    boxes: Boxes | None = Field(None, description="None or empty: the whole picture.")


class PictureBatch(_Given):
    """Several pictures."""

    pictures: list[PictureInput] = Field(min_length=1)


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ClassProbability(_Answer):
    """A local class and its calibrated probability."""

    label: str
    scientificName: str = Field(description='"" where it is not known.')
    probability: float = Field(ge=0, le=1)


class Prediction(_Answer):
    """What the model says of a picture or of one box of it."""

    bbox: list[float] = Field(min_length=4, max_length=4)
    label: str = Field(description="The most probable class.")
    scientificName: str
    probability: float = Field(ge=0, le=1, description="The calibrated probability of `label`.")
    classes: list[ClassProbability] = Field(description="Best first, all or the `top` best.")


class PictureAnswer(Prediction):
    """The answer to one picture."""

    model: str = Field(description="The id of the model.")


class BatchItem(_Answer):
    """The answer to one picture of a batch: predictions, or why there are none."""

    id: str
    predictions: list[Prediction] = Field(description="One a box, in the order of the boxes.")
    error: str | None = Field(description="Why this picture could not be read, null when it was.")


class BatchAnswer(_Answer):
    """The answers to a batch, in the order of its pictures."""

    model: str
    pictures: list[BatchItem]


class ModelClass(_Answer):
    """A class of the model."""

    label: str
    scientificName: str


class ModelAnswer(_Answer):
    """The model that is served."""

    model: str
    version: str = Field(description="Of ecotone.")
    classes: list[ModelClass]
    preprocessing: dict[str, Any]
    limits: dict[str, float]
    card: dict[str, Any] = Field(description="The training card.")


class Health(_Answer):
    """Whether the server lives or takes pictures."""

    status: Literal["live", "ready"]


class Problem(_Answer):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    reason: str = Field(description="One word for programs.")
    detail: str = Field(description="One line for people.")
