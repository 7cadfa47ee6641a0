"""The application: json and pictures for the page, and decisions from it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader

from ecotone.errors import EcotoneError, InputError, MediaError
from ecotone.project.deciding import MOST, ConflictError
from ecotone.review import cards, deciding, learning, names, pairs, queues
from ecotone.review.learning import Learner
from ecotone.review.pictures import SIDES, Pictures
from ecotone.review.queues import Filter
from ecotone.review.requests import Decide
from ecotone.review.together import Together
from ecotone.review.view import View

HERE = Path(__file__).parent
LISTED = 500  # ids of a queue that are sent at once
CARDS = 60  # cards that are sent at once
Many = Annotated[tuple[str, ...], Query(max_length=CARDS)]
STATE_LIVES = 1.0  # seconds for which counts and learning curve are not made anew, for anyone
NO_STORE = {"cache-control": "no-store"}
KEPT = {"cache-control": "private, max-age=86400"}


class Desk:
    """What the routes share."""

    def __init__(self, view: View, learner: Learner, pictures: Pictures, author: str) -> None:
        self.view, self.learner, self.pictures, self.author = view, learner, pictures, author
        self.together = Together(view)
        self._state: tuple[float, tuple, dict[str, Any]] = (0.0, (), {})
        self._names: tuple[int, int, names.NameIndex | None] = (-1, -1, None)

    def state(self) -> dict[str, Any]:
        """Queues with what is left, learning, classes and sites."""
        view = self.view
        view.sync()
        mark = (view.version, view.epoch, view.machines_read)
        at, before, kept = self._state
        if time.monotonic() - at < (STATE_LIVES if before[1:] == mark[1:] else 0.0):
            return kept
        with view.lock:
            used = int(view.table.used.sum())
            labelled = int((view.voices.labelled & view.table.used).sum())
            kept = {
                "project": view.project.config.name or view.project.path.name,
                "author": self.author, "version": view.version, "epoch": view.epoch,
                "machines": view.machines_read,
                "queues": [*queues.listing(view), *_pair_queue(view)],
                "detections": used, "labelled": labelled,
                "classes": self._classes(), "sites": view.table.sites,
                "blur": view.project.config.blur_people, "run": view.answers.run,
                "fixed_classes": list(view.project.config.classes),
            }
        kept.update(learning=self.learner.status(), history=learning.history(view)[-50:],
                    gain=learning.foretold(view))
        self._state = (time.monotonic(), mark, kept)
        return kept

    def _classes(self) -> list[dict[str, Any]]:
        view = self.view
        counted = {n: c for n, c in view.voices.names.items() if c > 0}
        every = dict.fromkeys((*view.project.config.classes, *view.answers.classes, *counted))
        return [{"label": n, "labelled": counted.get(n, 0)} for n in every]

    def name_index(self) -> names.NameIndex:
        """All names, made anew when a class is new."""
        from ecotone.project.gathering import taxonomy_of

        view = self.view
        with view.lock:
            used = sum(1 for c in view.voices.names.values() if c > 0)
            if self._names[:2] != (view.epoch, used) or self._names[2] is None:
                classes = [c["label"] for c in self._classes()]
                taxonomy = taxonomy_of(view.catalog, deciding.score_classes(view))
                index = names.NameIndex(names.project_names(classes, view.names, taxonomy))
                self._names = (view.epoch, used, index)
            return self._names[2]  # type: ignore[return-value]


def _pair_queue(view: View) -> list[dict[str, Any]]:
    """The queue of individuals, where some were matched."""
    if not pairs.pairs(view):
        return []
    return [{"queue": "matches", "title": "Same individual?", "left": pairs.left(view),
             "what": "two pictures side by side", "show": "open"}]


def make_app(desk: Desk) -> FastAPI:
    """The application of one project."""
    app = FastAPI(title="ecotone review", docs_url=None, redoc_url=None, openapi_url=None)
    pages = Environment(loader=FileSystemLoader(HERE / "templates"), autoescape=True)
    front = pages.get_template("page.html")
    # Asked for at once, not one after the other as they import each other.
    modules = sorted(f.name for f in (HERE / "static").glob("*.js") if f.name != "theme.js")

    @app.get("/")
    def page() -> HTMLResponse:
        project = desk.view.project
        name = project.config.name or project.path.name
        return HTMLResponse(front.render(project=name, modules=modules),
                            headers=NO_STORE)

    _errors(app)
    _reading(app, desk)
    _deciding(app, desk)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    return app


def _errors(app: FastAPI) -> None:
    @app.exception_handler(EcotoneError)
    def told(_: Request, error: EcotoneError) -> JSONResponse:
        status = 422 if isinstance(error, InputError) else 409
        return JSONResponse({"error": str(error)}, 404 if isinstance(error, MediaError) else status)

    @app.exception_handler(sqlite3.DatabaseError)
    def damaged(_: Request, error: sqlite3.DatabaseError) -> JSONResponse:
        said = f"the catalogue cannot be used ({error}); see: ecotone check, then: ecotone repair"
        return JSONResponse({"error": said}, 503)

    @app.exception_handler(ConflictError)
    def conflict(_: Request, error: ConflictError) -> JSONResponse:
        said = [vars(c) for c in error.conflicts]
        return JSONResponse({"error": str(error), "conflicts": said}, 409)


def _reading(app: FastAPI, desk: Desk) -> None:
    view = desk.view

    @app.get("/api/state")
    def state() -> JSONResponse:
        return JSONResponse(desk.state(), headers=NO_STORE)

    @app.get("/api/queue")
    def queue(
        queue: str = "next", name: str = "", site: str = "", start: str = "", end: str = "",
        show: str = "", group: str = "", of: Many = (),
        skip: Annotated[int, Query(ge=0)] = 0, n: Annotated[int, Query(ge=0, le=CARDS)] = 24,
        most: Annotated[int, Query(ge=1, le=MOST)] = LISTED,
    ) -> JSONResponse:
        view.sync()
        wanted = Filter(name, site, start, end, show, of, group)
        with view.lock:
            found = queues.find(view, queue, wanted)
            rows = found.rows[skip : skip + most].tolist()
            return JSONResponse({
                "queue": queue, "total": len(found.rows), "skip": skip,
                "ids": view.table.id[rows].tolist(), "version": view.version, "epoch": view.epoch,
                "reasons": {view.table.id[r]: found.reasons[r] for r in rows if r in found.reasons},
                "cards": [cards.card(view, r, found.reasons.get(r, "")) for r in rows[:n]],
            }, headers=NO_STORE)

    @app.get("/api/pairs")
    def some_pairs(
        skip: Annotated[int, Query(ge=0)] = 0, n: Annotated[int, Query(ge=0, le=CARDS)] = 20,
        decided: bool = False,
    ) -> JSONResponse:
        view.sync()
        with view.lock:
            return JSONResponse(pairs.listing(view, skip, n, decided), headers=NO_STORE)

    @app.get("/api/cards")
    def some_cards(id: Many = ()) -> JSONResponse:
        with view.lock:
            found = [cards.card(view, view.table.row_of[i]) for i in id if i in view.table.row_of]
        return JSONResponse({"cards": found}, headers=NO_STORE)

    @app.get("/api/detail")
    def detail(id: str) -> JSONResponse:
        with view.lock:
            return JSONResponse(cards.details(view, id), headers=NO_STORE)

    @app.get("/api/sites")
    def sites() -> JSONResponse:
        with view.lock:
            return JSONResponse({"sites": cards.sites(view)}, headers=NO_STORE)

    @app.get("/api/names")
    def find_names(q: Annotated[str, Query(max_length=100)] = "") -> JSONResponse:
        return JSONResponse({"names": names.as_json(desk.name_index().find(q))}, headers=NO_STORE)

    @app.get("/api/changes")
    def changes(
        version: int = -1, epoch: int = -1,
        author: Annotated[str, Query(max_length=200)] = "", mark: int = -1,
    ) -> JSONResponse:
        found = deciding.changes(view, desk.learner, version, epoch, author.strip(), mark)
        return JSONResponse(found, headers=NO_STORE)

    @app.get("/picture/{kind}")
    def picture(kind: str, id: str, sharp: bool = False) -> Response:
        if kind not in SIDES:
            raise InputError(f"picture {kind!r}: expected one of {', '.join(SIDES)}.")
        with view.lock:
            row = cards.row_of(view, id)
            medium = int(view.table.medium[row])
            hide = view.project.config.blur_people and not sharp
            people = cards.people_in(view, row) if hide else []
            table = view.table
            place = (table.root[medium], table.file_path[medium], str(table.version[medium]))
            box = table.bbox[row].tolist()
            video = table.media_id[medium] in table.videos
            frame = max(int(table.frame[row]), 0) if video else None
        made = desk.pictures.get(*place, box, kind, people, frame)
        return Response(made, media_type="image/jpeg",
                        headers=NO_STORE if people or sharp else KEPT)


def _deciding(app: FastAPI, desk: Desk) -> None:
    @app.post("/api/decide")
    def decide(asked: Decide) -> JSONResponse:
        return JSONResponse(deciding.decide(desk, asked), headers=NO_STORE)

    @app.post("/api/learn")
    def learn() -> JSONResponse:
        desk.learner.ask()
        return JSONResponse({"asked": True}, headers=NO_STORE)
