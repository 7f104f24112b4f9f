// What a pointer does to the observations: a click takes one away or adds one, a drag moves one.

import { pageListens } from "../views.js";
import { within } from "./layout.js";

const REACH = { mouse: 10, touch: 18 }; // pixels within which an observation is meant
const STILL = 5; // pixels within which a press is a click
const SLOW = { mouse: Infinity, touch: 700 }; // ms after which a finger that rests means nothing
const AGAIN = 200; // ms between two words to the page while something is dragged

export class Hand {
  constructor(view) {
    this.view = view;
    this.told = 0;
    const { canvas } = view;
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => (this.grip ? this.drag(event) : this.point(event)));
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => this.drop());
    canvas.addEventListener("pointerleave", () => !this.grip && this.show(null));
    // A finger that begins on an observation moves it; any other scrolls the page.
    const own = (event) => this.grip?.row != null && event.preventDefault();
    canvas.addEventListener("touchstart", own, { passive: false });
    canvas.addEventListener("touchmove", own, { passive: false });
  }

  get observations() {
    return this.view.scene.observations;
  }

  placeOf(event) {
    const box = this.view.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  /** {row, panel, plane} of the observation near a place; row is null where there is none. */
  find(place, reach) {
    const { scene } = this.view;
    if (!scene.planes || !scene.ranges || !this.view.data?.editable) return null;
    const panel = scene.boxes.panels.findIndex((box) => within(box, place));
    const plane = scene.planes.find(({ kind, box }) => kind === "data" && within(box, place));
    if (panel < 0 && !plane) return null;
    let [row, nearest] = [null, reach];
    this.observations.shown.forEach((values, i) => {
      const at = plane
        ? [plane.x.at(values[1]), plane.y.at(values[2])]
        : [scene.scales[panel].t.at(values[0]), scene.scales[panel].x.at(values[1 + panel])];
      const distance = Math.hypot(at[0] - place[0], at[1] - place[1]);
      if (distance <= nearest) [row, nearest] = [i, distance];
    });
    return { row, panel, plane };
  }

  point(event) {
    if (event.pointerType === "touch") return;
    this.show(this.find(this.placeOf(event), REACH.mouse), this.placeOf(event));
  }

  /** Mark what a click would mean, and say it. */
  show(found, place) {
    const { scene, canvas, pointed } = this.view;
    const row = found?.row ?? null;
    if (scene.pointed !== row) this.view.dirty = true;
    scene.pointed = row;
    canvas.classList.toggle("grips", row !== null);
    const text = found ? this.describe(found, place) : "";
    if (pointed.textContent !== text) pointed.textContent = text;
  }

  describe({ row, panel, plane }, place) {
    const { scene } = this.view;
    const number = (value) => String(Number(value.toPrecision(4)));
    if (row !== null) {
      const [t, ...values] = this.observations.shown[row];
      return `t = ${number(t)}: ${values.map((value) => (Number.isNaN(value) ? "–" : number(value))).join(", ")}. Drag to move, click to take away.`;
    }
    if (plane) return "";
    const { t, x } = scene.scales[panel];
    return `t = ${number(t.back(place[0]))}, ${number(x.back(place[1]))}: click to observe it.`;
  }

  press(event) {
    if (event.button > 0) return;
    const place = this.placeOf(event);
    const found = this.find(place, REACH[event.pointerType] ?? REACH.mouse);
    if (!found) return;
    const kind = event.pointerType === "touch" ? "touch" : "mouse";
    this.grip = { ...found, from: place, moved: false, since: event.timeStamp, kind, before: this.observations.pending };
    if (found.row === null && kind === "touch") return; // it may be the beginning of a scroll
    this.view.canvas.setPointerCapture(event.pointerId);
    if (found.row !== null) this.view.canvas.classList.add("held");
  }

  drag(event) {
    const { grip } = this;
    const place = this.placeOf(event);
    if (!grip.moved && Math.hypot(place[0] - grip.from[0], place[1] - grip.from[1]) <= STILL) return;
    grip.moved = true;
    if (grip.row === null) return;
    const { scene } = this.view;
    if (grip.plane) {
      const { x, y } = grip.plane;
      this.observations.move(grip.row, undefined, [[0, x.back(place[0])], [1, y.back(place[1])]]);
    } else {
      const { t, x } = scene.scales[grip.panel];
      const box = scene.boxes.panels[grip.panel];
      const level = Math.min(box.bottom, Math.max(box.top, place[1]));
      this.observations.move(grip.row, t.back(place[0]), [[grip.panel, x.back(level)]]);
    }
    this.observations.held = true;
    this.show(grip, place);
    this.view.dirty = true;
    if (event.timeStamp - this.told > AGAIN && pageListens()) {
      this.told = event.timeStamp;
      this.view.tellRows();
    }
  }

  release(event) {
    const { grip } = this;
    this.drop(false);
    if (!grip) return;
    const place = this.placeOf(event);
    if (grip.moved) {
      if (grip.row !== null) this.view.tellRows();
      return;
    }
    if (event.timeStamp - grip.since > SLOW[grip.kind]) return;
    if (grip.row !== null) {
      if (this.observations.shown.length < 2) {
        this.view.waits.tell("pointed", "One observation has to stay: add others first.");
        return;
      }
      this.observations.remove(grip.row);
    } else if (!grip.plane) {
      const { t, x } = this.view.scene.scales[grip.panel];
      this.observations.add(t.back(place[0]), grip.panel, x.back(place[1]), this.view.scene.dim);
    } else return;
    this.view.waits.tell("pointed", "");
    this.view.scene.pointed = null;
    this.view.tellRows();
  }

  /** Let go; a drag that was broken off leaves things as they were. */
  drop(broken = true) {
    if (broken && this.grip?.moved) this.observations.pending = this.grip.before;
    this.observations.held = false;
    this.observations.since = performance.now();
    this.grip = null;
    this.view.canvas.classList.remove("held");
    this.view.dirty = true;
  }
}
