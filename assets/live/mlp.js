// The field's numbers, without any drawing: the same f(t, y) as node_core's MLPField, and the classical Runge-Kutta.

const ACTIVATIONS = {
  tanh: Math.tanh,
  softplus: (x) => (x > 30 ? x : Math.log1p(Math.exp(x))),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
};

/** tanh to 1e-6 by a quotient of polynomials (Eigen's): several times faster than Math.tanh. */
function quickTanh(value) {
  const x = value > 7.9 ? 7.9 : value < -7.9 ? -7.9 : value;
  const z = x * x;
  const above =
    ((((((-2.76076847742355e-16 * z + 2.00018790482477e-13) * z - 8.60467152213735e-11) * z + 5.12229709037114e-8) * z +
      1.48572235717979e-5) * z + 6.37261928875436e-4) * z + 4.89352455891786e-3) * x;
  return above / (((1.19825839466702e-6 * z + 1.18534705686654e-4) * z + 2.268434632439e-3) * z + 4.89352518554385e-3);
}

const QUICK = { ...ACTIVATIONS, tanh: quickTanh };
const LANES = 4; // states that share one reading of the weights

/** The layers in a snapshot's arrays, none if it has no weights. */
export function layersOf(arrays) {
  const layers = [];
  for (let k = 1; arrays[`W${k}`] && arrays[`b${k}`]; k++) {
    layers.push({ W: arrays[`W${k}`].data, b: arrays[`b${k}`].data });
  }
  return layers;
}

/**
 * dy/dt = W_L a(... a(W_1 [y; t] + b_1) ...) + b_L, for one state at a time; buffers are reused. It may also be a net with
 * fewer or more outputs (`dim`) than inputs, of which only `evaluate` is meant.
 */
export class Field {
  /**
   * @param layers [{W: Float32Array (out x in, row by row), b: Float32Array}]
   * @param activation "tanh" | "softplus" | "elu"
   * @param timeDependent t is the last input of the first layer
   */
  constructor(layers, activation, timeDependent) {
    if (!(activation in ACTIVATIONS)) throw new Error(`no activation "${activation}"`);
    this.layers = layers;
    this.dim = layers[layers.length - 1].b.length;
    this.timeDependent = timeDependent;
    this.activate = ACTIVATIONS[activation];
    this.quick = QUICK[activation];
    this.buffers = layers.slice(0, -1).map(({ b }) => new Float64Array(b.length));
    this.input = new Float64Array(layers[0].W.length / layers[0].b.length);
    this.inputs = this.input.length - (timeDependent ? 1 : 0);
  }

  /** The field of a snapshot, or null if it has no weights. */
  static of(snapshot) {
    const { arrays, scalars } = snapshot;
    const layers = layersOf(arrays);
    return layers.length ? new Field(layers, scalars.activation ?? "tanh", Boolean(scalars.time_dependent)) : null;
  }

  /** f(t, y) into `out` (length dim); `y` and `out` may be the same. */
  evaluate(t, y, out) {
    let x = this.input;
    for (let i = 0; i < this.inputs; i++) x[i] = y[i];
    if (this.timeDependent) x[this.inputs] = t;
    const last = this.layers.length - 1;
    for (let k = 0; k <= last; k++) {
      const { W, b } = this.layers[k];
      const inputs = x.length;
      const target = k === last ? out : this.buffers[k];
      for (let row = 0, at = 0; row < b.length; row++) {
        let sum = b[row];
        for (let column = 0; column < inputs; column++) sum += W[at++] * x[column];
        target[row] = k === last ? sum : this.activate(sum);
      }
      x = target;
    }
    return out;
  }

  /**
   * f(t_i, y_i) of `count` states, one after the other in `y`, into `out` of the same layout: to about 1e-6, which is
   * enough for what drifts past, in a third of the time.
   */
  evaluateMany(ts, y, count, out) {
    const { dim, layers, quick } = this;
    const last = layers.length - 1;
    this.lanes ??= [this.input, ...layers.map(({ b }) => b)].map(({ length }) => new Float64Array(LANES * length));
    for (let first = 0; first < count; first += LANES) {
      let x = this.lanes[0];
      for (let lane = 0; lane < LANES; lane++) {
        const i = Math.min(first + lane, count - 1);
        for (let d = 0; d < dim; d++) x[LANES * d + lane] = y[i * dim + d];
        if (this.timeDependent) x[LANES * dim + lane] = ts[i];
      }
      for (let k = 0; k <= last; k++) {
        const { W, b } = layers[k];
        const width = x.length;
        const target = this.lanes[k + 1];
        for (let row = 0, at = 0; row < b.length; row++) {
          let s0 = b[row];
          let s1 = s0;
          let s2 = s0;
          let s3 = s0;
          for (let column = 0; column < width; column += LANES) {
            const w = W[at++];
            s0 += w * x[column];
            s1 += w * x[column + 1];
            s2 += w * x[column + 2];
            s3 += w * x[column + 3];
          }
          const to = LANES * row;
          target[to] = k === last ? s0 : quick(s0);
          target[to + 1] = k === last ? s1 : quick(s1);
          target[to + 2] = k === last ? s2 : quick(s2);
          target[to + 3] = k === last ? s3 : quick(s3);
        }
        x = target;
      }
      for (let lane = 0; lane < LANES && first + lane < count; lane++) {
        for (let d = 0; d < dim; d++) out[(first + lane) * dim + d] = x[LANES * d + lane];
      }
    }
    return out;
  }
}

/** Steps of the classical fourth-order Runge-Kutta method for fields of one dimension, without allocation. */
export class RungeKutta4 {
  constructor(field) {
    this.field = field;
    this.k = [0, 1, 2, 3].map(() => new Float64Array(field.dim));
    this.stage = new Float64Array(field.dim);
  }

  /** Advance `y` (length dim) in place from t by dt. */
  step(t, y, dt) {
    const { field, stage } = this;
    const [k1, k2, k3, k4] = this.k;
    const dim = field.dim;
    field.evaluate(t, y, k1);
    for (let i = 0; i < dim; i++) stage[i] = y[i] + 0.5 * dt * k1[i];
    field.evaluate(t + 0.5 * dt, stage, k2);
    for (let i = 0; i < dim; i++) stage[i] = y[i] + 0.5 * dt * k2[i];
    field.evaluate(t + 0.5 * dt, stage, k3);
    for (let i = 0; i < dim; i++) stage[i] = y[i] + dt * k3[i];
    field.evaluate(t + dt, stage, k4);
    for (let i = 0; i < dim; i++) y[i] += (dt / 6) * (k1[i] + 2 * (k2[i] + k3[i]) + k4[i]);
    return y;
  }
}

/** The path (steps + 1, dim), row by row, from y0 at t0 to t1; missing (augmented) components of y0 are 0. */
export function trajectory(field, y0, t0, t1, steps) {
  const dim = field.dim;
  const path = new Float64Array((steps + 1) * dim);
  const y = new Float64Array(dim);
  for (let i = 0; i < Math.min(dim, y0.length); i++) y[i] = y0[i];
  const solver = new RungeKutta4(field);
  const dt = (t1 - t0) / steps;
  path.set(y, 0);
  for (let n = 0; n < steps; n++) path.set(solver.step(t0 + n * dt, y, dt), (n + 1) * dim);
  return path;
}
