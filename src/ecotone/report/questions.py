"""What the report shows of the queue: the questions that `suggest` asks, with their pictures."""

from __future__ import annotations

from dataclasses import dataclass

from ecotone.report.data import Picture


@dataclass(frozen=True)
class QuestionPicture(Picture):
    """A detection that is asked about. `prediction` is what it is expected to be, "" = unknown."""

    rank: int = 0
    reason: str = ""


@dataclass(frozen=True)
class QuestionsData:
    """The queue. asked, answered: how many questions. gain: what answering all brings, in words.
    species: the wanted one of a hunt. pictures: of the first open questions."""

    run: str
    asked: int
    answered: int
    gain: str = ""
    species: str = ""
    pictures: tuple[QuestionPicture, ...] = ()

    @property
    def open(self) -> int:
        """Questions without an answer."""
        return self.asked - self.answered
