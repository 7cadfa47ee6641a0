"""Time and peak memory of `FusionClassifier.fit`, beside one scikit-learn logistic regression.

    python benchmarks/cost.py                          # 10,000, 100,000 and 300,000 detections
    python benchmarks/cost.py --rows 10000,30000 --no-peer

Each size runs in a process of its own, so that its peak memory is its own. D = 768, the top 5 of
S = 2,498 global classes, K = 60 local classes, 500 labels. The peer fits as many hard labels as
there are detections, on the same embeddings.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
from scipy import sparse

from ecotone.evaluation.summary import align
from ecotone.types import GlobalScores

DIMENSIONS, GLOBAL, LOCAL, LABELS, TOP = 768, 2498, 60, 500, 5
BLOCK = 20_000
NOISE = 10.0  # sd per dimension; centres have 1: classes overlap, as real ones do


def names() -> tuple[list[str], list[str]]:
    """Local and global names: the first 40 local classes are exact, the others unknown."""
    world = [f"Genus{chr(97 + s % 26)}{chr(97 + s // 26 % 26)}{chr(97 + s // 676)} "
             f"species{s}" for s in range(GLOBAL)]
    return [*world[:40], *(f"Localia speca{k}" for k in range(LOCAL - 40))], world


def generate(rows: int, seed: int = 0) -> tuple[np.ndarray, GlobalScores, np.ndarray]:
    """Embeddings (rows, D) float32, top-5 scores, true local columns; Zipf class frequencies."""
    rng = np.random.default_rng(seed)
    share = 1.0 / np.arange(1, LOCAL + 1)
    truth = rng.choice(LOCAL, rows, p=share / share.sum())
    centres = rng.normal(size=(LOCAL, DIMENSIONS)).astype(np.float32)
    x = np.empty((rows, DIMENSIONS), dtype=np.float32)
    for start in range(0, rows, BLOCK):
        part = truth[start : start + BLOCK]
        noise = rng.standard_normal((len(part), DIMENSIONS), dtype=np.float32)
        x[start : start + BLOCK] = centres[part] + NOISE * noise
    columns = rng.integers(0, GLOBAL, (rows, TOP))
    columns[:, 0] = np.where(rng.random(rows) < 0.7, truth, columns[:, 0])
    values = -np.sort(-rng.dirichlet(np.ones(TOP), rows), axis=1) * 0.9
    place = np.arange(0, rows * TOP + 1, TOP)
    table = sparse.csr_matrix((values.ravel(), columns.ravel(), place), shape=(rows, GLOBAL))
    return x, GlobalScores(table, tuple(names()[1])), truth


def measure(rows: int, what: str) -> dict[str, float]:
    """Wall and processor seconds, peak memory in GB and accuracy of one fit.

    The processor's seconds tell more where other work shares the machine.
    """
    x, scores, truth = generate(rows)
    before = peak()
    if what == "peer":
        from sklearn.linear_model import LogisticRegression

        started, cpu = time.perf_counter(), time.process_time()
        model = LogisticRegression(max_iter=100).fit(x, truth)
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        right = float((model.predict(x[:5000]) == truth[:5000]).mean())
        return {"seconds": seconds, "cpu": cpu, "peak": peak(), "data": before, "right": right}
    from ecotone import FusionClassifier

    local, world = names()
    shown = np.random.default_rng(1).permutation(rows)[:LABELS]
    labels: list[str | None] = [None] * rows
    for row in shown:
        labels[row] = local[truth[row]]
    classifier = FusionClassifier(local, world, random_state=0)
    started, cpu = time.perf_counter(), time.process_time()
    classifier.fit(x, scores, labels)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    top = peak()
    guess = classifier.pseudo_labels_.argmax(axis=1)
    order = {str(c): k for k, c in enumerate(local)}
    column = np.array([order[str(c)] for c in classifier.classes_])
    hidden = np.setdiff1d(np.arange(rows), shown)
    right = float((column[guess[hidden]] == truth[hidden]).mean())
    return {"seconds": seconds, "cpu": cpu, "peak": top, "data": before, "right": right}


def peak() -> float:
    """Peak memory of this process so far, in GB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kilobytes / (1e9 if sys.platform == "darwin" else 1e6)


def in_process(rows: int, what: str) -> dict[str, float]:
    """`measure` in a fresh process."""
    command = [sys.executable, "-W", "ignore", __file__, "--one", what, "--rows", str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{what}, {rows:,} rows: {found}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    """Measure each size and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="10000,100000,300000")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--one", choices=["fit", "peer"], default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(int(given.rows), given.one)))
        return
    table = [["detections", "", "fit, s", "processor, s", "s per 10,000", "peak, GB", "of it data",
              "right", "peer, s", "processor, s", "peer peak", "ratio"]]
    for rows in [int(r) for r in given.rows.split(",")]:
        fit = in_process(rows, "fit")
        cells = [f"{rows:,}", "", f"{fit['seconds']:.1f}", f"{fit['cpu']:.1f}",
                 f"{fit['seconds'] / rows * 1e4:.2f}",
                 f"{fit['peak']:.2f}", f"{fit['data']:.2f}", f"{100 * fit['right']:.1f} %"]
        if given.no_peer:
            cells += ["", "", "", ""]
        else:
            peer = in_process(rows, "peer")
            cells += [f"{peer['seconds']:.1f}", f"{peer['cpu']:.1f}", f"{peer['peak']:.2f}",
                      f"{fit['seconds'] / peer['seconds']:.2f}"]
        table.append(cells)
        print("\n".join(align(table)[-1:] if len(table) > 2 else align(table)), flush=True)


if __name__ == "__main__":
    main()
