// What a pointer does on the canvas: turn the picture, ask for a path or a particle, and choose the time in the steps below.

const STILL = 10; // pixels within which a finger that comes and goes is a tap

export class Pointer {
  constructor(view) {
    this.view = view;
    this.fingers = new Map(); // on the canvas: where each is
    const { canvas } = view;
    canvas.onpointermove = (event) => (event.pointerType === "touch" ? this.slide(event) : this.point(event));
    canvas.onpointerdown = (event) => {
      if (event.pointerType === "touch") {
        this.put(event);
        return;
      }
      canvas.setPointerCapture(event.pointerId);
      this.seize(event);
      this.point(event);
    };
    canvas.onpointerup = (event) => {
      if (event.pointerType === "touch") this.lift(event);
      this.grip = null;
    };
    canvas.onpointercancel = (event) => {
      this.fingers.delete(event.pointerId); // the page scrolls
      this.tap = this.grip = null;
    };
    canvas.onpointerleave = (event) => event.pointerType !== "touch" && this.leave();
    // One finger scrolls the page (`touch-action` in style.js); two are ours.
    for (const kind of ["touchstart", "touchmove"]) {
      canvas.addEventListener(kind, (event) => event.touches.length > 1 && event.preventDefault(), { passive: false });
    }
  }

  seize(event) {
    this.grip = [event.clientX, event.clientY];
    this.inSteps = this.placeOf(event)[1] > this.view.size[1] - this.view.strip.height;
  }

  // -- fingers: a tap does what a mouse's press does, two of them what it does as it drags

  put(event) {
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    this.tap = this.fingers.size === 1 ? [event.clientX, event.clientY] : null;
    if (this.fingers.size === 2) this.seize(this.between());
  }

  slide(event) {
    if (!this.fingers.has(event.pointerId)) return;
    this.fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.tap && Math.hypot(event.clientX - this.tap[0], event.clientY - this.tap[1]) > STILL) this.tap = null;
    if (this.fingers.size === 2) this.point(this.between());
  }

  lift(event) {
    this.fingers.delete(event.pointerId);
    if (!this.tap) return;
    this.tap = null;
    this.seize(event);
    this.point({ clientX: event.clientX, clientY: event.clientY, type: "pointerdown" });
  }

  /** Halfway between two fingers, as if a pointer were there. */
  between() {
    const [[ax, ay], [bx, by]] = [...this.fingers.values()];
    return { clientX: (ax + bx) / 2, clientY: (ay + by) / 2, type: "pointermove" };
  }

  placeOf(event) {
    const box = this.view.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  leave() {
    this.view.scene.probe.release();
    this.view.waits.tell("pointed", "");
    this.view.dirty = true;
  }

  point(event) {
    const { scene, size, strip } = this.view;
    const { projection } = scene;
    const place = this.placeOf(event);
    if (this.grip && this.inSteps) {
      this.view.goTo(strip.phaseAt(place[0], size[0]));
      return;
    }
    if (this.grip && projection.rotatable && !event.shiftKey) {
      projection.rotate(event.clientX - this.grip[0], event.clientY - this.grip[1]);
      this.grip = [event.clientX, event.clientY];
      scene.probe.lookAt(null);
      this.view.dirty = true;
      return;
    }
    if (scene.flow) {
      if (this.grip && event.type === "pointerdown") this.pick(...place);
      return;
    }
    if (place[1] > size[1] - strip.height) {
      this.leave();
      return;
    }
    const at = projection.toData(...place);
    scene.probe.lookAt(at, Boolean(this.grip));
    this.describe(at);
    this.view.dirty = true;
  }

  /** Choose the particle near a pixel: its integral is drawn here, and the page is told its number. */
  pick(x, y) {
    const { scene, root, toldPick } = this.view;
    if (!scene.useDots()) return;
    const found = scene.dots.pick(x, y, scene.t, scene.projection);
    root.dataset.picked = found === null ? "" : String(found);
    if (found !== null && !scene.backward) toldPick?.(found);
    this.view.dirty = true;
  }

  describe(at) {
    const { scene, waits } = this.view;
    const place = `(${at.map((value) => value.toFixed(2)).join(", ")})`;
    const value = at.length > 1 ? scene.valueAt(at) : null;
    const density = scene.now.scalars.grid_kind === "density";
    waits.tell("pointed", value === null || density ? `from ${place}` : `from ${place}: p = ${value.toFixed(2)}`);
  }
}
