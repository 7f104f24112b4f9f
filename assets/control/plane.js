// The phase plane: where the closed loop leads from every point, from which starts it arrives, and where the plant is now.

import { rgb } from "../theme.js";
import { Sheet } from "../sheet.js";
import { wrapped } from "./plants.js";

const [COLUMNS, ROWS] = [19, 13]; // arrows
const [LEFT, BOTTOM, TOP, RIGHT] = [34, 30, 22, 8]; // pixels of the frame
const FAINT = 0.62; // of the basin's strongest colour
const STEP = 0.02; // s of a trial's steps
const [WIDE, HIGH] = [41, 31]; // starts of a basin that is computed here
const NEVER = 0; // of a basin: the plant does not arrive; 255: it is there at once

export class Plane {
  constructor() {
    this.ground = new Sheet();
    this.at = [0, 0];
  }

  /** The plant, and the box in pixels. */
  configure(plant, { x, y, width, height }, scale) {
    const [i, j] = plant.plane;
    Object.assign(this, { plant, i, j, x, y, width, height, scale });
    [this.left, this.right] = [x + LEFT * scale, x + width - RIGHT];
    [this.top, this.bottom] = [y + TOP * scale, y + height - BOTTOM * scale];
    [[this.xmin, this.xmax], [this.ymin, this.ymax]] = plant.view;
    if (plant.equal) this.equalise();
  }

  /** Equal scales, for what is a place. */
  equalise() {
    const scale = Math.min((this.right - this.left) / (this.xmax - this.xmin), (this.bottom - this.top) / (this.ymax - this.ymin));
    const [w, h] = [scale * (this.xmax - this.xmin), scale * (this.ymax - this.ymin)];
    const [cx, cy] = [(this.left + this.right) / 2, (this.top + this.bottom) / 2];
    Object.assign(this, { left: cx - w / 2, right: cx + w / 2, top: cy - h / 2, bottom: cy + h / 2 });
  }

  /** Pixels of a point of the plane, into `at`. */
  toScreen(a, b, at = this.at) {
    at[0] = this.left + ((a - this.xmin) / (this.xmax - this.xmin)) * (this.right - this.left);
    at[1] = this.bottom - ((b - this.ymin) / (this.ymax - this.ymin)) * (this.bottom - this.top);
    return at;
  }

  toData(x, y) {
    return [
      this.xmin + ((x - this.left) / (this.right - this.left)) * (this.xmax - this.xmin),
      this.ymin + ((this.bottom - y) / (this.bottom - this.top)) * (this.ymax - this.ymin),
    ];
  }

  /** The same, but nothing outside of the frame. */
  within(x, y) {
    return this.toData(Math.min(this.right, Math.max(this.left, x)), Math.min(this.bottom, Math.max(this.top, y)));
  }

  contains(x, y) {
    return x >= this.left && x <= this.right && y >= this.top && y <= this.bottom;
  }

  /** A state's place in the plane, an angle within one turn. */
  place(x) {
    const { states } = this.plant;
    return [this.i, this.j].map((k) => (states[k].angle ? wrapped(x[k]) : x[k]));
  }

  draw(context, world, basin, theme, width, height) {
    const key = [world.version, theme.key, basin?.stamp, this.x, this.y, this.width, this.height, this.plant.key, this.plant.limits].join("|");
    this.ground.draw(context, key, width, height, (sheet) => {
      if (basin) this.drawBasin(sheet, basin, theme);
      this.drawFrame(sheet, theme, basin);
      this.drawField(sheet, world, theme);
    });
    this.drawTrail(context, world, theme);
  }

  drawBasin(context, basin, theme) {
    const [h, w] = basin.shape;
    const picture = new OffscreenCanvas(w, h);
    const own = picture.getContext("2d");
    const image = own.createImageData(w, h);
    const colour = rgb(theme.classes[2] ?? theme.primary);
    for (let row = 0; row < h; row++) {
      for (let column = 0; column < w; column++) {
        const value = basin.data[row * w + column];
        const to = 4 * ((h - 1 - row) * w + column);
        image.data.set(colour, to);
        image.data[to + 3] = value === NEVER ? 0 : FAINT * (0.2 * 255 + 0.8 * value);
      }
    }
    own.putImageData(image, 0, 0);
    const [dx, dy] = [(this.right - this.left) / (w - 1), (this.bottom - this.top) / (h - 1)];
    context.save();
    context.beginPath();
    context.rect(this.left, this.top, this.right - this.left, this.bottom - this.top);
    context.clip();
    context.drawImage(picture, this.left - dx / 2, this.top - dy / 2, w * dx, h * dy);
    context.restore();
  }

  drawFrame(context, theme, basin) {
    const { states } = this.plant;
    const { left, right, top, bottom, scale } = this;
    context.strokeStyle = context.fillStyle = theme.text;
    context.lineWidth = 1;
    context.globalAlpha = 0.25;
    context.strokeRect(left, top, right - left, bottom - top);
    context.globalAlpha = 0.7;
    context.font = `${Math.round(11 * scale)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const [value, text] of marks(this.xmin, this.xmax, states[this.i].angle)) {
      context.fillText(text, this.toScreen(value, this.ymin)[0], bottom + 3);
    }
    context.fillText(name(states[this.i]), (left + right) / 2, bottom + 15 * scale);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const [value, text] of marks(this.ymin, this.ymax, states[this.j].angle)) {
      context.fillText(text, left - 4, this.toScreen(this.xmin, value)[1]);
    }
    context.textAlign = "left";
    context.textBaseline = "bottom";
    context.fillText(name(states[this.j]), left, top - 4);
    const taken = context.measureText(name(states[this.j])).width;
    if (basin) {
      context.textAlign = "right";
      context.fillStyle = theme.classes[2] ?? theme.primary;
      context.globalAlpha = 1;
      const room = right - left - taken - 10;
      const said = ["shaded: it arrives from here", "shaded: arrives"].find((text) => context.measureText(text).width < room);
      if (said) context.fillText(said, right, top - 4);
    }
    context.globalAlpha = 1;
  }

  /** Arrows of the loop that is driven now; what the plane does not show is at its target. */
  drawField(context, world, theme) {
    const { twin } = world;
    if (!twin) return;
    const x = Float64Array.from(this.plant.states, ({ target }) => target);
    const rate = new Float64Array(x.length);
    const [cx, cy] = [(this.right - this.left) / COLUMNS, (this.bottom - this.top) / ROWS];
    const [sx, sy] = [(this.right - this.left) / (this.xmax - this.xmin), (this.bottom - this.top) / (this.ymax - this.ymin)];
    const push = twin.push;
    twin.push = new Float64Array(x.length);
    context.strokeStyle = theme.text;
    context.globalAlpha = 0.4;
    context.lineWidth = 1.1;
    context.beginPath();
    for (let row = 0; row < ROWS; row++) {
      for (let column = 0; column < COLUMNS; column++) {
        const [px, py] = [this.left + (column + 0.5) * cx, this.top + (row + 0.5) * cy];
        [x[this.i], x[this.j]] = this.toData(px, py);
        twin.evaluate(0, x, rate);
        const [vx, vy] = [rate[this.i] * sx, -rate[this.j] * sy];
        const size = Math.hypot(vx, vy);
        if (!(size > 0)) continue;
        const length = (0.42 * Math.min(cx, cy) * Math.min(1, 0.3 + size / 400)) / size;
        const [ux, uy] = [vx * length, vy * length];
        context.moveTo(px - ux, py - uy);
        context.lineTo(px + ux, py + uy);
        context.lineTo(px + 0.4 * ux - 0.35 * uy, py + 0.4 * uy + 0.35 * ux);
        context.moveTo(px + ux, py + uy);
        context.lineTo(px + 0.4 * ux + 0.35 * uy, py + 0.4 * uy - 0.35 * ux);
      }
    }
    context.stroke();
    context.globalAlpha = 1;
    twin.push = push;
  }

  drawTrail(context, world, theme) {
    const { trail, x } = world;
    if (!x) return;
    context.save();
    context.beginPath();
    context.rect(this.left, this.top, this.right - this.left, this.bottom - this.top);
    context.clip();
    context.strokeStyle = theme.primary;
    context.lineWidth = 2.2;
    context.lineJoin = "round";
    let before = null;
    context.beginPath();
    for (const state of [...trail, x]) {
      const place = this.place(state);
      const leaps = before && [this.i, this.j].some((k, d) => this.plant.states[k].angle && Math.abs(place[d] - before[d]) > Math.PI);
      const [px, py] = this.toScreen(...place);
      if (before && !leaps) context.lineTo(px, py);
      else context.moveTo(px, py);
      before = place;
    }
    context.globalAlpha = 0.85;
    context.stroke();
    context.globalAlpha = 1;
    const target = [this.i, this.j].map((k) => this.plant.states[k].target);
    ring(context, this.toScreen(...target), 6 * this.scale, theme.text);
    const [px, py] = this.toScreen(...before);
    context.beginPath();
    context.arc(px, py, 5 * this.scale, 0, 2 * Math.PI);
    context.fillStyle = theme.primary;
    context.fill();
    context.strokeStyle = theme.background;
    context.lineWidth = 1.5;
    context.stroke();
    context.restore();
  }
}

/** The basin of a loop that no run has computed: a row of starts at a time, so that the picture goes on. */
export class Basin {
  constructor(twin, plant, arrived) {
    Object.assign(this, { twin, plant, arrived, row: 0, shape: [HIGH, WIDE], stamp: 0 });
    this.data = new Uint8Array(HIGH * WIDE).fill(NEVER);
  }

  get done() {
    return this.row >= HIGH;
  }

  /** Compute for about `milliseconds`. */
  advance(milliseconds) {
    const end = performance.now() + milliseconds;
    while (!this.done && performance.now() < end) {
      this.column ??= 0;
      this.data[this.row * WIDE + this.column] = this.trial(this.row, this.column);
      this.column += 1;
      if (this.column === WIDE) {
        this.column = 0;
        this.row += 1;
        this.stamp += 1;
      }
    }
  }

  /** As a run's own basin is (node_core/training/control/picture.py): 255 (1 - t / judged), t the time to the target. */
  trial(row, column) {
    const { plant, twin } = this;
    const [i, j] = plant.plane;
    const [[xmin, xmax], [ymin, ymax]] = plant.view;
    const x = Float64Array.from(plant.states, ({ target }) => target);
    x[i] = xmin + ((xmax - xmin) * column) / (WIDE - 1);
    x[j] = ymin + ((ymax - ymin) * row) / (HIGH - 1);
    let since = null;
    const steps = Math.round(plant.judged / STEP);
    for (let n = 0; n < steps; n++) {
      twin.step(x, STEP);
      if (!this.arrived(x, plant)) since = null;
      else since ??= n * STEP;
    }
    return since === null || since > plant.judged - 1 ? NEVER : Math.max(1, Math.round(255 * (1 - since / plant.judged)));
  }
}

const name = ({ label, unit }) => (unit ? `${label} (${unit})` : label);

/** [value, text] of an axis: a few round numbers, or parts of pi. */
function marks(low, high, angle) {
  if (angle) return [[-Math.PI, "−π"], [-Math.PI / 2, "−π/2"], [0, "0"], [Math.PI / 2, "π/2"], [Math.PI, "π"]].filter(([v]) => v >= low - 1e-9 && v <= high + 1e-9);
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= rough);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    out.push([k * step, String(Number((k * step).toPrecision(3))).replace("-", "−")]);
  }
  return out;
}

/** A ring round the target. */
export function ring(context, [x, y], r, colour) {
  context.beginPath();
  context.arc(x, y, r, 0, 2 * Math.PI);
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.stroke();
}
