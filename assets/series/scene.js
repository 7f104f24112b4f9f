// The picture of a series: what a model says of it over time, with its band, and how its state moves through a plane.

import { label, ticks } from "../axes.js";
import { mark } from "../marks.js";
import { attempts, counted } from "../steps.js";
import { layout, rangeOf, Scale } from "./layout.js";
import { Observations } from "./observations.js";
import { drawPlane, planeRanges } from "./plane.js";

const BLENDED = ["curve", "low", "high", "samples", "path", "path_samples"];
const [DATA_MARGIN, DOT, SMALL] = [0.3, 4.2, 3];
export const BASELINES = { linear: [2, 4], spline: [7, 3] }; // their dashes
const EMPTY = { arrays: {}, scalars: {} };

const column = ({ data, shape }, j) => {
  const dim = shape.at(-1);
  return Array.from({ length: data.length / dim }, (_, i) => data[i * dim + j]);
};

export class Scene {
  constructor() {
    this.observations = new Observations();
    this.layers = new Set();
    this.names = [];
    this.wantsData = false; // the data's own plane rather than the state's
    this.clear();
  }

  clear() {
    this.now = EMPTY;
    this.blended = {};
    this.before = {};
    this.blend = 1;
    this.ranges = null;
    this.observations.clear();
  }

  get dim() {
    return this.now.scalars.dim ?? 1;
  }

  /** What the planes show, first what is wanted first: "latent", "state", and "data" where there are two values. */
  get kinds() {
    const { phase } = this.now.scalars;
    const found = [...(phase ? [phase] : []), ...(this.dim > 1 && phase !== "data" ? ["data"] : [])];
    return this.wantsData ? found.reverse() : found;
  }

  take(snapshot, time) {
    const { series, shown } = this.now.scalars;
    const same = series === snapshot.scalars.series && shown === snapshot.scalars.shown;
    const gap = time - (this.arrived ?? -1e9);
    this.period = gap > 2000 ? 250 : Math.min(400, Math.max(30, gap));
    this.arrived = time;
    this.before = same ? this.blended : {};
    this.blended = {};
    this.blend = same ? 0 : 1;
    this.now = snapshot;
    if (!same) {
      this.observations.clear();
      this.ranges = null;
    }
    this.observations.take(snapshot, time);
    this.mix();
    this.measure();
  }

  /** Bring the curves to `time` (ms); true while they glide. */
  advance(time) {
    if (this.blend >= 1) return false;
    this.blend = Math.min(1, (time - this.arrived) / this.period);
    this.mix();
    return true;
  }

  mix() {
    for (const name of BLENDED) {
      const next = this.now.arrays[name];
      if (!next) continue;
      const last = this.before[name];
      if (!last || this.blend >= 1 || String(last.shape) !== String(next.shape)) {
        this.blended[name] = next;
        continue;
      }
      const data = next.data.map((value, i) => (Number.isFinite(last.data[i]) ? last.data[i] + (value - last.data[i]) * this.blend : value));
      this.blended[name] = { data, shape: next.shape };
    }
  }

  /** The axes: of the data, so that they stand still while a curve is learned; only what is moved widens them. */
  measure() {
    const { arrays, scalars } = this.now;
    const times = arrays.curve_t?.data ?? [0, 1];
    const found = Array.from({ length: this.dim }, (_, j) => {
      const lists = ["observed_x", "left_x", "truth"].filter((name) => arrays[name]).map((name) => column(arrays[name], j));
      const range = rangeOf([...lists, this.observations.shown.map((row) => row[1 + j])], DATA_MARGIN) ?? [-1, 1];
      return scalars.log ? [Math.max(0, range[0]), range[1]] : range;
    });
    this.ranges = { t: [times[0], times.at(-1)], x: found, planes: this.kinds.map((kind) => planeRanges(this, kind)) };
  }

  /** Boxes and scales for a canvas of this size. */
  place(width, height) {
    this.steps = attempts(this.now.arrays, "forward");
    this.boxes = layout(width, height, this.dim, this.kinds.length, this.steps.length > 0);
    const { t, x, planes } = this.ranges;
    this.scales = this.boxes.panels.map((box, j) => ({
      t: new Scale(t, [box.left, box.right]),
      x: new Scale(x[j], [box.bottom, box.top]),
    }));
    this.planes = this.boxes.planes.map((box, k) => ({
      kind: this.kinds[k],
      box,
      x: new Scale(planes[k][0], [box.left, box.right]),
      y: new Scale(planes[k][1], [box.bottom, box.top]),
    }));
  }

  draw(context, theme, width, height) {
    if (!this.ranges) return;
    this.place(width, height);
    context.font = `${Math.round(11 * Math.min(1.5, theme.scale))}px system-ui, sans-serif`;
    this.boxes.panels.forEach((box, j) => this.drawPanel(context, theme, box, j));
    this.drawTimes(context, theme);
    if (this.boxes.strip) this.drawSteps(context, theme);
    for (const plane of this.planes) drawPlane(context, theme, this, plane);
  }

  colour(theme, j) {
    return theme.classes[j % theme.classes.length];
  }

  drawPanel(context, theme, box, j) {
    const scale = this.scales[j];
    this.drawGround(context, theme, box, scale, j);
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    context.clip();
    this.drawCurves(context, theme, scale, j);
    this.drawMarks(context, theme, scale, j);
    context.restore();
  }

  /** Frame, what lies beyond the learned part, and the numbers of the value. */
  drawGround(context, theme, box, { t, x }, j) {
    const { t0, split, t1 } = this.now.scalars;
    context.fillStyle = context.strokeStyle = theme.text;
    context.globalAlpha = 0.055;
    for (const [from, to] of [[t.low, t0], [split, t.high]]) {
      context.fillRect(t.at(from), box.top, Math.max(0, t.at(to) - t.at(from)), box.bottom - box.top);
    }
    context.globalAlpha = 0.25;
    context.lineWidth = 1;
    context.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    context.setLineDash([2, 3]);
    context.beginPath();
    for (const at of [t0, t1]) {
      context.moveTo(t.at(at), box.top);
      context.lineTo(t.at(at), box.bottom);
    }
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 0.65;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const least = box.bottom - box.top < 90 ? 3 : 5;
    for (const value of ticks(x.low, x.high, least)) context.fillText(label(value), box.left - 5, x.at(value));
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.globalAlpha = 1;
    context.fillStyle = this.colour(theme, j);
    context.fillText(this.names[j] ?? "", box.left, box.top - 5);
  }

  drawCurves(context, theme, { t, x }, j) {
    const { arrays } = this.now;
    const { curve, low, high, samples } = this.blended;
    const times = arrays.curve_t?.data;
    if (!times || !curve) return;
    const colour = this.colour(theme, j);
    const line = (ts, values) => {
      context.beginPath();
      let pen = false;
      for (let i = 0; i < ts.length; i++) {
        const y = values[i];
        if (!Number.isFinite(y)) {
          pen = false;
          continue;
        }
        const at = [t.at(ts[i]), Math.max(-1e4, Math.min(1e4, x.at(y)))];
        if (pen) context.lineTo(...at);
        else context.moveTo(...at);
        pen = true;
      }
    };
    if (this.layers.has("band") && low && high) {
      const [below, above] = [column(low, j), column(high, j)];
      const whole = [...times.keys()].filter((i) => Number.isFinite(below[i]) && Number.isFinite(above[i]));
      line([...whole.map((i) => times[i]), ...[...whole].reverse().map((i) => times[i])], [...whole.map((i) => above[i]), ...[...whole].reverse().map((i) => below[i])]);
      context.closePath();
      context.globalAlpha = 0.16;
      context.fillStyle = colour;
      context.fill();
    }
    context.strokeStyle = colour;
    if (this.layers.has("samples") && samples) {
      const [count, length, dim] = samples.shape;
      context.globalAlpha = 0.35;
      context.lineWidth = 1;
      for (let s = 0; s < count; s++) {
        line(times, Array.from({ length }, (_, i) => samples.data[(s * length + i) * dim + j]));
        context.stroke();
      }
    }
    if (this.layers.has("truth") && arrays.truth) {
      context.globalAlpha = 0.8;
      context.strokeStyle = theme.text;
      context.lineWidth = 1.2;
      context.setLineDash([5, 4]);
      line(arrays.truth_t.data, column(arrays.truth, j));
      context.stroke();
    }
    context.strokeStyle = theme.text;
    for (const [name, dash] of Object.entries(BASELINES)) {
      if (!this.layers.has(name) || !arrays[name]) continue;
      context.globalAlpha = 0.6;
      context.lineWidth = 1.4;
      context.setLineDash(dash);
      line(times, column(arrays[name], j));
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
    context.strokeStyle = colour;
    context.lineWidth = 2.4;
    line(times, column(curve, j));
    context.stroke();
  }

  drawMarks(context, theme, { t, x }, j) {
    const { left_t: leftT, left_x: leftX } = this.now.arrays;
    const colour = this.colour(theme, j);
    if (this.layers.has("left") && leftT && leftX) {
      const values = column(leftX, j);
      context.beginPath();
      values.forEach((value, i) => Number.isFinite(value) && mark(context, [t.at(leftT.data[i]), x.at(value)], 0, SMALL));
      context.globalAlpha = 0.75;
      context.strokeStyle = colour;
      context.lineWidth = 1.1;
      context.stroke();
    }
    context.globalAlpha = 1;
    this.observations.shown.forEach((row, i) => {
      if (!Number.isFinite(row[1 + j])) return;
      context.beginPath();
      mark(context, [t.at(row[0]), x.at(row[1 + j])], 0, this.pointed === i ? DOT + 2.5 : DOT);
      context.fillStyle = colour;
      context.fill();
      context.strokeStyle = this.pointed === i ? theme.text : theme.background;
      context.lineWidth = this.pointed === i ? 2 : 1.4;
      context.stroke();
    });
  }

  /** The axis of time under the last panel, and what its parts are. */
  drawTimes(context, theme) {
    const box = this.boxes.panels.at(-1);
    const { t } = this.scales[0];
    const { t0, split } = this.now.scalars;
    context.fillStyle = theme.text;
    context.globalAlpha = 0.65;
    context.textAlign = "center";
    context.textBaseline = "top";
    const number = t.low > 1000 && t.high < 3000 ? (value) => String(Number(value.toPrecision(6))) : label;
    for (const value of ticks(t.low, t.high, box.right - box.left < 300 ? 3 : 6)) context.fillText(number(value), t.at(value), box.bottom + 4);
    const first = this.boxes.panels[0];
    const words = (text, from, to) => {
      if (context.measureText(text).width < t.at(to) - t.at(from) - 8) context.fillText(text, 0.5 * (t.at(from) + t.at(to)), first.top + 4);
    };
    context.globalAlpha = 0.55;
    words("before", t.low, t0);
    words("foreseen", split, t.high);
    context.textBaseline = "alphabetic";
    context.globalAlpha = 1;
  }

  /** The solver's steps, one bar an attempt: as high as log h, dashed where it was rejected. */
  drawSteps(context, theme) {
    const { strip } = this.boxes;
    const { t } = this.scales[0];
    const sizes = this.steps.map(({ h }) => h);
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    const room = strip.bottom - strip.top - 14;
    for (const { t: from, h, accepted } of this.steps) {
      const height = room * (most > least ? 0.3 + (0.7 * Math.log(h / least)) / Math.log(most / least) : 1);
      const box = [t.at(from) + 0.5, strip.bottom - height, Math.max(1, t.at(from + h) - t.at(from) - 1), height];
      if (accepted) {
        context.fillStyle = theme.primary;
        context.globalAlpha = 0.45;
        context.fillRect(...box);
      } else {
        context.strokeStyle = theme.classes[1];
        context.globalAlpha = 1;
        context.setLineDash([3, 2]);
        context.lineWidth = 1.4;
        context.strokeRect(...box);
        context.setLineDash([]);
      }
    }
    context.fillStyle = theme.text;
    context.globalAlpha = 0.75;
    context.textAlign = "left";
    context.textBaseline = "top";
    context.fillText(`solver: ${counted(this.steps)}`, strip.left, strip.top);
    context.textBaseline = "alphabetic";
    context.globalAlpha = 1;
  }
}
