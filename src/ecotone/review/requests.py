"""What the page sends when somebody decides: checked before anything is looked at."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Item(BaseModel):
    """A label for one detection. seen: number of the label that the page showed as counting.
    special: blank, human, vehicle or unknown, for the project's own class of that kind."""

    model_config = ConfigDict(extra="forbid")
    id: str = Field(max_length=200)
    label: str = Field("", max_length=200)
    scientific: str = Field("", max_length=200)
    vernacular: str = Field("", max_length=200)
    special: Literal["", "blank", "human", "vehicle", "unknown"] = ""
    seen: int = Field(0, ge=0)


class Decide(BaseModel):
    """One decision. key: another for every decision, the same when it is sent again. kind: what is
    decided; the fields after `force` belong to one kind each. group: of a label that is said of a
    whole group of the queue. seen: number of the word that the page showed as counting for a pair,
    -1 when it showed none."""

    model_config = ConfigDict(extra="forbid")
    key: str = Field(min_length=8, max_length=100)
    author: str = Field(min_length=1, max_length=200)
    kind: Literal["label", "box", "match", "undo", "redo"]
    force: bool = False
    items: list[Item] = Field(default_factory=list, max_length=5000)
    queue: str = Field("", max_length=40)
    group: str = Field("", max_length=10, pattern="^[0-9]*$")
    id: str = Field("", max_length=200)
    bbox: list[float] = Field(default_factory=list, max_length=4)
    add: bool = False
    other: str = Field("", max_length=200)
    word: Literal["", "same", "different", "cannot tell"] = ""
    seen: int = Field(-1, ge=-1)
