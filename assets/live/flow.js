// What moves: particles that drift with the field, and the lattice that the flow bends.

import { RungeKutta4 } from "./mlp.js";

const TRAIL = 6; // points of a trail, every second frame one
const MOST = 500;
const FEWEST = 120;
const BUDGET = 2.5; // ms a frame that moving them may take
const AGES = [[0, 0.15, 0.25], [0.15, 0.8, 0.55], [0.8, 1.1, 0.25]]; // from, to, opacity: young ones and old ones are faint

/** Particles live through [t0, t1] in `life` seconds and start again somewhere in the extent. */
export class Particles {
  constructor() {
    this.count = 260;
    this.life = 3.5;
    this.cost = 0;
    this.moves = 0;
    this.random = generator(7);
  }

  /** Use this field from now on; positions stay, so that the flow does not jump at a new snapshot. */
  use(field, extent, t0, t1) {
    if (this.field?.dim !== field.dim) {
      const room = MOST * field.dim;
      this.y = new Float64Array(room);
      this.velocity = new Float64Array(room);
      this.before = new Float64Array(room); // the velocities of the move before
      this.taken = new Float64Array(MOST); // the time step of the move before; 0: there was none
      this.ts = new Float64Array(MOST);
      this.age = new Float64Array(MOST).fill(-1);
      this.trail = Array.from({ length: TRAIL }, () => new Float64Array(room)); // [0]: the oldest
    }
    Object.assign(this, { field, extent, t0, t1 });
  }

  born(i, age) {
    const dim = this.field.dim;
    const [xmin, xmax, ymin, ymax] = this.extent;
    const at = i * dim;
    this.y.fill(0, at, at + dim);
    this.y[at] = dim < 2 ? ymin + this.random() * (ymax - ymin) : xmin + this.random() * (xmax - xmin);
    if (dim > 1) this.y[at + 1] = ymin + this.random() * (ymax - ymin);
    this.age[i] = age;
    this.taken[i] = 0;
    for (const past of this.trail) for (let d = 0; d < dim; d++) past[at + d] = this.y[at + d];
  }

  /**
   * Move by `seconds` of the display: one evaluation a particle (Adams-Bashforth of order 2: steps are small here).
   * Their number adapts, so that this takes at most a few ms; `late`: the display does not keep up.
   */
  move(seconds, late = false) {
    const start = performance.now();
    const { field, y, velocity, before, taken, ts, age, count } = this;
    const dim = field.dim;
    const span = this.t1 - this.t0;
    const part = Math.min(0.1, seconds) / this.life;
    for (let i = 0; i < count; i++) {
      if (age[i] < 0) this.born(i, this.random());
      else if (age[i] >= 1) this.born(i, 0);
      ts[i] = this.t0 + age[i] * span;
    }
    field.evaluateMany(ts, y, count, velocity);
    for (let i = 0; i < count; i++) {
      const step = Math.min(part, 1 - age[i]);
      const dt = step * span;
      const share = taken[i] > 0 ? Math.min(0.75, (0.5 * dt) / taken[i]) : 0;
      for (let at = i * dim; at < (i + 1) * dim; at++) {
        y[at] += dt * (velocity[at] + share * (velocity[at] - before[at]));
        before[at] = velocity[at];
      }
      taken[i] = dt;
      age[i] += Math.max(step, 1e-6);
    }
    if (this.moves++ % 2 === 0) this.trail.push(this.trail.shift());
    this.trail[TRAIL - 1].set(y);
    this.cost += 0.1 * (performance.now() - start - this.cost);
    if (late || this.cost > BUDGET) this.count = Math.max(FEWEST, Math.round(count * 0.98));
    else if (this.cost < 0.6 * BUDGET) this.count = Math.min(MOST, count + 1);
  }

  draw(context, projection, colour) {
    const { trail, age, count, t0, t1 } = this;
    const dim = this.field.dim;
    const at = [0, 0];
    context.strokeStyle = colour;
    context.lineWidth = 1.2;
    context.lineJoin = "bevel";
    // Young, middle-aged and old: three strokes instead of one a particle.
    for (const [low, high, alpha] of AGES) {
      context.globalAlpha = alpha;
      context.beginPath();
      for (let i = 0; i < count; i++) {
        if (age[i] < low || age[i] >= high) continue;
        for (let k = TRAIL - 1; k >= 0; k--) {
          const t = t0 + Math.max(0, age[i] - (TRAIL - 1 - k) * 0.01) * (t1 - t0);
          projection.toScreen(trail[k], i * dim, t, at);
          if (k === TRAIL - 1) context.moveTo(at[0], at[1]);
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
