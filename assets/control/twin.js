// The closed loop in the browser: a plant and who drives it, one vector field like node_core's `Controlled`. A plant is what
// the page says of it: {key, parameters, limits, states: [{target, angle, scale}]}.

import { Field, RungeKutta4 } from "../mlp.js";
import { RATES, wrapped } from "./plants.js";

/** u = limit * tanh(net(seen)): of a state it sees sin and cos of an angle, (x - target) / scale of all else. */
export class Net {
  constructor(layers, plant) {
    this.plant = plant;
    this.field = new Field(layers, "tanh", false);
    this.seen = new Float64Array(this.field.inputs);
  }

  control(x, u) {
    const { seen, plant } = this;
    let at = 0;
    plant.states.forEach(({ angle, target, scale }, i) => {
      if (angle) {
        seen[at++] = Math.sin(x[i]);
        seen[at++] = Math.cos(x[i]);
      } else seen[at++] = (x[i] - target) / scale;
    });
    this.field.evaluate(0, seen, u);
    for (let k = 0; k < u.length; k++) u[k] = plant.limits[k] * Math.tanh(u[k]);
  }
}

/** u = -K (x - target), held to the limits; an angle's deviation is that of the shorter way round. */
export class Linear {
  /** `gain` (controls, states), row by row. */
  constructor(gain, plant) {
    Object.assign(this, { gain, plant });
  }

  control(x, u) {
    const { gain, plant } = this;
    const { states, limits } = plant;
    for (let k = 0; k < u.length; k++) {
      let sum = 0;
      for (let i = 0; i < states.length; i++) {
        const off = x[i] - states[i].target;
        sum -= gain[k * states.length + i] * (states[i].angle ? wrapped(off) : off);
      }
      u[k] = Math.min(limits[k], Math.max(-limits[k], sum));
    }
  }
}

/** u = 0. */
export const NOBODY = { control: (_x, u) => u.fill(0) };

/** dx/dt = f(x, u(x)) + push, and Runge-Kutta steps along it. */
export class Twin {
  /** `driver` has control(x, u), which writes u. */
  constructor(plant, driver) {
    this.rates = RATES[plant.key];
    if (!this.rates) throw new Error(`no plant "${plant.key}"`);
    Object.assign(this, { plant, driver, dim: plant.states.length });
    this.u = new Float64Array(plant.limits.length);
    this.push = new Float64Array(this.dim); // of somebody's hand
    this.solver = new RungeKutta4(this);
  }

  evaluate(_t, x, out) {
    this.driver.control(x, this.u);
    this.rates(x, this.u, this.plant.parameters, out);
    for (let i = 0; i < this.dim; i++) out[i] += this.push[i];
    return out;
  }

  /** Advance x in place by dt. */
  step(x, dt) {
    return this.solver.step(0, x, dt);
  }

  /** The control at x. */
  controlAt(x) {
    this.driver.control(x, this.u);
    return this.u;
  }
}

/** The path (steps + 1, dim), row by row, from x0. */
export function roll(twin, x0, dt, steps) {
  const x = Float64Array.from(x0);
  const path = new Float64Array((steps + 1) * twin.dim);
  path.set(x);
  for (let n = 1; n <= steps; n++) path.set(twin.step(x, dt), n * twin.dim);
  return path;
}

/** Whether every deviation that counts is within its tolerance. */
export const arrived = (x, { states }) =>
  states.every(({ tolerance, target, angle }, i) => tolerance === null || Math.abs(angle ? wrapped(x[i] - target) : x[i] - target) <= tolerance);
