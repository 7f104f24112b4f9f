"""Draw the picture of the first page: residual layers are Euler steps, and many of them make a flow.

    python assets/draw_home.py      # writes assets/home.svg

Three panels show the same field, dy/dt = f(y), and the same four starting points: crossed in 3 steps of
Euler's method (a residual network of 3 layers), in 10 steps, and by the exact flow (the limit). Lines and
texts are drawn in `currentColor`, for which the page puts its theme's text colour.
"""

from pathlib import Path

import numpy as np

FIELD = np.array([[-0.35, -2.0], [2.0, -0.35]])  # a spiral sink: dy/dt = A y, exact flow exp(A t) y0
STARTS = 0.64 * np.array([[1.0, 0.05], [0.86, 0.3], [0.1, 0.98], [-0.95, 0.2]])
COLOURS = ("#7c6cf0", "#e4572e", "#149174", "#d19a1c")
T_END = 1.25
WIDTH, HEIGHT, GAP, TOP, SCALE = 300.0, 236.0, 30.0, 42.0, 100.0
CAPTIONS = (
    ("ResNet, 3 layers", "y ← y + f(y)·T/3"),
    ("ResNet, 10 layers", "y ← y + f(y)·T/10"),
    ("Neural ODE", "dy/dt = f(y)"),
)


def euler_path(y0: np.ndarray, n_steps: int) -> np.ndarray:
    """Step Euler's method from y0 (2,) to T_END: the points (n_steps + 1, 2)."""
    points = [y0]
    for _ in range(n_steps):
        points.append(points[-1] + (T_END / n_steps) * FIELD @ points[-1])
    return np.array(points)


def exact_path(y0: np.ndarray, n_points: int = 60) -> np.ndarray:
    """Follow the exact flow from y0 (2,) to T_END: the points (n_points, 2)."""
    t = np.linspace(0.0, T_END, n_points)
    decay, angle = np.exp(FIELD[0, 0] * t), FIELD[1, 0] * t
    x = decay * (np.cos(angle) * y0[0] - np.sin(angle) * y0[1])
    y = decay * (np.sin(angle) * y0[0] + np.cos(angle) * y0[1])
    return np.stack([x, y], axis=1)


def pixels(points: np.ndarray, panel: int) -> np.ndarray:
    """Map points (n, 2) of the plane to the picture's coordinates in one panel."""
    centre = np.array([panel * (WIDTH + GAP) + WIDTH / 2, TOP + HEIGHT / 2])
    return centre + SCALE * np.asarray(points) * np.array([1.0, -1.0])


def field_marks(panel: int) -> str:
    """Draw the direction field as short faint strokes."""
    strokes = []
    for x in np.linspace(-1.32, 1.32, 12):
        for y in np.linspace(-0.96, 0.96, 9):
            point = np.array([x, y])
            slope = FIELD @ point
            half = 0.055 * slope / max(float(np.hypot(*slope)), 1e-9)
            (x1, y1), (x2, y2) = pixels(np.array([point - half, point + half]), panel)
            strokes.append(f"M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}")
    return f'<path d="{"".join(strokes)}" stroke="currentColor" stroke-opacity="0.22" stroke-width="1.3"/>'


def path_marks(points: np.ndarray, panel: int, colour: str, dots: bool) -> str:
    """Draw one path with an arrow head, with a dot at every step where there are steps."""
    xy = pixels(points, panel)
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in xy)
    style = f'fill="none" stroke="{colour}" stroke-width="2.6" stroke-linejoin="round"'
    marks = [f'<polyline points="{line}" {style}/>']
    shown = xy if dots else xy[[0]]
    marks += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}"/>' for x, y in shown]
    back = xy[-2] - xy[-1]
    back = back / np.hypot(*back) * 11
    side = np.array([-back[1], back[0]]) * 0.5
    head = np.array([xy[-1] - 0.3 * back, xy[-1] + back + side, xy[-1] + back - side])
    marks.append(f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in head)}" fill="{colour}"/>')
    return "\n".join(marks)


def draw() -> str:
    """Draw all three panels as one SVG text."""
    width, height = 3 * WIDTH + 2 * GAP, TOP + HEIGHT + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="100%" '
        'role="img" font-family="sans-serif" '
        'aria-label="One field crossed in 3 steps, in 10, and by its flow">'
    ]
    for panel, (title, rule) in enumerate(CAPTIONS):
        x = panel * (WIDTH + GAP)
        parts.append(
            f'<text x="{x + WIDTH / 2:g}" y="26" text-anchor="middle" font-size="19" font-weight="650" '
            f'fill="currentColor">{title}</text>'
        )
        parts.append(
            f'<rect x="{x + 1:g}" y="{TOP:g}" width="{WIDTH - 2:g}" height="{HEIGHT:g}" rx="12" '
            'fill="currentColor" fill-opacity="0.03" stroke="currentColor" stroke-opacity="0.18"/>'
        )
        parts.append(field_marks(panel))
        for y0, colour in zip(STARTS, COLOURS, strict=True):
            points = exact_path(y0) if panel == 2 else euler_path(y0, (3, 10)[panel])
            parts.append(path_marks(points, panel, colour, dots=panel < 2))
        parts.append(
            f'<text x="{x + WIDTH / 2:g}" y="{TOP + HEIGHT + 25:g}" text-anchor="middle" font-size="17" '
            f'fill="currentColor" fill-opacity="0.75">{rule}</text>'
        )
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    Path(__file__).with_name("home.svg").write_text(draw(), encoding="utf-8")
