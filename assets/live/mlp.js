// The field's numbers, without any drawing: the same f(t, y) as node_core's MLPField, and the classical Runge-Kutta.

const ACTIVATIONS = {
  tanh: Math.tanh,
  softplus: (x) => (x > 30 ? x : Math.log1p(Math.exp(x))),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
};

/** dy/dt = W_L a(... a(W_1 [y; t] + b_1) ...) + b_L, for one state at a time; buffers are reused. */
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
    this.buffers = layers.slice(0, -1).map(({ b }) => new Float64Array(b.length));
    this.input = new Float64Array(this.dim + (timeDependent ? 1 : 0));
  }

  /** The field of a snapshot, or null if it has no weights. */
  static of(snapshot) {
    const { arrays, scalars } = snapshot;
    const layers = [];
    for (let k = 1; arrays[`W${k}`] && arrays[`b${k}`]; k++) {
      layers.push({ W: arrays[`W${k}`].data, b: arrays[`b${k}`].data });
    }
    return layers.length ? new Field(layers, scalars.activation ?? "tanh", Boolean(scalars.time_dependent)) : null;
  }

  /** f(t, y) into `out` (length dim); `y` and `out` may be the same. */
  evaluate(t, y, out) {
    let x = this.input;
    for (let i = 0; i < this.dim; i++) x[i] = y[i];
    if (this.timeDependent) x[this.dim] = t;
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
