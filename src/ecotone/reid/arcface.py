"""A linear head trained with sub-center ArcFace on frozen embeddings, in NumPy.

n pictures of C individuals, B of a batch, D embedding dimensions, d of the space, K sub-centres.

    z = l2((x - m) A),   cos_c = max_j <z, l2(w_cj)>,   j = 1..K
    logit_c = s cos_c,   but s phi for the true individual, with its margin m_c, theta = acos cos:
    phi = cos(theta + m_c)          if cos > cos(pi - m_c)
          cos - m_c sin(pi - m_c)   otherwise
    loss = mean cross-entropy of softmax(logit)

Sub-centres let one individual look different by flank, light or age; wider margins for individuals
with few pictures keep them from being crowded out. A starts as the closed-form whitening, so that
training refines what two pictures an individual already tell.
Sources: Deng et al. 2019, arXiv:1801.07698 (ArcFace); Deng et al. 2020 (sub-centres); Ha et al.
2020, arXiv:2010.05350 (dynamic margins); Otarashvili et al. 2024, arXiv:2412.05602, MiewID (values,
schedule); Kingma and Ba 2015, arXiv:1412.6980 (Adam). The start is our own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecotone.errors import InputError
from ecotone.fusion.features import content_keys
from ecotone.fusion.threads import one_blas_thread
from ecotone.reid.inputs import check_names, unit_matrix
from ecotone.reid.linear_heads import LinearHead, WhiteningHead, classes_of
from ecotone.reid.margins import HIGH, LOW, dynamic_margins

WARM_UP, DECAY = 15, 0.8  # epochs of linear growth; what is left of the rate each epoch after
LEAST = 1024  # pictures of an epoch; where there are fewer, each is drawn several times
TINY = 1e-12


@dataclass(frozen=True)
class Step:
    """One epoch: its learning rate, its mean training loss, top-1 of held-out individuals."""

    epoch: int
    rate: float
    loss: float
    top1: float


class SubCenterArcFace(LinearHead):
    """The trained head; a fitted one is a linear map, used like every `LinearHead`.

        head = SubCenterArcFace(random_state=0).fit(embeddings, individuals, viewpoints)
        matches = match(head.transform(queries), head.transform(gallery))

    dimensions: d. scale, sub_centres, low_margin, high_margin: s, K and the range of margins in
    radians; a flat margin where the two are equal. lr_start, lr_max, lr_min: the rate grows from
    the first to the second over 15 epochs and falls towards the third by a fifth an epoch. epochs,
    patience (epochs without a better top-1 on held-out individuals; None never stops early),
    batch_size. held_out: the part of individuals that training does not see, to choose the epoch;
    the head is then fitted to all of them for as many epochs (0 holds none out). noise: standard
    deviation of what is added to training pictures, as a part of their own spread. shrinkage: of
    the whitening that it starts from. random_state: seed.

    classes_: names of the individuals (or flanks), margins_: (C,), history_: a `Step` an epoch,
    best_epoch_: epochs trained (0: the start was best).
    """

    def __init__(
        self, dimensions: int = 256, *, scale: float = 49.3268, sub_centres: int = 2,
        low_margin: float = LOW, high_margin: float = HIGH, lr_start: float = 3.4e-6,
        lr_max: float = 1e-3, lr_min: float = 2e-6, epochs: int = 30, patience: int | None = 10,
        batch_size: int = 16, held_out: float = 0.2, noise: float = 0.5,
        shrinkage: float | str = "auto", random_state: int = 0,
    ) -> None:
        self.dimensions, self.scale, self.sub_centres = dimensions, scale, sub_centres
        self.low_margin, self.high_margin = low_margin, high_margin
        self.lr_start, self.lr_max, self.lr_min = lr_start, lr_max, lr_min
        self.epochs, self.patience, self.batch_size = epochs, patience, batch_size
        self.held_out, self.noise, self.shrinkage = held_out, noise, shrinkage
        self.random_state = random_state

    @one_blas_thread
    def fit(
        self, embeddings: np.ndarray, individuals: Sequence[object] | np.ndarray,
        viewpoints: Sequence[object] | np.ndarray | None = None,
    ) -> SubCenterArcFace:
        """embeddings (n, D), individuals n names, viewpoints n names or None.

        With viewpoints each flank of an individual is a class of its own. Individuals with one
        picture are trained against, and teach nothing about themselves. The order of rows changes
        nothing. Raises InputError for wrong shapes and values, with fewer than two individuals, and
        where none has two different pictures.
        """
        self._check()
        values = unit_matrix(embeddings, "embeddings")
        names, number = classes_of(individuals, viewpoints, len(values))
        sides = check_names(viewpoints, len(values), "viewpoints")
        if len(names) < 2:
            raise InputError(f"SubCenterArcFace: {len(names)} individuals, expected two or more.")
        order = np.lexsort((content_keys(values, self.random_state), number))
        values, number = values[order], number[order]
        who = np.array([name.split("\x1f")[0] for name in names[number]])
        groups = np.array(sides[order] if sides is not None else [""] * len(values), dtype=str)
        self.history_: tuple[Step, ...] = ()
        epochs = self._choose_epochs(values, number, who, groups)
        trained = self._train(values, number, epochs)
        self._keep(trained)
        self.best_epoch_, self.classes_ = epochs, names
        self.margins_, self.n_features_in_ = trained.margins, values.shape[1]
        return self

    def _check(self) -> None:
        whole = {"dimensions": 1, "sub_centres": 1, "epochs": 1, "batch_size": 2}
        for name, least in whole.items():
            value = getattr(self, name)
            if int(value) != value or value < least:
                raise InputError(f"{name}: {value}, expected a whole number from {least}.")
        for name in ("scale", "lr_start", "lr_max", "lr_min"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"{name}: {value}, expected a number above 0.")
        if not 0 <= self.held_out < 1 or not (np.isfinite(self.noise) and self.noise >= 0):
            raise InputError(f"held_out: {self.held_out}, noise: {self.noise}; expected a part in "
                             "0..1 (1 excluded) and a number from 0.")

    def _choose_epochs(
        self, values: np.ndarray, number: np.ndarray, who: np.ndarray, groups: np.ndarray
    ) -> int:
        """The epoch with the best top-1 on held-out individuals; all where none can be held out."""
        held = held_out_individuals(who, self.held_out, self.random_state)
        kept = ~held
        if not has_pairs(number[held]) or not has_pairs(number[kept]):
            return self.epochs
        labels, inside = np.unique(number[kept], return_inverse=True)
        if len(labels) < 2:
            return self.epochs
        trial = _Training(self, values[kept], inside)
        best, chosen, steps = self._top1(trial, values, who, groups, held), 0, []
        for epoch in range(self.epochs):
            loss = trial.epoch(epoch)
            top1 = self._top1(trial, values, who, groups, held)
            steps.append(Step(epoch + 1, learning_rate(self, epoch), loss, top1))
            if top1 > best:
                best, chosen = top1, epoch + 1
            if self.patience is not None and epoch + 1 - max(chosen, WARM_UP) >= self.patience:
                break
        self.history_ = tuple(steps)
        return chosen

    def _top1(
        self, trial: _Training, values: np.ndarray, who: np.ndarray, groups: np.ndarray,
        held: np.ndarray,
    ) -> float:
        space = trial.project(values[held])
        return nearest_is_own(space, who[held], groups[held])

    def _train(self, values: np.ndarray, number: np.ndarray, epochs: int) -> _Training:
        training = _Training(self, values, number)
        losses = [training.epoch(epoch) for epoch in range(epochs)]
        if not self.history_:
            self.history_ = tuple(Step(i + 1, learning_rate(self, i), loss, float("nan"))
                                  for i, loss in enumerate(losses))
        return training

    def _keep(self, trained: _Training) -> None:
        self.mean_ = trained.mean.astype(np.float32)
        self.projection_ = trained.parameters[0].copy()
        self.centres_ = trained.parameters[1].copy()


def learning_rate(head: SubCenterArcFace, epoch: int) -> float:
    """The rate of an epoch counted from 0: a linear rise, then a fall towards lr_min."""
    if epoch < WARM_UP:
        return head.lr_start + (head.lr_max - head.lr_start) * epoch / WARM_UP
    return (head.lr_max - head.lr_min) * DECAY ** (epoch - WARM_UP) + head.lr_min


def arcface_loss(
    features: np.ndarray, projection: np.ndarray, centres: np.ndarray, target: np.ndarray,
    margins: np.ndarray, scale: float,
) -> tuple[float, np.ndarray, np.ndarray]:
    """The loss of the top of the file, and its gradients by projection and centres.

    features: (B, D) centred pictures, projection: (D, d), centres: (C, K, d), target: (B,) class
    numbers, margins: (C,) radians.
    """
    rows = np.arange(len(target))
    space, length = _unit(features @ projection)
    flat, size = _unit(centres.reshape(-1, centres.shape[2]))
    every = (space @ flat.T).reshape(len(target), *centres.shape[:2])
    which = every.argmax(axis=2)
    cos = np.take_along_axis(every, which[:, :, None], axis=2)[:, :, 0]
    phi, slope = with_margin(cos[rows, target], margins[target])
    logits = cos.copy()
    logits[rows, target] = phi
    logits *= scale
    logits -= logits.max(axis=1, keepdims=True)
    share = np.exp(logits)
    total = share.sum(axis=1, keepdims=True)
    loss = float(np.mean(np.log(total[:, 0]) - logits[rows, target]))
    share /= total
    share[rows, target] -= 1.0
    share *= scale / len(target)
    share[rows, target] *= slope
    back = np.zeros_like(every)
    np.put_along_axis(back, which[:, :, None], share[:, :, None], axis=2)
    back = back.reshape(len(target), -1)
    by_space = _through_unit(back @ flat, space, length)
    by_centres = _through_unit(back.T @ space, flat, size)
    return loss, features.T @ by_space, by_centres.reshape(centres.shape)


def with_margin(cos: np.ndarray, margin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """phi of the top of the file, and its derivative by cos."""
    sine = np.sqrt(np.clip(1.0 - cos * cos, 1e-9, 1.0))
    turned = cos * np.cos(margin) - sine * np.sin(margin)
    slope = np.cos(margin) + cos / sine * np.sin(margin)
    inside = cos > np.cos(np.pi - margin)
    phi = np.where(inside, turned, cos - margin * np.sin(np.pi - margin))
    return phi, np.where(inside, slope, 1.0)


def _unit(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    length = np.maximum(np.sqrt(np.einsum("ij,ij->i", values, values)), TINY)[:, None]
    return values / length, length


def _through_unit(gradient: np.ndarray, unit: np.ndarray, length: np.ndarray) -> np.ndarray:
    along = np.einsum("ij,ij->i", gradient, unit)[:, None]
    return (gradient - along * unit) / length


def held_out_individuals(who: np.ndarray, part: float, seed: int) -> np.ndarray:
    """(n,) bool: pictures of individuals that are held out, by name and seed, never more than all
    but two of them."""
    names = np.unique(who)
    count = min(int(np.ceil(part * len(names))), max(len(names) - 2, 0))
    chosen = np.random.default_rng(seed).permutation(len(names))[:count]
    return np.isin(who, names[chosen])


def has_pairs(number: np.ndarray) -> bool:
    """Whether any class has two pictures."""
    return bool(len(number)) and int(np.unique(number, return_counts=True)[1].max()) > 1


def nearest_is_own(space: np.ndarray, who: np.ndarray, groups: np.ndarray) -> float:
    """Part of pictures, of individuals with two or more in their group, whose nearest other picture
    of the group is of their individual. Among equals a wrong one is nearer. NaN for none."""
    right, asked = 0, 0
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        similarity = np.round(space[rows] @ space[rows].T, 6)
        np.fill_diagonal(similarity, -2.0)
        same = who[rows][:, None] == who[rows][None, :]
        alone = same.sum(axis=1) < 2
        np.fill_diagonal(same, False)
        own = np.where(same, similarity, -2.0).max(axis=1)
        other = np.where(same, -2.0, similarity).max(axis=1)
        right += int((own > other)[~alone].sum())
        asked += int((~alone).sum())
    return right / asked if asked else float("nan")


class _Training:
    """Parameters, batches and Adam's moments; float32."""

    def __init__(self, head: SubCenterArcFace, values: np.ndarray, number: np.ndarray) -> None:
        self.head, self.number = head, number
        start = WhiteningHead(head.shrinkage).fit(values, [f"{i:012d}" for i in number])
        self.mean = start.mean_
        self.values = values - self.mean
        self.rng = np.random.default_rng(head.random_state)
        counts = np.bincount(number)
        self.margins = dynamic_margins(counts, head.low_margin, head.high_margin).astype(np.float32)
        self.spread = float(np.sqrt((self.values**2).mean()))
        self.parameters = [self._projection(start.projection_)]
        self.parameters.append(self._centres(len(counts)))
        self.moments = [(np.zeros_like(p), np.zeros_like(p)) for p in self.parameters]
        self.steps = 0

    def _projection(self, white: np.ndarray) -> np.ndarray:
        """The main axes of the whitened pictures, scaled so that rows have about length 1."""
        space = (self.values @ white).astype(np.float64)
        size, axes = np.linalg.eigh(space.T @ space)
        axes = axes[:, np.argsort(-size, kind="stable")][:, : self.head.dimensions]
        sign = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
        made = white @ (axes * np.where(sign == 0, 1.0, sign))
        length = float(np.sqrt(((self.values @ made) ** 2).sum(axis=1).mean()))
        return (made / max(length, TINY)).astype(np.float32)

    def _centres(self, count: int) -> np.ndarray:
        """Each class's mean direction, its sub-centres moved apart at random."""
        space = self.project(self.values + self.mean)
        width = space.shape[1]
        means = np.zeros((count, width), dtype=np.float32)
        np.add.at(means, self.number, space)
        means = _unit(means)[0][:, None, :]
        shape = (count, self.head.sub_centres, width)
        apart = self.rng.uniform(-1.0, 1.0, shape) / np.sqrt(width)
        return (means + 0.5 * apart).astype(np.float32)

    def project(self, values: np.ndarray) -> np.ndarray:
        """Unit rows of the space, of unit rows (n, D)."""
        return _unit((values - self.mean) @ self.parameters[0])[0]

    def epoch(self, epoch: int) -> float:
        """All pictures (see LEAST) in batches drawn by the seed; the mean loss."""
        passes = -(-LEAST // len(self.values))
        order = np.concatenate([self.rng.permutation(len(self.values)) for _ in range(passes)])
        size = min(self.head.batch_size, len(order))
        rate, losses = learning_rate(self.head, epoch), []
        for first in range(0, len(order) - 1, size):
            batch = order[first : first + size]
            pictures = self.values[batch]
            if self.head.noise:
                added = self.rng.standard_normal(pictures.shape, dtype=np.float32)
                pictures = pictures + np.float32(self.head.noise * self.spread) * added
            loss, *gradients = arcface_loss(pictures, *self.parameters, self.number[batch],
                                            self.margins, self.head.scale)
            self._adam(gradients, rate)
            losses.append(loss)
        return float(np.mean(losses))

    def _adam(self, gradients: list[np.ndarray], rate: float) -> None:
        self.steps += 1
        corrected = rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        for parameter, gradient, (first, second) in zip(
            self.parameters, gradients, self.moments, strict=True
        ):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient * gradient - second)
            parameter -= np.float32(corrected) * first / (np.sqrt(second) + 1e-8)


__all__ = ["Step", "SubCenterArcFace", "arcface_loss", "learning_rate"]
