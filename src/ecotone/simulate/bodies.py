"""From a body plan and a pose to chains of spheres, which the renderer turns into a picture.

One unit is the height of the shoulder; x forwards, y up, the ground is y = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecotone.simulate.anatomy import Shape

FAR, CORE, FRONT = 0, 1, 2  # layers: behind the body, the body, before it


@dataclass(frozen=True, eq=False)
class Chain:
    """A part of the body: spheres along a curve. points: (m, 2); radii: (m,)."""

    part: str
    points: np.ndarray
    radii: np.ndarray
    layer: int = CORE
    depth: float = 0.0  # towards the viewer
    flat: float = 1.0  # < 1: thinner than round, such as ears


@dataclass(frozen=True)
class Pose:
    """stride: phase of the step in 0..1. head: 0 down at the ground, 1 up. step: length of stride.
    tail: swing in degrees. turn: width of the side view, 1 from the side, less when turned away.
    male: horns and mane are drawn."""

    stride: float = 0.0
    head: float = 1.0
    step: float = 0.3
    tail: float = 0.0
    turn: float = 1.0
    male: bool = True


def build(shape: Shape, pose: Pose) -> list[Chain]:
    """The chains of a body in a pose."""
    plans = {"quadruped": _quadruped, "bird": _bird, "person": _person}
    chains = plans[shape.plan](shape, pose)
    squeeze = np.array([pose.turn, 1.0])
    return [
        Chain(c.part, c.points * squeeze, c.radii, c.layer, c.depth, c.flat) for c in chains
    ]


def _curve(points: list[tuple[float, float]], radii: list[float]
           ) -> tuple[np.ndarray, np.ndarray]:
    """A smooth curve (Catmull-Rom) through points, with radii between theirs.

    The spheres stand so close that thin parts do not look like strings of beads.
    """
    p = np.array([(*point, radius) for point, radius in zip(points, radii, strict=True)])
    length = np.linalg.norm(np.diff(p[:, :2], axis=0), axis=1).sum()
    count = int(np.clip(2.2 * length / max(float(np.mean(radii)) * 0.6, 0.008), 10, 70))
    p = np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, len(p) - 3 - 1e-9, count)
    i = t.astype(int)
    s = (t - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    q = 0.5 * (2 * b + (c - a) * s + (2 * a - 5 * b + 4 * c - d) * s**2
               + (3 * b - a - 3 * c + d) * s**3)
    return q[:, :2], np.maximum(q[:, 2], 1e-3)


def _ray(start: np.ndarray, angle: float, length: float) -> np.ndarray:
    rad = np.deg2rad(angle)
    return start + length * np.array([np.cos(rad), np.sin(rad)])


def _chain(part: str, points: list[np.ndarray], radii: list[float], layer: int = CORE,
           depth: float = 0.0, flat: float = 1.0) -> Chain:
    q, r = _curve([tuple(p) for p in points], radii)
    return Chain(part, q, r, layer, depth, flat)


def _quadruped(s: Shape, pose: Pose) -> list[Chain]:
    hip = np.array([-s.length / 2, s.rump_height - s.rump])
    shoulder = np.array([s.length / 2, 1 - s.chest])
    back = (s.rump_height + 1) / 2 - 0.025  # the back sags a little
    loin = np.array([-0.17 * s.length, back - s.waist * 0.98])
    ribs = np.array([0.2 * s.length, back - 0.5 * (s.waist + s.chest) - 0.005])
    radii = [s.rump * 0.96, s.waist, (s.waist + s.chest) / 2, s.chest]
    chains = [_chain("body", [hip, loin, ribs, shoulder], radii)]
    if s.hump:
        chains.append(_chain("body", [shoulder + [-0.22, 0.1], shoulder + [0.02, s.chest * 0.75],
                                      shoulder + [0.2, 0.1]], [s.hump * 0.7, s.hump, s.hump * 0.7]))
    chains += _legs(s, pose, hip, shoulder)
    chains += _tail(s, pose, hip)
    return chains + _neck_and_head(s, pose, shoulder)


def _legs(s: Shape, pose: Pose, hip: np.ndarray, shoulder: np.ndarray) -> list[Chain]:
    chains = []
    for far, phase in ((True, 0.5), (False, 0.0)):
        layer = FAR if far else CORE
        shift = 0.05 if far else 0.0
        swing = np.sin(2 * np.pi * (pose.stride + phase)) * pose.step * 0.5
        for front in (True, False):
            root = shoulder if front else hip
            move = swing if front else -swing
            top = root + [(-0.04 if front else 0.03) - shift, -0.02 if front else 0.01]
            lift = max(0.0, np.cos(2 * np.pi * (pose.stride + phase) + (0 if front else np.pi)))
            foot = np.array([top[0] + move + (0.01 if front else -0.06), s.foot * 0.75 +
                             0.09 * lift * pose.step])
            bend = (0.022 if front else -0.03) * (1 + lift * pose.step)
            knee = np.array([(top[0] + foot[0]) / 2 + bend, top[1] * 0.52 + 0.02])
            hock = knee * 0.4 + foot * 0.6 + [0.008 if front else -0.03, 0]
            wide = s.thigh * (1.05 if front else 1.5)
            paw = foot + [s.foot * 0.75, -s.foot * 0.05]
            chains.append(_chain(
                "leg", [top, top * 0.6 + knee * 0.4, knee, hock, foot, paw],
                [wide, wide * 0.72, s.foot * 1.25 + wide * 0.1, s.foot * 1.05, s.foot * 0.9,
                 s.foot * 0.82], layer, -0.1 if far else 0.02))
    return chains


def _tail(s: Shape, pose: Pose, hip: np.ndarray) -> list[Chain]:
    if s.tail <= 0:
        return []
    root = hip + [-s.rump * 0.82, s.rump * 0.5]
    angle = 180 - s.tail_up + pose.tail
    first = _ray(root, angle, s.tail * 0.35)
    end = _ray(first, angle + 0.45 * (270 - angle), s.tail * 0.65)
    tip = s.tuft if s.tuft else s.tail_radius * 0.6
    radii = [s.tail_radius * 1.25, s.tail_radius, s.tail_radius * (1 if not s.tuft else 0.7), tip]
    return [_chain("tail", [root, first, first * 0.4 + end * 0.6, end], radii, FAR, -0.02)]


def _neck_and_head(s: Shape, pose: Pose, shoulder: np.ndarray) -> list[Chain]:
    low = -38 if s.neck > 0.35 else -25
    angle = low + (s.neck_up - low) * pose.head
    root = shoulder + [s.chest * 0.35, s.chest * 0.3]
    middle = _ray(root, angle * 0.8 + 6, s.neck * 0.5)
    end = _ray(middle, angle, s.neck * 0.5)
    thick, thin = s.neck_radii
    chains = [_chain("neck", [root - [s.chest * 0.3, 0.02], root, middle, end],
                     [thick * 1.3, thick * 1.1, (thick + thin) / 2, thin * 1.05], depth=0.01)]
    if s.mane and (pose.male or s.mane < 0.2):
        up = np.array([-np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))])
        back = [root + up * thick * 0.75, middle + up * (thick + thin) * 0.42, end + up * thin]
        if s.mane >= 0.2:  # around the whole neck, as a lion's
            back = [root, middle * 0.7 + end * 0.3]
        radii = [s.mane * 0.8, s.mane, s.mane * 0.8][: len(back)]
        chains.append(_chain("mane", back, radii,
                             CORE if s.mane < 0.2 else FRONT, 0.03))
    if s.beard:
        chains.append(_chain("mane", [middle - [0, thin], end - [-0.05, thin + s.beard]],
                             [s.beard * 0.6, s.beard], depth=0.01))
    tilt = angle * 0.25 - s.head_down - (1 - pose.head) * 28
    return chains + _head(s, pose, end, tilt)


def _head(s: Shape, pose: Pose, skull: np.ndarray, tilt: float) -> list[Chain]:
    brow = _ray(skull, tilt, s.head * 0.4)
    nose = _ray(skull, tilt - 3, s.head)
    up = np.array([-np.sin(np.deg2rad(tilt)), np.cos(np.deg2rad(tilt))])
    along = np.array([np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))])
    chains = [_chain("head", [skull, brow, nose],
                     [s.skull, s.skull * 0.55 + s.muzzle * 0.5, s.muzzle], depth=0.05)]
    base = skull + up * s.skull * 0.7 - along * s.skull * 0.3
    if s.ear:
        for far in (True, False):
            angle = tilt + s.ear_angle + (-16 if far else 8)
            tip = _ray(base, angle, s.ear)
            chains.append(_chain(
                "ear", [base, base * 0.5 + tip * 0.5, tip],
                [s.ear_width * 0.6, s.ear_width, s.ear_width * 0.35],
                FAR if far else FRONT, 0.1, 0.35))
    if s.trunk:
        down = [nose, _ray(nose, -62, s.trunk * 0.3), _ray(nose, -83, s.trunk * 0.7),
                _ray(nose, -84 + 14 * pose.tail / 10, s.trunk) + [0.03, 0]]
        chains.append(_chain("trunk", down, [s.muzzle, s.muzzle * 0.8, s.muzzle * 0.6,
                                             s.muzzle * 0.42], depth=0.06))
    if s.tusks:
        root = _ray(skull, tilt - 12, s.head * 0.82) - up * s.muzzle * 0.5
        chains.append(_chain("tusk", [root, _ray(root, -40, s.tusks * 0.5),
                                      _ray(root, -5, s.tusks)], [0.022, 0.02, 0.008], FRONT, 0.2))
    if s.horns and (pose.male or s.horns in ("hook", "ossicone", "nose")):
        chains += _horns(s, skull, base, tilt, nose)
    eye = skull + along * s.head * 0.22 + up * s.skull * 0.3
    chains.append(Chain("eye", eye[None], np.array([max(0.1 * s.skull, 0.011)]), FRONT, 0.3))
    chains.append(Chain("nose", (nose + along * s.muzzle * 0.6)[None],
                        np.array([s.muzzle * 0.5]), FRONT, 0.2))
    return chains


# Each kind of horn: points as (along the head, up from it) in lengths of the horn, and its radius.
HORNS: dict[str, tuple[list[tuple[float, float]], float]] = {
    "lyre": ([(0, 0), (-0.28, 0.3), (-0.42, 0.62), (-0.2, 0.85), (-0.18, 1.05)], 0.02),
    "spiral": ([(0, 0), (-0.2, 0.2), (-0.05, 0.42), (-0.3, 0.6), (-0.14, 0.8), (-0.34, 1.05)],
               0.026),
    "straight": ([(0, 0), (-0.25, 0.5), (-0.4, 1.0)], 0.018),
    "hook": ([(0.1, -0.1), (0.0, -0.32), (0.28, -0.35), (0.46, 0.05), (0.3, 0.35)], 0.05),
    "ossicone": ([(0, 0), (-0.1, 0.5), (-0.12, 1.0)], 0.022),
    "curl": ([(0, 0), (-0.3, 0.45), (-0.75, 0.3), (-0.7, -0.25), (-0.3, -0.35)], 0.05),
    "antler": ([(0, 0), (-0.25, 0.3), (-0.35, 0.65), (-0.1, 1.0)], 0.017),
}


def _horns(s: Shape, skull: np.ndarray, base: np.ndarray, tilt: float, nose: np.ndarray
           ) -> list[Chain]:
    rad = np.deg2rad(tilt)
    frame = np.array([[np.cos(rad), np.sin(rad)], [-np.sin(rad), np.cos(rad)]])
    if s.horns == "nose":
        root = nose * 0.85 + skull * 0.15
        tip = root + np.array([0.1, 1.0]) * s.horn @ frame
        return [_chain("horn", [root, root * 0.4 + tip * 0.6 + [0.02, 0], tip],
                       [0.06, 0.04, 0.008], FRONT, 0.1)]
    points, radius = HORNS[s.horns]
    root = base + np.array([0.6 * s.skull, 0.0]) @ frame
    chains = []
    for far in (True, False):
        shift = np.array([0.05 * s.horn, 0.02]) if far else np.zeros(2)
        curve = [root + shift + np.array(p) * s.horn @ frame for p in points]
        radii = list(np.linspace(radius, radius * 0.35, len(curve)))
        layer = FAR if far else FRONT
        chains.append(_chain("horn", curve, radii, layer, 0.08))
        if s.horns == "antler":
            for i, length in ((1, 0.35), (2, 0.3)):
                tine = _ray(curve[i], tilt + 70, length * s.horn)
                chains.append(_chain("horn", [curve[i], tine], [radius * 0.8, radius * 0.35], layer,
                                     0.08))
    return chains


def _bird(s: Shape, pose: Pose) -> list[Chain]:
    """length: of the trunk; legs reach from the ground to the belly at 1 - 2 chest - neck."""
    belly = 1 - s.neck - 2 * s.chest
    body = np.array([0.0, belly + s.chest])
    chains = [_chain("body", [body + [-s.length * 0.5, 0.04], body, body + [s.length * 0.38, 0.03]],
                     [s.rump, s.chest, s.waist])]
    for far in (True, False):
        phase = pose.stride + (0.5 if far else 0)
        move = np.sin(2 * np.pi * phase) * pose.step * 0.35
        hip = body + [0.0, -s.chest * 0.7]
        foot = np.array([hip[0] + move + 0.03, s.foot])
        knee = (hip + foot) / 2 + [-0.05, 0.02]
        chains.append(_chain("leg", [hip, knee, foot, foot + [0.09, -s.foot * 0.2]],
                             [s.thigh, s.foot * 1.2, s.foot, s.foot * 0.8],
                             FAR if far else CORE, -0.1))
    root = body + [-s.length * 0.5 - s.rump * 0.5, 0.05]
    chains.append(_chain("tail", [root, _ray(root, 180 - s.tail_up, s.tail)],
                         [s.tail_radius, s.tail_radius * 0.6], FAR, -0.02, 0.5))
    chains.append(_chain("wing", [body + [s.length * 0.2, 0.03], body + [-s.length * 0.15, 0.02],
                                  body + [-s.length * 0.55, -0.02]],
                         [s.chest * 0.55, s.chest * 0.7, s.chest * 0.3], CORE, 0.12, 0.5))
    low = -30.0
    angle = low + (s.neck_up - low) * pose.head
    start = body + [s.length * 0.4, s.chest * 0.45]
    end = _ray(start, angle, s.neck)
    bow = (start + end) / 2 + [0.03, -0.01]
    thick, thin = s.neck_radii
    chains.append(_chain("neck", [start, bow, end], [thick, (thick + thin) / 2, thin]))
    return chains + _head(s, pose, end, -s.head_down * 0.4 - (1 - pose.head) * 35)


def _person(s: Shape, pose: Pose) -> list[Chain]:
    hip, neck = np.array([0.0, 0.5]), np.array([0.03, 0.83])
    swing = np.sin(2 * np.pi * pose.stride) * pose.step
    chains = [_chain("body", [hip, (hip + neck) / 2, neck - [0, 0.05]],
                     [s.rump, s.waist, s.chest])]
    for far, sign in ((True, -1), (False, 1)):
        layer = FAR if far else CORE
        foot = np.array([sign * swing * 0.45, 0.03])
        knee = (hip + foot) / 2 + [0.04, 0.02]
        chains.append(_chain("leg", [hip, knee, foot, foot + [0.06, -0.01]],
                             [s.thigh, s.thigh * 0.75, s.foot, s.foot], layer, 0.0))
        hand = neck + [-sign * swing * 0.4 + 0.04, -0.36]
        elbow = (neck + hand) / 2 + [-0.04, 0]
        chains.append(_chain("arm", [neck - [0, 0.05], elbow, hand], [0.045, 0.036, 0.026],
                             FAR if far else FRONT, 0.1))
    if pose.male:
        chains.append(_chain("pack", [neck + [-0.1, -0.06], hip + [-0.1, 0.08]], [0.06, 0.075],
                             depth=-0.05))
    head = neck + [0.02, 0.105]
    chains.append(_chain("head", [neck, head - [0, 0.03], head], [0.03, 0.04, 0.058], depth=0.05))
    chains.append(_chain("hat", [head + [-0.05, 0.035], head + [0.06, 0.03]], [0.035, 0.025], FRONT,
                         0.1))
    return chains
