"""What place, time and neighbouring pictures add to a foreign model's answers.

    python benchmarks/context.py                       # the six sites of shared/data/ain
    python benchmarks/context.py --file other.csv      # any csv of this shape
    python benchmarks/context.py --worlds              # generated ones, with and without context

The csv has the columns fileName, site, camera, timestamp, observed (the expert's label) and
predicted (the model's answer); several rows of one file are several labels of one picture. Printed
are points of agreement above the model's own answers on pictures whose label was not given: for a
share of the labels drawn by burst, for each site left out, and for the time after a part. "first":
the picture's first label; "any": any of its labels; "exact" and "Jaccard": sets of labels. The peer
is the plain way: a map (smoothed counts), the hour of the day, and the mean over the burst.
"""

from __future__ import annotations

import argparse
import csv
import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
import numpy as np

from ecotone.context import ContextClassifier
from ecotone.context.when import situation

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("ECOTONE_SHARED_DATA", ROOT.parent / "shared" / "data"))
SECOND = 0.4  # probability from which on a class is in the set of a picture beside the likeliest
COLUMNS = ("fileName", "site", "camera", "timestamp", "observed", "predicted")


@dataclass(frozen=True)
class Pictures:
    """P pictures; labels: a list of names each; event: bursts of a minute."""

    said: np.ndarray
    labels: list[list[str]]
    site: np.ndarray
    camera: np.ndarray
    time: list[str]
    seconds: np.ndarray
    event: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """The first label of each."""
        return np.array([names[0] for names in self.labels], dtype=object)

    def keywords(self) -> dict:
        """Arguments of `ContextClassifier`."""
        return {"site": self.site, "time": self.time, "camera": self.camera}


def read(path: Path) -> Pictures:
    """The pictures of a csv."""
    with path.open(encoding="utf-8-sig", newline="") as handle:
        rows = list(csv.DictReader(handle))
    missing = [name for name in COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise SystemExit(f"{path}: no column {', '.join(missing)}; expected {', '.join(COLUMNS)}.")
    by_file: dict[str, list[dict]] = {}
    for row in rows:
        by_file.setdefault(row["fileName"], []).append(row)
    heads = [group[0] for group in by_file.values()]
    time = [h["timestamp"] if h["timestamp"] not in ("NA", "") else "" for h in heads]
    column = {name: np.array([h[name] for h in heads], dtype=object) for name in COLUMNS}
    where = situation(column["site"], time, len(heads), None, column["camera"])
    return Pictures(
        column["predicted"], [[r["observed"] for r in group] for group in by_file.values()],
        column["site"], column["camera"], time, where.seconds, where.event,
    )


def draw(data: Pictures, share: float, seed: int, among: np.ndarray) -> np.ndarray:
    """Pictures (P,) bool with a label: whole bursts at random until the share of `among` is met."""
    _, unit = np.unique([e or f"#{i}" for i, e in enumerate(data.event)], return_inverse=True)
    chosen = np.zeros(len(unit), dtype=bool)
    of_unit = np.argsort(unit, kind="stable")
    starts = np.searchsorted(unit[of_unit], np.arange(unit.max() + 2))
    for u in np.random.default_rng(seed).permutation(unit.max() + 1):
        if chosen.sum() >= share * among.sum():
            break
        rows = of_unit[starts[u] : starts[u + 1]]
        chosen[rows[among[rows]]] = True
    return chosen


def naive(data: Pictures, known: np.ndarray) -> np.ndarray:
    """The peer: counts of label by answer and by hour (three hours wide), and the burst's mean."""
    names = np.array(sorted({n for row in np.flatnonzero(known) for n in data.labels[row]}
                            | set(data.said)), dtype=object)
    k, at = len(names), {name: i for i, name in enumerate(names)}
    said = np.array([at[s] for s in data.said])
    hour = np.nan_to_num(data.seconds / 10800.0 % 8).astype(int)
    table, clock = 2.0 * np.eye(k) + 0.05, np.full((8, k), 0.5)
    for row in np.flatnonzero(known):
        for name in data.labels[row]:
            table[said[row], at[name]] += 1 / len(data.labels[row])
            clock[hour[row], at[name]] += 1 / len(data.labels[row])
    p = table / table.sum(axis=1, keepdims=True)
    p = p[said] * (clock / clock.sum(axis=0))[hour]
    p /= p.sum(axis=1, keepdims=True)
    event = np.array([e or f"#{i}" for i, e in enumerate(data.event)])
    _, unit, size = np.unique(event, return_inverse=True, return_counts=True)
    mean = np.zeros((unit.max() + 1, k))
    np.add.at(mean, unit, p)
    return names[(mean / size[:, None])[unit].argmax(axis=1)]


def run(data: Pictures, known: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Points above the model's own answers on `test`, from the labels of `known`."""
    labels = [names if k else None for names, k in zip(data.labels, known, strict=True)]
    where, truth = data.keywords(), [set(names) for names in data.labels]
    clf = ContextClassifier().fit(data.said, labels, **where)
    found = {
        "model": data.said, "map": clf.classes_[clf.image_proba(data.said).argmax(axis=1)],
        "peer": naive(data, known),
    }
    proba = clf.predict_proba(data.said, **where)
    found["context"] = clf.classes_[proba.argmax(axis=1)]
    sets = {name: [{a} for a in answer] for name, answer in found.items()}
    for names, p, best in zip(sets["context"], proba, proba.max(axis=1), strict=True):
        names |= {clf.classes_[k] for k in np.flatnonzero(p >= max(SECOND, SECOND * best))}
    at = np.flatnonzero(test)
    out = {"labels": float(known.sum()), "promised": clf.gain_}
    for name, answer in found.items():
        out[f"{name} first"] = 100 * float((answer[at] == data.first[at]).mean())
        out[f"{name} any"] = 100 * float(np.mean([answer[i] in truth[i] for i in at]))
        given = sets[name]
        out[f"{name} exact"] = 100 * float(np.mean([given[i] == truth[i] for i in at]))
        out[f"{name} jaccard"] = 100 * float(np.mean(
            [len(given[i] & truth[i]) / len(given[i] | truth[i]) for i in at]
        ))
    return out


HEAD = (f"{'':28s} labels  model   map  peer  ecotone | gain on model: mean   sd  worst (any)"
        " | on map | on peer")


def line(name: str, runs: list[dict[str, float]]) -> str:
    """Means of some runs, as one line."""
    mean = {key: float(np.mean([r[key] for r in runs])) for key in runs[0]}
    gain = np.array([r["context first"] - r["model first"] for r in runs])
    wide = mean["context any"] - mean["model any"]
    return (f"{name:28s} {mean['labels']:6.0f}  {mean['model first']:5.1f} "
            f"{mean['map first']:5.1f} {mean['peer first']:5.1f} {mean['context first']:8.1f} | "
            f"{gain.mean():+19.2f} {gain.std():4.2f} {gain.min():+6.2f} {wide:+6.2f} | "
            f"{mean['context first'] - mean['map first']:+6.2f} | "
            f"{mean['context first'] - mean['peer first']:+6.2f}")


def pictures_table(data: Pictures, share: float, draws: int, first_seed: int) -> None:
    """Labels drawn by burst; sites left out; later times."""
    everything = np.ones(len(data.said), dtype=bool)
    seeds = range(first_seed, first_seed + draws)
    print(f"{len(data.said):,} pictures, {len(set(data.site))} sites, {draws} draws\n{HEAD}")
    runs = [run(data, known, ~known) for known in
            (draw(data, share, s, everything) for s in seeds)]
    print(line(f"{share:.0%} of the labels", runs), flush=True)
    for what in ("any", "exact", "jaccard"):
        mean = {n: np.mean([r[f"{n} {what}"] for r in runs])
                for n in ("model", "map", "peer", "context")}
        print(f"  {what:33s} " + " ".join(f"{v:7.1f}" for v in mean.values()), flush=True)
    for part in (share, 1.0):
        for site in sorted(set(data.site)) if len(set(data.site)) > 1 else []:
            out = data.site == site
            again = list(seeds)[: 1 if part == 1.0 else max(draws // 2, 1)]
            runs = [run(data, draw(data, part, s, ~out), out) for s in again]
            print(line(f"site {site} left out, {part:.0%}", runs), flush=True)
    for cut in (0.3, 0.5, 0.7):
        early = data.seconds < np.nanquantile(data.seconds, cut)
        runs = [run(data, draw(data, 2 * share, s, early), ~early & ~np.isnan(data.seconds))
                for s in list(seeds)[: max(draws // 2, 1)]]
        print(line(f"after the first {cut:.0%}, {2 * share:.0%}", runs), flush=True)


def worlds_table(draws: int, first_seed: int) -> None:
    """Generated worlds: a calibrated classifier, with and without effects of place and time."""
    import sys

    sys.path.insert(0, str(ROOT))
    from tests.context.worlds import NAMES, world

    print(f"{'world':24s} labels   gain: mean    sd  worst | promised out of fold")
    for effects in (False, True):
        for count in (20, 50, 150, 500):
            gains, promised = [], []
            for seed in range(first_seed, first_seed + draws):
                w = world(seed, effects, n=3000)
                labels = w.labels(count, seed)
                clf = ContextClassifier(NAMES).fit(w.proba, labels, w.site, w.seconds)
                gains.append(w.gain(clf.predict_proba(w.proba, w.site, w.seconds), labels))
                promised.append(clf.gain_)
            name = "site, hour and bursts" if effects else "nothing to be gained"
            print(f"{name:24s} {count:6d} {np.mean(gains):+11.2f} {np.std(gains):5.2f} "
                  f"{np.min(gains):+6.2f} | {np.mean(promised):+6.2f}", flush=True)


def main() -> None:
    """Print the tables that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--file", type=Path, default=DATA / "ain" / "classifications.csv")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--worlds", action="store_true")
    given = parser.parse_args()
    if given.worlds:
        worlds_table(given.draws, given.first)
    else:
        pictures_table(read(given.file), given.share, given.draws, given.first)


if __name__ == "__main__":
    main()
