// The live view: canvas, its few own controls (what is drawn, not what is computed), pointer and keyboard.

import { CLOCK } from "./clock.js";
import { showNumbers } from "./numbers.js";
import { Pointer } from "./pointer.js";
import { RunView } from "./run_view.js";
import { Scene } from "./scene.js";
import { Strip } from "./steps.js";
import { STYLE } from "./style.js";
import { present } from "./views.js";

const VIEWS = { plane: "Plane", space: "3-D", time: "Time" };
const LAYERS = { boundary: "Boundary", points: "Data", paths: "Paths", particles: "Flow", grid: "Lattice", steps: "Steps" };
const FLOW_LAYERS = { ...LAYERS, points: "Samples", particles: "Particles", grid: "Grid lines" };
const COMPARED_LAYERS = { ...LAYERS, boundary: "Target", points: "Samples" };
const LOWEST = 240; // pixels that a picture with its bars needs to be read
const BARS = 70; // pixels that the buttons and the time take

export class LiveView extends RunView {
  constructor(root) {
    super(root, new Scene());
    this.clock = CLOCK;
    if (!present().length) this.clock.begin(false);
    this.build();
    this.strip = new Strip(null);
    this.start();
    new Pointer(this);
  }

  /** What the page asks for; called at each rerun of the script. */
  update(data, tell, toldPick) {
    const before = this.data;
    Object.assign(this, { data, tell, toldPick });
    if (String(before?.steps) !== String(data.steps)) this.strip = new Strip(data.steps);
    this.fit(data.height);
    if (before?.view !== data.view) this.scene.projection.view = data.view;
    if (String(before?.layers) !== String(data.layers)) this.scene.layers = new Set(data.layers);
    this.scene.euler = data.euler ?? null;
    this.root.dataset.euler = String(data.euler ?? "");
    this.showButtons();
    this.join();
  }

  /** As high as the page asks and grants (page/page.css), but on a narrow screen no higher than a square and its bars. */
  fit(height) {
    const width = this.root.clientWidth;
    const wanted = width ? Math.min(height, Math.max(320, width + BARS)) : height;
    const strip = this.strip.height;
    // The steps have their place in what is granted; only on the lowest screens they stand below it.
    const heights = [`min(${wanted + strip}px, var(--picture-most, 100vh))`, `${Math.min(wanted, LOWEST) + strip}px`];
    this.root.style.height = `max(var(--picture-least, 0px), ${heights.join(", ")})`;
    this.root.dataset.strip = String(strip);
  }

  // -- building

  build() {
    const make = (tag, parent, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));
    make("style", this.root, { textContent: STYLE });
    const frame = make("div", this.root, { className: "frame" });
    this.bar = make("div", frame, { className: "bar" });
    const stage = make("div", frame, { className: "stage" });
    this.canvas = make("canvas", stage, { tabIndex: 0 });
    this.canvas.setAttribute("role", "img");
    this.numbers = make("div", stage, { className: "numbers" });
    this.note = make("div", stage, { className: "note" });
    this.note.setAttribute("role", "status");
    this.way = make("div", stage, { className: "way" });
    const foot = make("div", frame, { className: "bar" });
    this.sweepButton = make("button", foot, { type: "button", title: "Let the time run through the flow" });
    this.sweepButton.setAttribute("aria-label", "Let the time t run through the flow");
    this.sweepButton.onclick = () => {
      this.clock.sweeping = !this.clock.sweeping;
      this.readAt = 0;
    };
    this.turnButton = make("button", foot, { type: "button", hidden: true, title: "From noise to data, or back" });
    this.turnButton.onclick = () => this.turn(!this.scene.backward);
    this.slider = make("input", foot, { type: "range", min: 0, max: 1, step: 0.001, value: 0 });
    this.slider.setAttribute("aria-label", "time t in the flow");
    this.slider.oninput = () => this.goTo(Number(this.slider.value));
    this.time = make("span", foot, { className: "time" });
    this.context = this.canvas.getContext("2d");
    this.turn(false);
  }

  showButtons() {
    const { scene, data } = this;
    this.bar.replaceChildren();
    const add = (text, pressed, press) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
      button.setAttribute("aria-pressed", String(pressed));
      button.onclick = () => {
        press();
        this.showButtons();
        this.dirty = true;
      };
      this.bar.appendChild(button);
    };
    const views = data.views.filter((view) => view !== "space" || scene.dim > 2);
    if (views.length > 1 && scene.dim > 1) {
      for (const view of views) add(VIEWS[view], scene.projection.view === view, () => (scene.projection.view = view));
    }
    this.bar.appendChild(Object.assign(document.createElement("span"), { className: "gap" }));
    for (const layer of Object.keys(LAYERS)) {
      if (!this.possible(layer)) continue;
      const density = layer === "boundary" && scene.now.scalars.grid_kind === "density" && !scene.compared;
      const names = scene.compared ? COMPARED_LAYERS : scene.flow ? FLOW_LAYERS : LAYERS;
      add(density ? "Density" : names[layer], scene.layers.has(layer), () => {
        if (!scene.layers.delete(layer)) scene.layers.add(layer);
      });
    }
    this.turnButton.hidden = !scene.reversible;
    this.root.dataset.layers = [...scene.layers].join(" ");
    this.shownFor = this.buttonKey();
  }

  /** Whether the snapshots have what a layer draws. */
  possible(layer) {
    if (this.data.offered && !this.data.offered.includes(layer)) return false;
    const { arrays } = this.scene.now;
    if (this.scene.flow && layer === "particles") return true;
    if (this.scene.flow && layer === "grid") return Boolean(arrays.lattice);
    return Boolean(
      { boundary: arrays.grid, points: this.scene.shownPoints, paths: arrays.trajectories, steps: arrays.steps }[layer] ??
        (["particles", "grid"].includes(layer) && this.scene.field),
    );
  }

  buttonKey() {
    return [this.scene.dim, this.scene.reversible, this.scene.compared, ...Object.keys(LAYERS).map((layer) => this.possible(layer))].join();
  }

  // -- people

  /** Let the time run from noise to data (samples of the flow), or from data to noise (samples of the target). */
  turn(backward) {
    if (backward !== this.scene.backward) this.clock.begin(backward);
    this.scene.backward = backward;
    this.scene.dots.picked = null;
    this.turnButton.textContent = backward ? "data → noise" : "noise → data";
    this.root.dataset.direction = backward ? "backward" : "forward";
    this.dirty = true;
  }

  take(snapshot, time) {
    super.take(snapshot, time);
    if (this.shownFor !== this.buttonKey()) this.showButtons();
  }

  // -- the display

  draw(time, seconds, width, height, late) {
    this.moveTime(time);
    const moving = this.scene.advance(time, seconds, width, height - this.strip.height, late);
    if (moving || this.dirty) this.paint(width, height, time);
  }

  /** Bring the time and the numbers beside the picture up to date. */
  read(time) {
    const text = `t = ${this.scene.t.toFixed(2)}`;
    if (this.time.textContent !== text) {
      this.time.textContent = text;
      this.slider.setAttribute("aria-valuetext", text);
    }
    if (Number(this.slider.value) !== this.clock.phase) this.slider.value = String(this.clock.phase);
    const { sweeping } = this.clock;
    if (this.sweepButton.getAttribute("aria-pressed") !== String(sweeping)) {
      this.sweepButton.textContent = sweeping ? "❚❚ t" : "▶ t";
      this.sweepButton.setAttribute("aria-pressed", String(sweeping));
    }
    this.waits.look(time);
    const label = `Live picture of ${this.data.subject || "the run"}: data, flow and boundary. ${this.strip.said}`;
    if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
    if (this.news) showNumbers(this.numbers, this.news);
    this.news = null;
  }

  paint(width, height, time) {
    this.clean(width, height, time);
    const { context, strip } = this;
    context.save();
    context.beginPath();
    context.rect(0, 0, width, height - strip.height);
    context.clip();
    this.scene.draw(context, this.theme);
    context.restore();
    context.translate(0, height - strip.height);
    strip.draw(context, this.scene, this.theme, width);
  }

  /** Let the time stand at a share of the flow. */
  goTo(phase) {
    Object.assign(this.clock, { sweeping: false, phase });
    this.readAt = 0;
  }

  moveTime(time) {
    this.clock.move(time, this.scene.backward);
    const [t0, t1] = this.scene.times;
    const t = t0 + this.clock.phase * (t1 - t0);
    if (t !== this.scene.t) this.dirty = true;
    this.scene.t = t;
  }
}
