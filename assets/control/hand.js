// A hand on the stage: it takes hold of the plant, sets it somewhere in the phase plane, or pushes it with the arrow keys.

const STILL = 10; // pixels within which a finger that comes and goes is a tap

export class Hand {
  constructor(view) {
    this.view = view;
    this.grip = null;
    const { canvas } = view;
    canvas.onpointerdown = (event) => this.take(event);
    canvas.onpointermove = (event) => this.move(event);
    canvas.onpointerup = (event) => this.lift(event);
    canvas.onpointercancel = () => this.release();
    canvas.onkeydown = (event) => this.key(event);
    // A finger scrolls the page, unless it took hold of the plant; in the phase plane it taps.
    const held = (touch) => this.grip ?? this.gripAt(this.placeOf(touch));
    const keep = (event) => held(event.touches[0])?.plane === false && event.preventDefault();
    for (const kind of ["touchstart", "touchmove"]) canvas.addEventListener(kind, keep, { passive: false });
  }

  placeOf({ clientX, clientY }) {
    const box = this.view.canvas.getBoundingClientRect();
    return [clientX - box.left, clientY - box.top];
  }

  /** What a hand would take at a pixel. */
  gripAt([px, py]) {
    const { world, plane, drawing } = this.view.scene;
    if (!world.x) return null;
    const part = drawing?.grab(px, py, world.x);
    if (part) return { ...part, plane: false };
    return plane.plant && plane.contains(px, py) ? { plane: true } : null;
  }

  take(event) {
    const place = this.placeOf(event);
    this.grip = this.gripAt(place);
    this.tap = null;
    if (!this.grip) return;
    if (this.grip.plane && event.pointerType === "touch") {
      this.grip = null;
      this.tap = place;
      return;
    }
    this.view.scene.world.touch();
    this.view.canvas.setPointerCapture(event.pointerId);
    this.act(place);
  }

  move(event) {
    const place = this.placeOf(event);
    if (this.grip) this.act(place);
    else this.view.canvas.style.cursor = this.gripAt(place) ? (event.buttons ? "grabbing" : "grab") : "default";
  }

  act([px, py]) {
    const { grip } = this;
    const { world, plane, drawing } = this.view.scene;
    if (!world.x) return;
    if (grip.plane) world.put(plane.within(px, py));
    else world.hold(this.grip.component, (x) => drawing.valueOf(grip, px, py, x));
    this.view.dirty = true;
  }

  lift(event) {
    const place = this.placeOf(event);
    if (this.tap && Math.hypot(place[0] - this.tap[0], place[1] - this.tap[1]) < STILL) {
      this.grip = { plane: true };
      this.view.scene.world.touch();
      this.act(place);
    }
    this.release();
  }

  release() {
    this.grip = this.tap = null;
    this.view.scene.world.release();
    this.view.dirty = true;
  }

  key(event) {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    this.view.scene.world.kick(way);
    this.view.dirty = true;
    event.preventDefault();
    event.stopPropagation();
  }
}
