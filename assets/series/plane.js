// The plane: the field that moves the state and the state's path in it, or the data's own plane with what was observed.

import { label, ticks } from "../axes.js";
import { arrowHead, mark } from "../marks.js";
import { rangeOf } from "./layout.js";

const PATH_MARGIN = 0.12;
const LONGEST = 0.055; // of the plane's width: an arrow

const columns = ({ data, shape }, j) => {
  const dim = shape.at(-1);
  return Array.from({ length: data.length / dim }, (_, i) => data[i * dim + j]);
};

/** Ranges of both axes of a plane; [[low, high], [low, high]]. */
export function planeRanges(scene, kind) {
  const { arrays } = scene.now;
  const of = (j) => {
    if (kind === "data") {
      const lists = ["observed_x", "left_x", "truth"].filter((name) => arrays[name]).map((name) => columns(arrays[name], j));
      return rangeOf([...lists, scene.observations.shown.map((row) => row[1 + j])], 0.25);
    }
    if (arrays.field_x) return rangeOf([columns(arrays.field_x, j)], 0);
    return arrays.path ? rangeOf([columns(arrays.path, j)], PATH_MARGIN) : null;
  };
  return [of(0) ?? [-1, 1], of(1) ?? [-1, 1]];
}

export function drawPlane(context, theme, scene, plane) {
  const { kind, box, x, y } = plane;
  const { arrays, scalars } = scene.now;
  drawFrame(context, theme, scene, plane);
  context.save();
  context.beginPath();
  context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  context.clip();
  if (arrays.field_x && scalars.phase === kind) drawField(context, theme, arrays, x, y);
  const line = (us, vs) => {
    context.beginPath();
    let pen = false;
    us.forEach((u, i) => {
      const at = [x.at(u), y.at(vs[i])];
      if (!at.every(Number.isFinite)) pen = false;
      else if (pen) context.lineTo(...at.map((value) => Math.max(-1e4, Math.min(1e4, value))));
      else {
        context.moveTo(...at);
        pen = true;
      }
    });
  };
  if (kind === "data") drawData(context, theme, scene, plane, line);
  else drawPath(context, theme, scene, plane, line);
  context.restore();
}

function drawFrame(context, theme, scene, { kind, box, x, y }) {
  context.strokeStyle = context.fillStyle = theme.text;
  context.lineWidth = 1;
  context.globalAlpha = 0.25;
  context.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  context.globalAlpha = 0.65;
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const value of ticks(x.low, x.high, 4)) context.fillText(label(value), x.at(value), box.bottom + 4);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const value of ticks(y.low, y.high, 4)) context.fillText(label(value), box.left - 5, y.at(value));
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  const short = (j) => (scene.names[j] ?? "").split(" (")[0];
  const names = { data: `${short(1)} over ${short(0)}`, latent: "latent plane", state: "plane of the state" };
  context.globalAlpha = 0.85;
  context.fillText(names[kind], box.left, box.top - 5);
  context.globalAlpha = 1;
}

/** An arrow where the field was asked: its direction, and by its length how fast, the fastest the longest. */
function drawField(context, theme, { field_x: at, field_v: v }, x, y) {
  const wide = LONGEST * Math.abs(x.to - x.from);
  const pixels = Array.from({ length: at.shape[0] }, (_, i) => [
    (v.data[2 * i] / (x.high - x.low)) * (x.to - x.from),
    (v.data[2 * i + 1] / (y.high - y.low)) * (y.to - y.from),
  ]);
  const fastest = Math.max(1e-12, ...pixels.map(([a, b]) => Math.hypot(a, b)).filter(Number.isFinite));
  context.strokeStyle = context.fillStyle = theme.text;
  context.globalAlpha = 0.4;
  context.lineWidth = 1;
  const lines = new Path2D();
  context.beginPath();
  pixels.forEach(([a, b], i) => {
    const speed = Math.hypot(a, b);
    if (!(speed > 0) || !Number.isFinite(speed)) return;
    const length = wide * Math.sqrt(speed / fastest); // the root: slow places are to be seen too
    const from = [x.at(at.data[2 * i]), y.at(at.data[2 * i + 1])];
    const to = [from[0] + (length * a) / speed, from[1] + (length * b) / speed];
    lines.moveTo(...from);
    lines.lineTo(...to);
    arrowHead(context, from, to);
  });
  context.fill();
  context.stroke(lines);
  context.globalAlpha = 1;
}

/** The state's path: faint where nothing was learned; a ring where the window begins. */
function drawPath(context, theme, scene, { x, y }, line) {
  const { path, path_samples: samples } = scene.blended;
  if (!path) return;
  context.strokeStyle = theme.primary;
  if (samples && scene.layers.has("samples")) {
    const [count, length] = samples.shape;
    context.lineWidth = 1;
    context.globalAlpha = 0.3;
    for (let s = 0; s < count; s++) {
      const part = { data: samples.data.subarray(s * length * 2, (s + 1) * length * 2), shape: [length, 2] };
      line(columns(part, 0), columns(part, 1));
      context.stroke();
    }
  }
  const [us, vs] = [columns(path, 0), columns(path, 1)];
  drawParts(context, scene, us, vs, line);
  const start = startOf(scene);
  context.beginPath();
  mark(context, [x.at(us[start]), y.at(vs[start])], 0, 4.5);
  context.fillStyle = theme.background;
  context.fill();
  context.lineWidth = 2;
  context.stroke();
}

const startOf = ({ now: { arrays, scalars } }) => Math.max(0, arrays.curve_t.data.findIndex((t) => t >= scalars.t0 - 1e-6));

/** The line, strong where it was learned and weak beyond. */
function drawParts(context, scene, us, vs, line) {
  const ts = scene.now.arrays.curve_t.data;
  const { split } = scene.now.scalars;
  const start = startOf(scene);
  const cut = ts.findIndex((t) => t > split + 1e-6);
  const end = cut < 0 ? ts.length : cut;
  const parts = [[0, start + 1, 0.4, 1.6], [start, end, 1, 2.4], [end - 1, ts.length, 0.4, 1.6]];
  for (const [from, to, alpha, wide] of parts) {
    context.globalAlpha = alpha;
    context.lineWidth = wide;
    line(us.slice(from, to), vs.slice(from, to));
    context.stroke();
  }
  context.globalAlpha = 1;
}

/** The data's own plane: the curve as a path, truth, and all that was observed. */
function drawData(context, theme, scene, { x, y }, line) {
  const { arrays } = scene.now;
  const { curve, samples } = scene.blended;
  if (arrays.truth && scene.layers.has("truth")) {
    context.strokeStyle = theme.text;
    context.globalAlpha = 0.8;
    context.lineWidth = 1.2;
    context.setLineDash([5, 4]);
    line(columns(arrays.truth, 0), columns(arrays.truth, 1));
    context.stroke();
    context.setLineDash([]);
  }
  context.strokeStyle = theme.primary;
  if (samples && scene.layers.has("samples")) {
    const [count, length, dim] = samples.shape;
    context.globalAlpha = 0.3;
    context.lineWidth = 1;
    for (let s = 0; s < count; s++) {
      const part = { data: samples.data.subarray(s * length * dim, (s + 1) * length * dim), shape: [length, dim] };
      line(columns(part, 0), columns(part, 1));
      context.stroke();
    }
  }
  if (curve) drawParts(context, scene, columns(curve, 0), columns(curve, 1), line);
  if (arrays.left_x && scene.layers.has("left")) {
    context.beginPath();
    const [us, vs] = [columns(arrays.left_x, 0), columns(arrays.left_x, 1)];
    us.forEach((u, i) => Number.isFinite(u) && Number.isFinite(vs[i]) && mark(context, [x.at(u), y.at(vs[i])], 0, 2.6));
    context.globalAlpha = 0.6;
    context.lineWidth = 1;
    context.stroke();
  }
  context.globalAlpha = 1;
  scene.observations.shown.forEach(([, u, v], i) => {
    if (!Number.isFinite(u) || !Number.isFinite(v)) return;
    const pointed = scene.pointed === i;
    context.beginPath();
    mark(context, [x.at(u), y.at(v)], 0, pointed ? 6.5 : 4);
    context.fillStyle = theme.primary;
    context.fill();
    context.strokeStyle = pointed ? theme.text : theme.background;
    context.lineWidth = pointed ? 2 : 1.4;
    context.stroke();
  });
}
