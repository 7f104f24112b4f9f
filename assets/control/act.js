// What is drawn of a run and its world: the plant, the phase plane, and what the control has just done.

import { layersOf } from "../mlp.js";
import { CartPoleDrawing, drawUnicycle, PendulumDrawing } from "./drawings.js";
import { drawEfforts, drawStates } from "./past.js";
import { Basin, Plane } from "./plane.js";
import { arrived, Twin } from "./twin.js";
import { World } from "./world.js";

export const NARROW = 620; // pixels, below which the phase plane stands below the stage
const BUDGET = 4; // ms a frame for a basin that is computed here
const STRIP = 46; // pixels of the control's recent past
const ROOM = 96; // pixels above curves that stand in the stage's place, for the numbers
const DRAWINGS = { pendulum: PendulumDrawing, cart_pole: CartPoleDrawing };

/** A control to a digit after the point, without a minus where it is 0. */
const shown = (value) => (Math.round(10 * value) / 10 + 0).toFixed(1).replace("-", "−");

export class Act {
  constructor() {
    this.world = new World();
    this.plane = new Plane();
    this.number = 0;
    this.clear();
  }

  /** What comes next is of another run; the world stands still until it has a driver again. */
  clear() {
    this.basin = null;
    this.own = new Map(); // basins computed here, by driver
    this.world.twin = this.world.policies = this.world.layers = null;
  }

  take({ arrays }) {
    const layers = layersOf(arrays);
    if (!layers.length) return;
    this.number += 1;
    if (arrays.grid) this.basin = { ...arrays.grid, stamp: this.number };
    this.world.learn(layers, arrays.gain?.data);
  }

  /** The basin of whoever drives: the net's comes with the run, the others' are computed here. */
  shownBasin() {
    const { world } = this;
    if (!world.twin) return null;
    if (world.driver === "net") return this.basin;
    const { plant, driver } = world;
    const key = JSON.stringify([plant.key, plant.parameters, plant.limits, Array.from(world.gain ?? []), driver]);
    if (this.own.get(driver)?.key !== key) {
      const basin = new Basin(new Twin(plant, world.policies[driver]), plant, arrived);
      this.own.set(driver, Object.assign(basin, { key }));
    }
    return this.own.get(driver);
  }

  /** Bring everything `seconds` further; true if the next frame will differ. */
  advance(seconds) {
    const basin = this.shownBasin();
    const growing = basin instanceof Basin && !basin.done;
    if (growing) basin.advance(BUDGET);
    return this.world.advance(seconds) || growing;
  }

  /** Whether the phase plane is itself the place where the plant moves. */
  get alone() {
    return !(this.world.plant?.key in DRAWINGS);
  }

  layOut(width, height, scale) {
    const { plant } = this.world;
    const strip = STRIP * scale;
    const beside = width >= NARROW;
    const half = 0.5 * width;
    const first = beside ? { x: 0, y: 0, width: half, height: height - strip } : { x: 0, y: 0, width, height: 0.48 * height - strip };
    const second = beside ? { x: half, y: 0, width: half, height } : { x: 0, y: 0.48 * height, width, height: 0.52 * height };
    if (this.alone) {
      this.plane.configure(plant, beside ? second : { x: 0, y: 0, width, height: height - strip }, scale);
      this.past = beside ? { x: 6, y: ROOM * scale, width: half - 24, height: height - strip - (ROOM + 12) * scale } : null;
    } else {
      this.plane.configure(plant, second, scale);
      this.past = null;
    }
    const below = this.alone && !beside ? height - strip : first.height;
    this.strip = { x: 6, y: below, width: first.width - 24, height: strip };
    if (this.drawing?.key !== plant.key) this.drawing = this.alone ? null : Object.assign(new DRAWINGS[plant.key](), { key: plant.key });
    this.drawing?.configure(first, plant);
  }

  draw(context, theme, width, height) {
    const { world, plane } = this;
    if (!world.plant || !world.x) return;
    this.layOut(width, height, theme.scale);
    plane.draw(context, world, this.shownBasin(), theme, width, height);
    const u = world.twin?.controlAt(world.x) ?? world.plant.limits.map(() => 0);
    if (this.drawing) this.drawing.draw(context, world.x, u, theme, world.hand?.component ?? null);
    else if (world.plant.key === "unicycle") drawUnicycle(context, plane, world.x, u, theme);
    if (this.past) drawStates(context, this.past, theme, world);
    drawEfforts(context, this.strip, theme, world);
  }

  /** How the plant stands, in a few words. */
  said() {
    const { world } = this;
    const there = arrived(world.x, world.plant);
    const u = world.twin ? Array.from(world.twin.controlAt(world.x), shown).join(", ") : "0";
    return `${there ? world.plant.there : world.plant.away} · ${world.plant.controls.map(({ label }) => label).join(", ")} = ${u}`;
  }
}
