// What moves: particles that drift with the field, and the lattice that the flow bends.

import { RungeKutta4 } from "./mlp.js";

const TRAIL = 10;
const MOST = 500;
const FEWEST = 60;

/** Particles live through [t0, t1] in `life` seconds and start again somewhere in the extent. */
export class Particles {
  constructor() {
    this.count = 260;
    this.life = 3.5;
    this.cost = 0;
    this.random = generator(7);
  }

  /** Use this field from now on; positions stay, so that the flow does not jump at a new snapshot. */
  use(field, extent, t0, t1) {
    if (!this.solver || this.solver.field.dim !== field.dim) {
      this.y = new Float64Array(MOST * field.dim);
      this.trail = new Float64Array(MOST * TRAIL * field.dim);
      this.age = new Float64Array(MOST).map(() => -1);
    }
    if (this.solver?.field !== field) this.solver = new RungeKutta4(field);
    Object.assign(this, { extent, t0, t1 });
  }

  born(i, age) {
    const dim = this.solver.field.dim;
    const [xmin, xmax, ymin, ymax] = this.extent;
    const y = this.y.subarray(i * dim, (i + 1) * dim).fill(0);
    y[0] = dim < 2 ? ymin + this.random() * (ymax - ymin) : xmin + this.random() * (xmax - xmin);
    if (dim > 1) y[1] = ymin + this.random() * (ymax - ymin);
    this.age[i] = age;
    for (let k = 0; k < TRAIL; k++) this.trail.set(y, (i * TRAIL + k) * dim);
  }

  /** Move by `seconds` of the display; the number adapts so that this takes at most a few ms. */
  move(seconds) {
    const start = performance.now();
    const dim = this.solver.field.dim;
    const part = Math.min(0.1, seconds) / this.life;
    for (let i = 0; i < this.count; i++) {
      if (this.age[i] < 0) this.born(i, this.random());
      else if (this.age[i] >= 1) this.born(i, 0);
      const y = this.y.subarray(i * dim, (i + 1) * dim);
      const t = this.t0 + this.age[i] * (this.t1 - this.t0);
      const step = Math.min(part, 1 - this.age[i]);
      this.solver.step(t, y, step * (this.t1 - this.t0));
      this.age[i] += Math.max(step, 1e-6);
      const from = i * TRAIL * dim;
      this.trail.copyWithin(from + dim, from, from + (TRAIL - 1) * dim);
      this.trail.set(y, from);
    }
    this.cost += 0.1 * (performance.now() - start - this.cost);
    if (this.cost > 5) this.count = Math.max(FEWEST, Math.round(this.count * 0.97));
    else if (this.cost < 3) this.count = Math.min(MOST, this.count + 1);
  }

  draw(context, projection, colour) {
    const dim = this.solver.field.dim;
    const at = [0, 0];
    const span = this.t1 - this.t0;
    context.strokeStyle = colour;
    context.lineWidth = 1.2;
    context.lineCap = "round";
    // Young, middle-aged and old: three strokes instead of one a particle.
    for (const [low, high, alpha] of [[0, 0.15, 0.25], [0.15, 0.8, 0.55], [0.8, 1.1, 0.25]]) {
      context.globalAlpha = alpha;
      context.beginPath();
      for (let i = 0; i < this.count; i++) {
        if (this.age[i] < low || this.age[i] >= high) continue;
        for (let k = 0; k < TRAIL; k++) {
          const t = this.t0 + Math.max(0, this.age[i] - k * 0.005) * span;
          projection.toScreen(this.trail, (i * TRAIL + k) * dim, t, at);
          if (k === 0) context.moveTo(at[0], at[1]);
          else context.lineTo(at[0], at[1]);
        }
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }
}

/** A lattice of NODES x NODES states carried along the flow, LEVELS + 1 times between t0 and t1. */
export class Lattice {
  static NODES = 21;
  static LEVELS = 12;

  /** Begin to compute the lattice of this field; the former stays until it is done. */
  use(field, extent, t0, t1) {
    if (this.wanted?.field === field || (this.work && this.work.dim === field.dim)) return;
    this.wanted = { field };
    const { NODES, LEVELS } = Lattice;
    const dim = field.dim;
    const y = new Float64Array(NODES * NODES * dim);
    const [xmin, xmax, ymin, ymax] = extent;
    for (let row = 0; row < NODES; row++) {
      for (let column = 0; column < NODES; column++) {
        const at = (row * NODES + column) * dim;
        y[at] = xmin + ((xmax - xmin) * column) / (NODES - 1);
        if (dim > 1) y[at + 1] = ymin + ((ymax - ymin) * row) / (NODES - 1);
      }
    }
    const levels = [y];
    this.work = { solver: new RungeKutta4(field), dim, t0, t1, levels, dt: (t1 - t0) / LEVELS, at: 0 };
  }

  /** Compute for about `milliseconds`; true when a new lattice is ready. */
  advance(milliseconds) {
    const work = this.work;
    if (!work) return false;
    const end = performance.now() + milliseconds;
    const { solver, dim, levels, dt } = work;
    while (performance.now() < end) {
      if (work.at === 0) levels.push(levels[levels.length - 1].slice());
      const y = levels[levels.length - 1];
      const t = work.t0 + (levels.length - 2) * dt;
      const stop = Math.min(y.length, work.at + 16 * dim);
      for (let i = work.at; i < stop; i += dim) solver.step(t, y.subarray(i, i + dim), dt);
      work.at = stop === y.length ? 0 : stop;
      if (work.at === 0 && levels.length > Lattice.LEVELS) {
        this.ready = { levels, dim, t0: work.t0, t1: work.t1 };
        this.work = null;
        return true;
      }
    }
    return false;
  }

  draw(context, projection, t, colour) {
    if (!this.ready) return;
    const { levels, dim, t0, t1 } = this.ready;
    const { NODES, LEVELS } = Lattice;
    const place = Math.min(1, Math.max(0, (t - t0) / (t1 - t0 || 1))) * LEVELS;
    const k = Math.min(LEVELS - 1, Math.floor(place));
    const s = place - k;
    const y = levels[k].map((value, i) => value + (levels[k + 1][i] - value) * s);
    const node = (row, column) => projection.toScreen(y, (row * NODES + column) * dim, t, [0, 0]);
    context.strokeStyle = colour;
    context.globalAlpha = 0.45;
    context.lineWidth = 1;
    context.beginPath();
    for (let line = 0; line < NODES; line += 2) {
      smooth(context, NODES, (i) => node(line, i));
      smooth(context, NODES, (i) => node(i, line));
    }
    context.stroke();
    context.globalAlpha = 1;
  }
}

/** A curve through the middles of the sides of a polygon: round where the lattice is coarse. */
function smooth(context, count, point) {
  let last = point(0);
  context.moveTo(last[0], last[1]);
  for (let i = 1; i < count; i++) {
    const next = point(i);
    context.quadraticCurveTo(last[0], last[1], (last[0] + next[0]) / 2, (last[1] + next[1]) / 2);
    last = next;
  }
  context.lineTo(last[0], last[1]);
}

/** Seeded uniform numbers in [0, 1). */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 4294967296;
  };
}
