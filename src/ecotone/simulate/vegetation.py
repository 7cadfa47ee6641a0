"""Plants drawn with lines and blobs on a canvas twice as large, then made smaller.

A canvas is a Pillow RGBA picture; places are in its pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ecotone.simulate.anatomy import RGB

if TYPE_CHECKING:
    from PIL import Image

OVERSAMPLING = 2


class Canvas:
    """A clear canvas (height, width) to draw plants on, read back as colour and alpha."""

    def __init__(self, height: int, width: int) -> None:
        from PIL import Image, ImageDraw

        self.size = (width, height)
        big = (width * OVERSAMPLING, height * OVERSAMPLING)
        self.image: Image.Image = Image.new("RGBA", big, (0, 0, 0, 0))
        self.draw: Any = ImageDraw.Draw(self.image)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Colour (H, W, 3) times alpha, and alpha (H, W), float32 in 0..1."""
        # "RGBa" is premultiplied, so that averaging does not darken the edges.
        small = self.image.convert("RGBa").reduce(OVERSAMPLING)
        small = np.frombuffer(small.tobytes(), np.uint8).reshape(*self.size[::-1], 4)
        small = small.astype(np.float32) / 255
        return small[..., :3], small[..., 3]

    def line(self, points: np.ndarray, colour: RGB | np.ndarray, width: float) -> None:
        """A stroke through points (m, 2)."""
        flat = [tuple(p) for p in points * OVERSAMPLING]
        self.draw.line(flat, fill=_byte(colour), width=max(int(width * OVERSAMPLING), 1),
                       joint="curve")

    def blob(self, x: float, y: float, rx: float, ry: float, colour: RGB | np.ndarray) -> None:
        """An ellipse."""
        s = OVERSAMPLING
        self.draw.ellipse([(x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s],
                          fill=_byte(colour))

    def shape(self, points: np.ndarray, colour: RGB | np.ndarray) -> None:
        """A filled polygon through points (m, 2)."""
        self.draw.polygon([tuple(p) for p in points * OVERSAMPLING], fill=_byte(colour))


def _byte(colour: RGB | np.ndarray) -> tuple[int, int, int, int]:
    r, g, b = (min(max(int(float(c) * 255), 0), 255) for c in colour)
    return r, g, b, 255


def grass(canvas: Canvas, x: float, y: float, size: float, colour: RGB,
          rng: np.random.Generator) -> None:
    """A tuft of blades `size` pixels high."""
    base = np.array(colour)
    t = np.linspace(0, 1, 5)[:, None]
    for _ in range(int(rng.integers(9, 17))):
        length = size * rng.uniform(0.45, 1.1)
        lean = rng.normal(0, 0.38)
        root = np.array([x + rng.normal(0, size * 0.16), y + rng.uniform(0, size * 0.06)])
        bow = np.array([lean * 0.25, -0.62]) * length
        tip = np.array([lean, -1 + 0.35 * abs(lean)]) * length
        points = root + 2 * t * (1 - t) * bow + t * t * tip
        shade = base * rng.uniform(0.6, 1.18) + rng.normal(0, 0.012, 3)
        canvas.line(points, shade * 0.8, max(size * 0.028, 0.6))
        canvas.line(points[2:], shade * 1.08, max(size * 0.02, 0.5))


def bush(canvas: Canvas, x: float, y: float, size: float, colour: RGB,
         rng: np.random.Generator) -> None:
    """A round shrub `size` pixels high: twigs and many small leaves, lighter above."""
    for _ in range(7):
        end = np.array([x + rng.normal(0, size * 0.16), y - size * rng.uniform(0.3, 0.7)])
        canvas.line(np.array([[x, y], [(x + end[0]) / 2, y - size * 0.25], end]),
                    (0.2, 0.16, 0.12), max(size * 0.018, 0.6))
    fine = min(1.0, 45 / max(size, 1)) ** 0.5  # near shrubs show more and smaller leaves
    _leaves(canvas, x, y - size * 0.52, size * 0.55, size * 0.46, size * 0.05 * fine,
            int(430 / fine**2), colour, rng)


def _leaves(canvas: Canvas, x: float, y: float, rx: float, ry: float, leaf: float, count: int,
            colour: RGB, rng: np.random.Generator) -> None:
    """Leaves scattered in an ellipse in clumps; dark ones first, light ones above."""
    clumps = rng.normal(0, 0.45, (9, 2))
    spots = clumps[rng.integers(9, size=count)] + rng.normal(0, 0.28, (count, 2))
    spots = spots[(spots**2).sum(axis=1) < 1.1]
    order = np.argsort(-spots[:, 1] + rng.normal(0, 0.5, len(spots)))
    base = np.array(colour)
    for dx, dy in spots[order]:
        light = 0.72 - 0.34 * dy + rng.normal(0, 0.1)
        r = max(leaf * rng.uniform(0.5, 1.2), 0.5)
        canvas.blob(x + dx * rx, y + dy * ry, r, r * 0.7, base * light)


def acacia(canvas: Canvas, x: float, y: float, size: float, colour: RGB,
           rng: np.random.Generator) -> None:
    """An umbrella tree `size` pixels high: forked trunk and flat layers of leaves."""
    bark = (0.27, 0.21, 0.16)
    fork = np.array([x + rng.normal(0, size * 0.03), y - size * rng.uniform(0.3, 0.42)])
    canvas.line(np.array([[x, y], [x + rng.normal(0, size * 0.02), y - size * 0.2], fork]), bark,
                max(size * 0.045, 1))
    for lean in np.linspace(-0.42, 0.42, 5) + rng.normal(0, 0.05, 5):
        top = np.array([fork[0] + lean * size, y - size * rng.uniform(0.72, 0.88)])
        canvas.line(np.array([fork, fork * 0.4 + top * 0.6 + [lean * size * 0.1, 0], top]), bark,
                    max(size * 0.018, 0.7))
        _leaves(canvas, top[0], top[1], size * rng.uniform(0.17, 0.26), size * 0.062,
                size * 0.018, 150, colour, rng)


def broadleaf(canvas: Canvas, x: float, y: float, size: float, colour: RGB,
              rng: np.random.Generator) -> None:
    """A round tree `size` pixels high."""
    bark = (0.25, 0.2, 0.16)
    top = np.array([x + rng.normal(0, size * 0.03), y - size * 0.62])
    canvas.line(np.array([[x, y], (np.array([x, y]) + top) / 2, top]), bark, max(size * 0.05, 1))
    for _ in range(5):
        cx = x + rng.normal(0, size * 0.16)
        cy = y - size * rng.uniform(0.48, 0.86)
        canvas.line(np.array([[x, y - size * 0.35], [cx, cy]]), bark, max(size * 0.015, 0.6))
        _leaves(canvas, cx, cy, size * 0.2, size * 0.15, size * 0.02, 170, colour, rng)


def conifer(canvas: Canvas, x: float, y: float, size: float, colour: RGB,
            rng: np.random.Generator) -> None:
    """A fir `size` pixels high."""
    canvas.line(np.array([[x, y], [x, y - size]]), (0.22, 0.17, 0.14), max(size * 0.03, 1))
    base = np.array(colour)
    for level in np.linspace(0.12, 0.98, 15):
        wide = size * 0.24 * (1 - level) + size * 0.012
        height = y - size * level
        for side in (-1, 1):
            end = x + side * wide * rng.uniform(0.75, 1.1)
            points = np.array([[x, height - size * 0.05], [end, height + size * 0.03],
                               [x, height + size * 0.02]])
            canvas.shape(points, base * rng.uniform(0.6, 1.05))


def trunk(canvas: Canvas, x: float, y: float, size: float, colour: RGB,
          rng: np.random.Generator) -> None:
    """The stem of a near tree that leaves the picture at its top; size: its width in pixels."""
    base = np.array(colour)
    lean = rng.normal(0, 0.04) * y
    strips = np.linspace(-0.5, 0.5, 12)
    for left, right in zip(strips[:-1], strips[1:], strict=True):
        middle = (left + right) / 2
        light = 0.55 + 0.6 * np.sqrt(max(0.25 - (middle + 0.12) ** 2, 0)) + rng.normal(0, 0.06)
        foot = 1 + 0.5 * abs(middle)
        points = np.array([[x + left * size * foot, y + size * 0.1], [x + right * size * foot, y],
                           [x + right * size * 0.9 + lean, 0], [x + left * size * 0.9 + lean, 0]])
        canvas.shape(points, base * light)
    for _ in range(30):
        px, py = x + rng.uniform(-0.45, 0.45) * size, rng.uniform(0, y)
        px += lean * (1 - py / max(y, 1))
        crack = np.array([[px, py], [px + rng.normal(0, 1.5), py + size * rng.uniform(0.2, 0.6)]])
        canvas.line(crack, base * rng.uniform(0.3, 0.5), 1)


def rock(canvas: Canvas, x: float, y: float, size: float, colour: RGB,
         rng: np.random.Generator) -> None:
    """A boulder `size` pixels high, with a lit and a dark side."""
    base = np.array(colour)
    turn = np.linspace(np.pi, 0, 9)
    outline = np.stack([np.cos(turn) * rng.uniform(0.8, 1.25, 9), -np.sin(turn) ** 0.7 *
                        rng.uniform(0.75, 1.05, 9)], axis=1) * size + [x, y]
    canvas.shape(outline, base * 0.62)
    inner = outline * [0.82, 0.8] + np.array([x * 0.18 - size * 0.12, y * 0.2 - size * 0.1])
    canvas.shape(inner, base * 0.92)
    for _ in range(40):
        angle, r = rng.uniform(0, np.pi), rng.uniform(0, 0.85) * size
        canvas.blob(x + np.cos(angle) * r, y - np.sin(angle) * r * 0.8, size * 0.05, size * 0.03,
                    base * rng.uniform(0.55, 1.05))


PLANTS = {"grass": grass, "bush": bush, "acacia": acacia, "broadleaf": broadleaf,
          "conifer": conifer, "trunk": trunk, "rock": rock}
