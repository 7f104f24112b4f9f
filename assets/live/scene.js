// The picture: what the newest snapshot says, blended with the one before, drawn layer by layer.

import { HeatMap, contour } from "./heat.js";
import { Lattice, Particles } from "./flow.js";
import { Field } from "./mlp.js";
import { Projection } from "./projection.js";
import { drawAxes } from "./axes.js";
import { fillOutlined, mark } from "./marks.js";
import { Paths } from "./paths.js";
import { Probe } from "./probe.js";
import { Sheet } from "./sheet.js";
import { Thumbnail } from "./thumbnail.js";
import { Dots, drawIntegral, drawLattice, frameAt, isFlow } from "./particles.js";
import { bendColours, bendOf } from "./theme.js";

const EMPTY = { arrays: {}, scalars: {} };
const BLENDED = ["grid", "movie", "trajectories", "data_trajectories", "lattice"];
const STEADY = ["points", "labels", "grid", "target"]; // often the same in one snapshot after the other
const LATTICE_TIME = 2; // ms a frame for the lattice that is being computed
const HEAT_STEP = 50; // ms between two pictures of the heat map on its way to the next one
const MOVIE_STEPS = 96; // pictures of a density on its way from t0 to t1

const same = (a, b) => a.length === b.length && a.every((value, i) => value === b[i]);

export class Scene {
  constructor() {
    this.projection = new Projection();
    this.heat = new HeatMap();
    this.particles = new Particles();
    this.lattice = new Lattice();
    this.dots = new Dots();
    this.ground = new Sheet(); // heat map and axes
    this.data = new Sheet(); // the points
    this.thumbnail = new Thumbnail();
    this.heatVersion = 0;
    this.dataVersion = 0;
    this.euler = null; // samples in so many Euler steps are shown, where a page asks for them
    this.backward = false;
    this.layers = new Set();
    this.now = EMPTY;
    this.blended = {};
    this.blend = 1;
    this.number = 0;
    this.t = 0;
    this.probe = new Probe(this);
    this.paths = new Paths(this);
  }

  /** Show nothing: what comes next is of another run. */
  clear() {
    this.now = EMPTY;
    this.blended = {};
    this.before = {};
    this.blend = 1;
    this.arrived = undefined;
    this.field = null;
    this.probe.lookAt(null);
    this.dots.picked = null;
    this.heatVersion += 1;
    this.dataVersion += 1;
  }

  /** Take a new snapshot at `time` (ms); the picture glides to it in about the time since the last one. */
  take(snapshot, time) {
    this.before = this.blended;
    this.blended = {};
    this.keepSteady(snapshot.arrays);
    const gap = time - (this.arrived ?? -1e9);
    this.period = gap > 2000 ? 1 : Math.min(400, Math.max(30, gap));
    this.arrived = time;
    this.now = snapshot;
    this.number += 1;
    this.blend = 0;
    this.field = Field.of(snapshot);
    this.probe.again();
  }

  /** What is the same as before stays the same object, so that it is not drawn anew. */
  keepSteady(arrays) {
    for (const name of STEADY) {
      const last = this.now.arrays[name];
      const next = arrays[name];
      if (last && next && String(last.shape) === String(next.shape) && same(last.data, next.data)) arrays[name] = last;
    }
    const { points, labels, grid, movie } = this.now.arrays;
    if ((grid && !arrays.grid) || (movie && !arrays.movie)) this.heatVersion += 1;
    if (arrays.points !== points || arrays.labels !== labels || this.compared) this.dataVersion += 1;
  }

  /** Whether what is shown is a density and its particles, computed elsewhere. */
  get flow() {
    return isFlow(this.now);
  }

  /** Whether what is shown is one way among several to train a field. */
  get compared() {
    return Boolean(this.now.arrays.euler_1);
  }

  /** What the points are: the samples in Euler steps that the page asks for, or the data. */
  get shownPoints() {
    return this.now.arrays[`euler_${this.euler}`] ?? this.now.arrays.points;
  }

  /** What tells paths apart: how far each leaves its chord, or its class. */
  get kindsOfPaths() {
    const { deviation, trajectory_labels: labels } = this.now.arrays;
    return deviation ? Array.from(deviation.data, bendOf) : labels?.data;
  }

  /** The colour of such a kind. */
  pathColour(theme, kind) {
    if (!this.now.arrays.deviation) return this.colour(theme, kind);
    if (this.bendsFor !== theme.key) [this.bendsFor, this.bends] = [theme.key, bendColours(theme)];
    return this.bends[kind];
  }

  /** Whether paths that begin at the data are known too. */
  get reversible() {
    return Boolean(this.now.arrays.data_trajectories);
  }

  /** The dots of the direction that is shown. */
  useDots() {
    const { arrays } = this.now;
    const back = this.backward && this.reversible;
    const paths = back ? this.blended.data_trajectories : this.blended.trajectories;
    if (!paths) return false;
    const divergence = back ? arrays.data_divergence : arrays.divergence;
    this.dots.use(paths, divergence, arrays.trajectory_ts?.data, this.times);
    return true;
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

  /**
   * Bring everything to `time` (ms), `seconds` after the last call; true if the next frame will differ.
   * `late`: the display does not keep up, so that less should be drawn.
   */
  advance(time, seconds, width, height, late = false) {
    const [t0, t1] = this.times;
    let moving = false;
    if (this.blend < 1) {
      this.blend = Math.min(1, (time - this.arrived) / this.period);
      this.blendArrays();
      moving = true;
    }
    this.projection.configure({ width, height, extent: this.extent, t0, t1, dim: this.dim, depth: this.depth() });
    if (!this.field) return moving;
    if (this.layers.has("particles") && !this.flow) {
      this.particles.use(this.field, this.extent, t0, t1);
      this.particles.move(seconds, late);
      moving = true;
    }
    if (this.layers.has("grid")) {
      this.lattice.use(this.field, this.extent, t0, t1);
      if (this.lattice.advance(LATTICE_TIME) || this.lattice.work) moving = true;
    }
    return moving;
  }

  /** Bring `blended` to where `blend` says, between the picture that was shown and the newest one. */
  blendArrays() {
    const steps = Math.max(1, Math.round(this.period / HEAT_STEP));
    for (const name of BLENDED) {
      const next = this.now.arrays[name];
      if (!next) continue;
      const heat = name === "grid" || name === "movie";
      // A heat map is dear to draw, and its small steps are not seen.
      const blend = heat && this.blend < 1 ? Math.floor(this.blend * steps) / steps : this.blend;
      const shown = this.blended[name];
      if (shown?.blend === blend) continue;
      const last = this.before?.[name];
      if (!last || blend === 1 || last.of === next || String(last.shape) !== String(next.shape)) {
        if (heat && (shown ?? last)?.data !== next.data) this.heatVersion += 1;
        this.blended[name] = { data: next.data, shape: next.shape, of: next, blend };
        continue;
      }
      const data = shown?.own ?? new Float32Array(next.data.length);
      for (let i = 0; i < data.length; i++) data[i] = last.data[i] + (next.data[i] - last.data[i]) * blend;
      this.blended[name] = { data, own: data, shape: next.shape, of: null, blend };
      if (heat) this.heatVersion += 1;
    }
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
    const p = this.projection;
    const heat = this.layers.has("boundary") ? `${this.heatVersion}:${this.now.scalars.grid_kind}:${this.movieTime}` : "";
    this.ground.draw(context, [p.version, theme.key, heat].join("|"), width, height, (sheet) => {
      this.drawHeat(sheet, theme);
      drawAxes(sheet, p, theme);
    });
    if (this.flow) {
      this.drawFlow(context, theme);
      return;
    }
    if (this.layers.has("grid")) this.lattice.draw(context, this.projection, this.t, theme.text);
    if (this.layers.has("particles") && this.field) {
      this.particles.use(this.field, this.extent, ...this.times);
      this.clipped(context, () => this.particles.draw(context, this.projection, theme.text));
    }
    if (this.layers.has("paths")) this.paths.draw(context, theme, this.layers.has("steps"));
    if (this.layers.has("points")) {
      const moved = Boolean(this.blended.trajectories) && this.layers.has("paths") && this.t > this.times[0];
      const key = [p.version, theme.key, this.now.scalars.grid_kind, this.dataVersion, this.euler, moved].join("|");
      this.data.draw(context, key, width, height, (sheet) => {
        this.drawPoints(sheet, theme, moved);
      });
    }
    this.probe.draw(context, theme);
  }

  /** Samples of the target, bent grid lines, particles, and the integral along the one that was picked. */
  drawFlow(context, theme) {
    const { arrays } = this.now;
    this.clipped(context, () => {
      if (this.layers.has("points")) this.drawSamples(context, theme);
      if (this.layers.has("grid") && this.blended.lattice) {
        const ts = arrays.trajectory_ts?.data;
        drawLattice(context, this.projection, this.blended.lattice, ts, this.times, this.t, theme.text);
      }
      if (this.layers.has("particles") && this.useDots()) {
        this.dots.draw(context, this.projection, theme, this.t, this.backward);
      }
    });
    if (this.layers.has("paths")) this.paths.draw(context, theme, this.layers.has("steps"));
    const { width, height } = this.projection;
    if (arrays.target) this.thumbnail.draw(context, arrays.target, theme, this.projection);
    if (!this.layers.has("particles")) return;
    const size = { width: Math.min(230, 0.42 * width), height: Math.min(190, 0.32 * height) };
    const logs = this.backward && this.reversible ? arrays.data_log_prob : arrays.log_prob;
    drawIntegral(context, { x: 2, y: height - size.height - 2, ...size }, theme, this.dots, logs, this.t);
  }

  /** Samples in few steps: dots that are seen on any density. */
  drawEnds(context, theme, points) {
    const at = [0, 0];
    this.clipped(context, () => {
      context.beginPath();
      for (let i = 0; i < points.shape[0]; i++) mark(context, this.projection.toScreen(points.data, 2 * i, this.times[1], at), 0, 2);
      fillOutlined(context, theme.text, theme.background);
    });
  }

  /** The samples that are learned from lie where the flow ends, at t1. */
  drawSamples(context, theme) {
    const { points } = this.now.arrays;
    if (!points) return;
    const [at, y] = [[0, 0], [0, 0]];
    context.beginPath();
    for (let i = 0; i < points.shape[0]; i++) {
      y[0] = points.data[2 * i];
      y[1] = points.data[2 * i + 1];
      this.projection.toScreen(y, 0, this.times[1], at);
      context.rect(at[0] - 1, at[1] - 1, 2, 2);
    }
    context.fillStyle = theme.text;
    context.globalAlpha = 0.45;
    context.fill();
    context.globalAlpha = 1;
  }

  /** The colour of class c; on a density, whose colour is the first class's, the next one. */
  colour(theme, c) {
    const shift = this.now.scalars.grid_kind === "density" ? 1 : 0;
    return theme.classes[(c + shift) % theme.classes.length];
  }

  /** Draw only inside the frame of the flat views. */
  clipped(context, draw) {
    const p = this.projection;
    const [xmin, xmax, ymin, ymax] = this.extent;
    context.save();
    if (!p.rotatable) {
      const [left, bottom] = p.mode === "graph" ? [p.box.left, p.box.bottom] : p.place(xmin, ymin, 0, [0, 0]);
      const [right, top] = p.mode === "graph" ? [p.box.right, p.box.top] : p.place(xmax, ymax, 0, [0, 0]);
      context.beginPath();
      context.rect(left, top, right - left, bottom - top);
      context.clip();
    }
    draw();
    context.restore();
  }

  drawHeat(context, theme) {
    const { movie } = this.blended;
    const grid = movie ? this.frame(movie) : this.blended.grid;
    if (!grid || !this.layers.has("boundary") || this.projection.mode === "graph") return;
    const kind = this.now.scalars.grid_kind ?? "classes";
    this.heat.update(grid.data, grid.shape, theme, kind, `${this.heatVersion}:${this.movieTime}`);
    this.heat.draw(context, this.projection, this.extent, kind === "density");
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

  /** The time of the density that is shown: the scrubber's, in steps; "" where there is no movie. */
  get movieTime() {
    if (!this.blended.movie) return "";
    const [t0, t1] = this.times;
    const place = Math.round((MOVIE_STEPS * (this.t - t0)) / (t1 - t0 || 1));
    return t0 + (place / MOVIE_STEPS) * (t1 - t0);
  }

  /** The density at that time. */
  frame(movie) {
    const found = frameAt(movie, this.movieTime, ...this.times, this.frameData);
    this.frameData = found.data;
    return found;
  }

  drawPoints(context, theme, moved) {
    const points = this.shownPoints;
    const { labels } = this.now.arrays;
    if (!points) return;
    if (this.compared) {
      this.drawEnds(context, theme, points);
      return;
    }
    const [n, dim] = points.shape;
    const [t0] = this.times;
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
      fillOutlined(context, this.colour(theme, c), moved ? null : theme.background);
      context.globalAlpha = 1;
    }
  }

}
