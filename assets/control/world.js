// What happens on the stage: the plant goes on in real time, whoever drives it, and somebody may push it.

import { wrapped } from "./plants.js";
import { Linear, Net, NOBODY, Twin } from "./twin.js";

export const DRIVERS = { net: "The net", lqr: "LQR", nobody: "Nobody" };
const DT = 0.005; // s of the plant's time a Runge-Kutta step, where that is as fast as the display's
const REST = 1; // s at the end of an episode
const PATIENCE = 8; // s after a push until the next episode
const [TRAIL, EVERY] = [500, 0.02]; // states that are remembered, and s of the display between two of them
const [SPRING, DAMPING, STRONGEST] = [60, 9, 30]; // of a hand that pulls
const FAR = 1e4; // states past it are lost
const TRACK = 3.6; // m that the cart may go to either side
const LEAST = 0.02; // of a population

/** A small seeded generator (mulberry32): the same starts for everybody. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export class World {
  constructor() {
    this.wanted = "net";
    this.moving = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.version = 0; // counts plants and policies, for what is drawn of them
    this.clear();
  }

  /** No run is shown: nobody can drive. */
  clear() {
    this.policies = null;
    this.plant = this.twin = this.x = null;
    this.episode = this.pushes = 0;
    this.random = generator(5);
  }

  /** The plant that the page describes; the state goes on if it is the same one. */
  use(plant) {
    const same = this.plant?.key === plant.key && String(this.plant.low) === String(plant.low);
    this.plant = plant;
    // The time of a slow plant is hurried: an episode is a few seconds of the display.
    this.hurry = Math.max(1, plant.horizon / 5);
    if (this.layers) this.learn(this.layers, this.gain);
    if (!same || !this.x) this.begin();
  }

  /** Take the policies of a snapshot. */
  learn(layers, gain) {
    Object.assign(this, { layers, gain });
    if (!this.plant) return;
    const { plant } = this;
    this.policies = { net: new Net(layers, plant), lqr: gain && new Linear(gain, plant), nobody: NOBODY };
    this.drive(this.wanted);
    if (!this.x) this.begin();
  }

  /** Who can drive here. */
  get offered() {
    return Object.keys(DRIVERS).filter((name) => this.policies?.[name]);
  }

  /** Who does. */
  get driver() {
    return this.offered.includes(this.wanted) ? this.wanted : "net";
  }

  /** Let somebody drive from now on. */
  drive(name) {
    this.wanted = name;
    if (!this.policies) return;
    this.twin = new Twin(this.plant, this.policies[this.driver]);
    this.version += 1;
  }

  /** An episode from here, or from somewhere where training begins. */
  begin(x) {
    const { low, high } = this.plant;
    this.x = Float64Array.from(x ?? low.map((from, i) => from + this.random() * (high[i] - from)));
    this.t = 0;
    this.quiet = x ? -PATIENCE : 0;
    this.episode += 1;
    this.trail = [];
    this.efforts = [];
    this.sampled = -1;
    this.hand = null;
  }

  /** Bring the world `seconds` of the display further; whether anything moved. */
  advance(seconds) {
    const { twin, x } = this;
    if (!twin || !this.moving) return false;
    const steps = Math.max(1, Math.round(seconds / DT));
    for (let n = 0; n < steps; n++) {
      this.pull();
      twin.step(x, (seconds * this.hurry) / steps);
    }
    this.t += seconds;
    this.quiet += seconds;
    this.remember();
    const over = this.t * this.hurry > this.plant.horizon + REST * this.hurry && this.quiet > REST && !this.hand;
    if (this.lost && this.hand && x.every(Number.isFinite)) this.stop();
    else if (over || this.lost) this.begin();
    return true;
  }

  /** Whether it has gone where nobody can look. */
  get lost() {
    return this.x.some((value) => !(Math.abs(value) < FAR)) || (this.plant.key === "cart_pole" && Math.abs(this.x[0]) > TRACK);
  }

  /** A hand holds it: it only comes to the end of its track. */
  stop() {
    this.x[0] = Math.min(TRACK, Math.max(-TRACK, this.x[0]));
    this.x[1] = 0;
  }

  remember() {
    if (this.t - this.sampled < EVERY) return;
    this.sampled = this.t;
    this.trail.push(Array.from(this.x));
    this.efforts.push(Array.from(this.twin.controlAt(this.x)));
    if (this.trail.length > TRAIL) {
      this.trail.shift();
      this.efforts.shift();
    }
  }

  // -- somebody's hand

  /** Somebody does something to the plant: the episode waits. */
  touch() {
    this.pushes += 1;
    this.quiet = -PATIENCE;
  }

  /** Take hold of it: a spring pulls component i of the state, whose velocity is component i + 1, towards valueAt(x). */
  hold(component, valueAt) {
    this.hand = { component, valueAt };
    this.quiet = -PATIENCE;
  }

  release() {
    this.hand = null;
    this.twin?.push.fill(0);
  }

  pull() {
    const { hand, twin, x, plant } = this;
    if (!hand) return;
    const i = hand.component;
    const value = hand.valueAt(x);
    const away = plant.states[i].angle ? wrapped(value - x[i]) : value - x[i];
    const push = SPRING * away - DAMPING * x[i + 1];
    twin.push[i + 1] = Math.min(STRONGEST, Math.max(-STRONGEST, push));
  }

  /** Put the two states of the phase plane somewhere. */
  put(values) {
    const { plane, key } = this.plant;
    plane.forEach((i, k) => (this.x[i] = key === "lotka_volterra" ? Math.max(LEAST, values[k]) : values[k]));
    this.trail = [];
    this.efforts = [];
    this.sampled = -1;
    this.quiet = -PATIENCE;
  }

  /** A sudden push to the left (-1) or to the right (1). */
  kick(way) {
    const { x, plant } = this;
    if (!x) return;
    if (plant.key === "pendulum") x[1] += 2.5 * way * (Math.cos(x[0]) < 0 ? -1 : 1);
    else if (plant.key === "cart_pole") x[3] += 1.5 * way * (Math.cos(x[2]) < 0 ? -1 : 1);
    else if (plant.key === "unicycle") x[0] += 0.5 * way;
    else x[0] = Math.max(LEAST, x[0] * (1 + 0.4 * way));
    this.touch();
  }
}
