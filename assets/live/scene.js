// The picture: what the newest snapshot says, blended with the one before, drawn layer by layer.

import { HeatMap, contour } from "./heat.js";
import { Lattice, Particles } from "./flow.js";
import { Field, trajectory } from "./mlp.js";
import { Projection } from "./projection.js";

const EMPTY = { arrays: {}, scalars: {} };
const BLENDED = ["grid", "trajectories"];

export class Scene {
  constructor() {
    this.projection = new Projection();
    this.heat = new HeatMap();
    this.particles = new Particles();
    this.lattice = new Lattice();
    this.layers = new Set();
    this.now = EMPTY;
    this.blended = {};
    this.blend = 1;
    this.number = 0;
    this.t = 0;
    this.probe = null;
  }

  /** Take a new snapshot at `time` (ms); the picture glides to it in about the time since the last one. */
  take(snapshot, time) {
    this.before = Object.fromEntries(
      BLENDED.filter((name) => this.blended[name]).map((name) => [name, this.blended[name]]),
    );
    const gap = time - (this.arrived ?? -1e9);
    this.period = gap > 2000 ? 1 : Math.min(400, Math.max(30, gap));
    this.arrived = time;
    this.now = snapshot;
    this.number += 1;
    this.blend = 0;
    this.field = Field.of(snapshot);
    if (this.probe) this.lookAt(this.probe.y0, this.probe.held);
  }

  get extent() {
    return this.now.scalars.extent ?? [-2, 2, -2, 2];
  }

  get times() {
    return [this.now.scalars.t0 ?? 0, this.now.scalars.t1 ?? 1];
  }

  get dim() {
    const { trajectories, points } = this.now.arrays;
    return this.field?.dim ?? this.now.scalars.dim ?? trajectories?.shape[2] ?? points?.shape[1] ?? 2;
  }

  /** Show the path that starts at y0; held: until something else is pointed at. */
  lookAt(y0, held = false) {
    const [t0, t1] = this.times;
    this.probe = y0 && this.field ? { y0, held, path: trajectory(this.field, y0, t0, t1, 64) } : null;
  }

  /** The class-1 value 0..1 of the heat map at [x, y], or null. */
  valueAt([x, y]) {
    const grid = this.now.arrays.grid;
    if (!grid || grid.shape.length > 2) return null;
    const [h, w] = grid.shape;
    const [xmin, xmax, ymin, ymax] = this.extent;
    const column = Math.round(((x - xmin) / (xmax - xmin)) * (w - 1));
    const row = Math.round(((y - ymin) / (ymax - ymin)) * (h - 1));
    if (column < 0 || row < 0 || column >= w || row >= h) return null;
    return grid.data[row * w + column] / 255;
  }

  /** Bring everything to `time` (ms), `seconds` after the last call; true if the next frame will differ. */
  advance(time, seconds, width, height) {
    const [t0, t1] = this.times;
    let moving = false;
    if (this.blend < 1) {
      this.blend = Math.min(1, (time - this.arrived) / this.period);
      this.blended = this.blendArrays();
      moving = true;
    }
    this.projection.configure({ width, height, extent: this.extent, t0, t1, dim: this.dim, depth: this.depth() });
    if (!this.field) return moving;
    if (this.layers.has("particles")) {
      this.particles.use(this.field, this.extent, t0, t1);
      this.particles.move(seconds);
      moving = true;
    }
    if (this.layers.has("grid")) {
      this.lattice.use(this.field, this.extent, t0, t1);
      if (this.lattice.advance(4) || this.lattice.work) moving = true;
    }
    return moving;
  }

  blendArrays() {
    const out = {};
    for (const name of BLENDED) {
      const next = this.now.arrays[name];
      if (!next) continue;
      const last = this.before?.[name];
      const same = last && this.blend < 1 && String(last.shape) === String(next.shape);
      if (!same) {
        out[name] = { data: next.data, shape: next.shape };
        continue;
      }
      const data = new Float32Array(next.data.length);
      for (let i = 0; i < data.length; i++) data[i] = last.data[i] + (next.data[i] - last.data[i]) * this.blend;
      out[name] = { data, shape: next.shape };
    }
    return out;
  }

  /** The range of the third component, widened slowly so that the 3-D view does not jump. */
  depth() {
    const paths = this.now.arrays.trajectories;
    if (!paths || paths.shape[2] < 3) return [-1, 1];
    if (this.depthOf !== this.number) {
      this.depthOf = this.number;
      let largest = 0.5;
      for (let i = 2; i < paths.data.length; i += paths.shape[2]) {
        const size = Math.abs(paths.data[i]);
        if (size > largest && size < 1e3) largest = size;
      }
      this.depthSize = Math.max(largest, 0.98 * (this.depthSize ?? 0));
    }
    return [-this.depthSize, this.depthSize];
  }

  draw(context, theme) {
    const { width, height } = this.projection;
    context.clearRect(0, 0, width, height);
    this.drawHeat(context, theme);
    this.drawAxes(context, theme);
    if (this.layers.has("grid")) this.lattice.draw(context, this.projection, this.t, theme.text);
    if (this.layers.has("particles") && this.field) {
      this.particles.use(this.field, this.extent, ...this.times);
      this.particles.draw(context, this.projection, theme.text);
    }
    if (this.layers.has("paths")) this.drawPaths(context, theme);
    if (this.layers.has("points")) this.drawPoints(context, theme);
    this.drawProbe(context, theme);
  }

  drawHeat(context, theme) {
    const grid = this.blended.grid;
    if (!grid || !this.layers.has("boundary") || this.projection.mode === "graph") return;
    const kind = this.now.scalars.grid_kind ?? "classes";
    this.heat.update(grid.data, grid.shape, theme, kind, `${this.number}:${this.blend}`);
    this.heat.draw(context, this.projection, this.extent);
    if (kind !== "classes" || grid.shape.length > 2) return;
    const segments = contour(grid.data, grid.shape, this.extent, 127.5);
    const [a, b] = [[0, 0], [0, 0]];
    context.beginPath();
    for (let i = 0; i < segments.length; i += 4) {
      this.projection.place(segments[i], segments[i + 1], this.projection.floor, a);
      this.projection.place(segments[i + 2], segments[i + 3], this.projection.floor, b);
      context.moveTo(a[0], a[1]);
      context.lineTo(b[0], b[1]);
    }
    context.strokeStyle = theme.text;
    context.globalAlpha = 0.65;
    context.lineWidth = 1.4;
    context.stroke();
    context.globalAlpha = 1;
  }

  drawAxes(context, theme) {
    const p = this.projection;
    context.strokeStyle = context.fillStyle = theme.text;
    context.font = "11px system-ui, sans-serif";
    context.lineWidth = 1;
    if (p.mode === "graph") this.drawGraphAxes(context);
    else if (p.mode === "plane") this.drawPlaneAxes(context);
    else this.drawBox(context);
    context.globalAlpha = 1;
  }

  drawPlaneAxes(context) {
    const [xmin, xmax, ymin, ymax] = this.extent;
    const p = this.projection;
    const [left, bottom] = p.place(xmin, ymin, 0, [0, 0]);
    const [right, top] = p.place(xmax, ymax, 0, [0, 0]);
    context.globalAlpha = 0.25;
    context.strokeRect(left, top, right - left, bottom - top);
    context.globalAlpha = 0.65;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const x of ticks(xmin, xmax)) context.fillText(label(x), p.place(x, 0, 0, [0, 0])[0], bottom + 4);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const y of ticks(ymin, ymax)) context.fillText(label(y), left - 5, p.place(0, y, 0, [0, 0])[1]);
  }

  drawGraphAxes(context) {
    const { box, t0, t1, extent } = this.projection;
    context.globalAlpha = 0.25;
    context.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    context.globalAlpha = 0.65;
    context.textAlign = "center";
    context.textBaseline = "top";
    for (const t of ticks(t0, t1)) {
      const x = box.left + ((t - t0) / (t1 - t0)) * (box.right - box.left);
      context.fillText(label(t), x, box.bottom + 4);
    }
    context.fillText("t", box.right - 4, box.bottom + 16);
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const y of ticks(extent[2], extent[3])) {
      const at = box.bottom - ((y - extent[2]) / (extent[3] - extent[2])) * (box.bottom - box.top);
      context.fillText(label(y), box.left - 5, at);
    }
  }

  drawBox(context) {
    const p = this.projection;
    const [xmin, xmax, ymin, ymax] = this.extent;
    const [low, high] = p.zRange;
    const line = (from, to) => {
      context.moveTo(...p.place(...from, [0, 0]));
      context.lineTo(...p.place(...to, [0, 0]));
    };
    context.globalAlpha = 0.22;
    context.beginPath();
    for (const z of [low, high]) {
      line([xmin, ymin, z], [xmax, ymin, z]);
      line([xmax, ymin, z], [xmax, ymax, z]);
      line([xmax, ymax, z], [xmin, ymax, z]);
      line([xmin, ymax, z], [xmin, ymin, z]);
    }
    for (const [x, y] of [[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax]]) line([x, y, low], [x, y, high]);
    context.stroke();
    context.globalAlpha = 0.75;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const name = (text, x, y, z) => context.fillText(text, ...p.place(x, y, z, [0, 0]));
    const pad = 0.08 * (xmax - xmin);
    name("x", (xmin + xmax) / 2, ymin - pad, low);
    name("y", xmax + pad, (ymin + ymax) / 2, low);
    name(p.mode === "time" ? `t = ${label(high)}` : "third dimension", xmin, ymin, high + 0.06 * (high - low));
    if (p.mode === "time") name(`t = ${label(low)}`, xmin - pad, ymin - pad, low);
  }

  drawPaths(context, theme) {
    const paths = this.blended.trajectories;
    if (!paths) return;
    const [count, n, dim] = paths.shape;
    const [t0, t1] = this.times;
    const given = this.now.arrays.trajectory_ts?.data;
    const timeOf = (k) => (given ? given[k] : t0 + ((t1 - t0) * k) / Math.max(1, count - 1));
    const classes = this.now.arrays.trajectory_labels?.data;
    const jumps = this.now.scalars.path === "jumps";
    const at = [0, 0];
    for (const [part, alpha, width] of [["whole", 0.28, 1], ["past", 0.85, 1.6]]) {
      for (const c of new Set(classes ?? [0])) {
        context.beginPath();
        for (let i = 0; i < n; i++) {
          if ((classes ? classes[i] : 0) !== c) continue;
          for (let k = 0; k < count; k++) {
            if (part === "past" && timeOf(k) > this.t) {
              this.headOf(paths, i, at);
              if (k > 0 && !jumps) context.lineTo(at[0], at[1]);
              break;
            }
            this.projection.toScreen(paths.data, (k * n + i) * dim, timeOf(k), at);
            if (k === 0) context.moveTo(at[0], at[1]);
            else context.lineTo(at[0], at[1]);
          }
        }
        context.strokeStyle = theme.classes[c % theme.classes.length];
        context.globalAlpha = alpha;
        context.lineWidth = width;
        context.stroke();
      }
    }
    context.globalAlpha = 1;
    if (jumps) this.drawArrowHeads(context, theme, paths, classes);
    this.drawHeads(context, theme, paths, classes);
  }

  /** Pixels of path i at the scrubber's time. */
  headOf(paths, i, out) {
    const [count, n, dim] = paths.shape;
    const [t0, t1] = this.times;
    const given = this.now.arrays.trajectory_ts?.data;
    let k = 0;
    let s = 0;
    if (given) {
      while (k < count - 2 && given[k + 1] <= this.t) k++;
      s = (this.t - given[k]) / (given[k + 1] - given[k] || 1);
    } else {
      const place = ((this.t - t0) / (t1 - t0 || 1)) * (count - 1);
      k = Math.max(0, Math.min(count - 2, Math.floor(place)));
      s = place - k;
    }
    s = Math.min(1, Math.max(0, s));
    if (this.now.scalars.path === "jumps") s = Math.floor(s + 1e-6);
    this.state ??= new Float64Array(16);
    for (let d = 0; d < Math.min(dim, 16); d++) {
      const a = paths.data[(k * n + i) * dim + d];
      this.state[d] = a + (paths.data[((k + 1) * n + i) * dim + d] - a) * s;
    }
    return this.projection.toScreen(this.state, 0, this.t, out);
  }

  drawHeads(context, theme, paths, classes) {
    const at = [0, 0];
    for (const c of new Set(classes ?? [0])) {
      context.beginPath();
      for (let i = 0; i < paths.shape[1]; i++) {
        if ((classes ? classes[i] : 0) === c) mark(context, this.headOf(paths, i, at), c, 4.2);
      }
      fillOutlined(context, theme.classes[c % theme.classes.length], theme.background);
    }
  }

  drawArrowHeads(context, theme, paths, classes) {
    const [count, n, dim] = paths.shape;
    const [t0, t1] = this.times;
    const [a, b] = [[0, 0], [0, 0]];
    for (let i = 0; i < n; i++) {
      context.beginPath();
      for (let k = 1; k < count; k++) {
        const t = (j) => t0 + ((t1 - t0) * j) / (count - 1);
        if (t(k) > this.t + 1e-9) break;
        this.projection.toScreen(paths.data, ((k - 1) * n + i) * dim, t(k - 1), a);
        this.projection.toScreen(paths.data, (k * n + i) * dim, t(k), b);
        arrowHead(context, a, b);
      }
      context.fillStyle = theme.classes[(classes ? classes[i] : 0) % theme.classes.length];
      context.fill();
    }
  }

  drawPoints(context, theme) {
    const { points, labels } = this.now.arrays;
    if (!points) return;
    const [n, dim] = points.shape;
    const [t0] = this.times;
    const moved = this.blended.trajectories && this.layers.has("paths") && this.t > t0;
    const y = new Float64Array(Math.max(3, this.dim));
    const at = [0, 0];
    for (const c of new Set(labels?.data ?? [0])) {
      context.beginPath();
      for (let i = 0; i < n; i++) {
        if ((labels ? labels.data[i] : 0) !== c) continue;
        for (let d = 0; d < dim; d++) y[d] = points.data[i * dim + d];
        mark(context, this.projection.toScreen(y, 0, t0, at), c, moved ? 2.2 : 3.2);
      }
      context.globalAlpha = moved ? 0.5 : 0.95;
      fillOutlined(context, theme.classes[c % theme.classes.length], moved ? null : theme.background);
      context.globalAlpha = 1;
    }
  }

  drawProbe(context, theme) {
    if (!this.probe) return;
    const { path } = this.probe;
    const dim = this.field.dim;
    const [t0, t1] = this.times;
    const steps = path.length / dim - 1;
    const at = [0, 0];
    for (const [colour, width] of [[theme.background, 5], [theme.text, 2.4]]) {
      context.beginPath();
      for (let k = 0; k <= steps; k++) {
        this.projection.toScreen(path, k * dim, t0 + ((t1 - t0) * k) / steps, at);
        if (k === 0) context.moveTo(at[0], at[1]);
        else context.lineTo(at[0], at[1]);
      }
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
    for (const [k, size] of [[0, 5], [steps, 4]]) {
      this.projection.toScreen(path, k * dim, k === 0 ? t0 : t1, at);
      context.beginPath();
      context.arc(at[0], at[1], size, 0, 2 * Math.PI);
      context.fillStyle = k === 0 ? theme.background : theme.text;
      context.fill();
      context.strokeStyle = theme.text;
      context.lineWidth = 2;
      context.stroke();
    }
  }
}

/** Classes differ in shape as well as colour: disc, diamond, triangle. */
function mark(context, [x, y], c, r) {
  context.moveTo(x + r, y);
  if (c % 3 === 0) context.arc(x, y, r, 0, 2 * Math.PI);
  else if (c % 3 === 1) polygon(context, [[x + 1.2 * r, y], [x, y + 1.2 * r], [x - 1.2 * r, y], [x, y - 1.2 * r]]);
  else polygon(context, [[x, y - 1.2 * r], [x + 1.1 * r, y + 0.8 * r], [x - 1.1 * r, y + 0.8 * r]]);
}

function polygon(context, corners) {
  context.moveTo(...corners[0]);
  for (const corner of corners.slice(1)) context.lineTo(...corner);
  context.closePath();
}

function arrowHead(context, [ax, ay], [bx, by]) {
  const length = Math.hypot(bx - ax, by - ay);
  if (length < 3) return;
  const size = Math.min(6, 0.5 * length);
  const [ux, uy] = [((bx - ax) / length) * size, ((by - ay) / length) * size];
  polygon(context, [[bx, by], [bx - ux - 0.5 * uy, by - uy + 0.5 * ux], [bx - ux + 0.5 * uy, by - uy - 0.5 * ux]]);
}

function fillOutlined(context, fill, outline) {
  if (outline) {
    context.strokeStyle = outline;
    context.lineWidth = 1.6;
    context.stroke();
  }
  context.fillStyle = fill;
  context.fill();
}

function ticks(low, high) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= rough);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) out.push(k * step);
  return out;
}

const label = (value) => String(Number(value.toPrecision(3))).replace("-", "−");
