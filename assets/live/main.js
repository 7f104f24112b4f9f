// The live view: canvas, its few own controls (what is drawn, not what is computed), pointer and keyboard.

import { Scene } from "./scene.js";
import { LiveSocket } from "./socket.js";
import { readTheme } from "./theme.js";
import { unpack } from "./wire.js";

const VIEWS = { plane: "Plane", space: "3-D", time: "Time" };
const LAYERS = { boundary: "Boundary", points: "Data", paths: "Paths", particles: "Flow", grid: "Lattice", steps: "Steps" };
const FLOW_LAYERS = { ...LAYERS, points: "Samples", particles: "Particles", grid: "Grid lines" };
const COMMANDS = { " ": "toggle", ArrowRight: "step", r: "reset" };
const SWEEP = 4; // seconds from t0 to t1
const BARS = 70; // pixels that the buttons and the time take
const REST = 1.2; // seconds at t1

const STYLE = `
  .frame { position: relative; display: flex; flex-direction: column; height: 100%; color: var(--st-text-color);
    font: 13px/1.3 var(--st-font, system-ui, sans-serif); }
  .bar { display: flex; flex-wrap: wrap; gap: 4px 6px; align-items: center; padding: 2px 0 6px; }
  .bar button { font: inherit; color: inherit; cursor: pointer; padding: 2px 10px; border-radius: 999px;
    border: 1px solid var(--st-border-color, #8884); background: transparent; }
  .bar button:hover { border-color: var(--st-primary-color); }
  .bar button[aria-pressed="true"] { background: var(--st-secondary-background-color);
    border-color: var(--st-primary-color); color: var(--st-primary-color); }
  button:focus-visible, input:focus-visible, canvas:focus-visible { outline: 2px solid var(--st-primary-color);
    outline-offset: 1px; }
  .bar .gap { flex: 1; }
  .stage { position: relative; flex: 1; min-height: 0; container-type: size; }
  canvas { position: absolute; inset: 0; width: 100%; height: 100%; touch-action: none; cursor: crosshair; }
  .numbers, .note { position: absolute; pointer-events: none; padding: 3px 8px; border-radius: 8px;
    background: color-mix(in srgb, var(--st-background-color) 82%, transparent); }
  .numbers { top: 6px; right: 4px; text-align: right; font-variant-numeric: tabular-nums; }
  @container (max-width: 640px) { .numbers { display: flex; gap: 8px; top: 0; padding: 0 6px; font-size: 11px; }
    .note { top: 20px; } }
  .numbers b { font-weight: 650; }
  .note { top: 6px; left: 0; max-width: 60%; }
  .note:empty, .numbers:empty { display: none; }
  input[type="range"] { flex: 1 1 140px; accent-color: var(--st-primary-color); min-width: 100px; }
  .time { min-width: 62px; font-variant-numeric: tabular-nums; }
`;

// All views of the page: a key commands every one of them.
const VIEWS_OF_PAGE = new Set();

export class LiveView {
  constructor(root) {
    this.root = root;
    this.scene = new Scene();
    this.sweeping = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.phase = 0;
    this.frames = 0;
    this.snapshots = 0;
    this.build();
    this.watch();
    this.last = performance.now();
    this.request = requestAnimationFrame((time) => this.frame(time));
  }

  /** What the page asks for; called at each rerun of the script. */
  update(data, tell, toldPick) {
    this.tell = tell;
    this.toldPick = toldPick;
    this.fit(data.height);
    const first = !this.data;
    const before = this.data;
    this.data = data;
    if (first || before.view !== data.view) this.scene.projection.view = data.view;
    if (first || String(before.layers) !== String(data.layers)) this.scene.layers = new Set(data.layers);
    this.canvas.setAttribute("aria-label", "Live picture of the run: data, flow and boundary");
    this.showButtons();
    if (first || before.token !== data.token) this.connect(data.token);
    this.dirty = true;
  }

  /** As high as the page asks, but on a narrow screen no higher than a square picture and its bars. */
  fit(height) {
    const width = this.root.clientWidth;
    this.root.style.height = `${width ? Math.min(height, Math.max(320, width + BARS)) : height}px`;
  }

  destroy() {
    cancelAnimationFrame(this.request);
    this.socket?.close();
    this.resizer.disconnect();
    window.removeEventListener("keydown", this.onKey, true);
    VIEWS_OF_PAGE.delete(this);
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
    const foot = make("div", frame, { className: "bar" });
    this.sweepButton = make("button", foot, { type: "button", title: "Let the time run through the flow" });
    this.sweepButton.onclick = () => this.sweep(!this.sweeping);
    this.turnButton = make("button", foot, { type: "button", hidden: true, title: "From noise to data, or back" });
    this.turnButton.onclick = () => this.turn(!this.scene.backward);
    this.slider = make("input", foot, { type: "range", min: 0, max: 1, step: 0.001, value: 0 });
    this.slider.setAttribute("aria-label", "time t in the flow");
    this.slider.oninput = () => {
      this.sweep(false);
      this.phase = Number(this.slider.value);
      this.dirty = true;
    };
    this.time = make("span", foot, { className: "time" });
    this.context = this.canvas.getContext("2d");
    this.sweep(this.sweeping);
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
      const density = layer === "boundary" && scene.now.scalars.grid_kind === "density";
      const names = scene.flow ? FLOW_LAYERS : LAYERS;
      add(density ? "Density" : names[layer], scene.layers.has(layer), () => {
        if (!scene.layers.delete(layer)) scene.layers.add(layer);
      });
    }
    this.turnButton.hidden = !scene.reversible;
    this.shownFor = this.buttonKey();
  }

  /** Whether the snapshots have what a layer draws. */
  possible(layer) {
    if (this.data.offered && !this.data.offered.includes(layer)) return false;
    const { arrays } = this.scene.now;
    if (this.scene.flow && layer === "particles") return true;
    if (this.scene.flow && layer === "grid") return Boolean(arrays.lattice);
    return Boolean(
      { boundary: arrays.grid, points: arrays.points, paths: arrays.trajectories, steps: arrays.steps }[layer] ??
        (["particles", "grid"].includes(layer) && this.scene.field),
    );
  }

  buttonKey() {
    return [this.scene.dim, this.scene.reversible, ...Object.keys(LAYERS).map((layer) => this.possible(layer))].join();
  }

  watch() {
    this.resizer = new ResizeObserver(() => {
      if (this.data) this.fit(this.data.height);
      this.dirty = true;
    });
    this.resizer.observe(this.canvas);
    this.onKey = (event) => this.key(event);
    // Before Streamlit's own shortcuts (r reruns the app), hence on the window and while the event comes down.
    window.addEventListener("keydown", this.onKey, true);
    VIEWS_OF_PAGE.add(this);
    const { canvas } = this;
    canvas.onpointermove = (event) => this.point(event);
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.grip = [event.clientX, event.clientY];
      this.point(event);
    };
    canvas.onpointerup = canvas.onpointercancel = () => {
      this.grip = null;
    };
    canvas.onpointerleave = () => {
      if (this.scene.probe && !this.scene.probe.held) this.scene.lookAt(null);
      this.say("");
      this.dirty = true;
    };
  }

  // -- people

  key(event) {
    const command = COMMANDS[event.key];
    const target = event.composedPath()[0];
    if (!command || event.ctrlKey || event.metaKey || event.altKey || !this.root.isConnected) return;
    if (target.closest?.("input, textarea, select, button, a, [role=slider], [role=combobox], [contenteditable=true]"))
      return;
    event.preventDefault();
    event.stopImmediatePropagation(); // the first view acts for all
    const views = [...VIEWS_OF_PAGE].filter((view) => view.root.isConnected);
    // Runs beside each other stay in step: one that stands still is not started by pausing the others.
    const running = views.filter((view) => view.status === "running");
    const meant = command === "toggle" && running.length > 0 ? running : views;
    for (const view of meant) view.command(command);
  }

  /** Tell the run, then the page, whose buttons and curves should follow. */
  command(command) {
    this.socket?.send({ command });
    this.told = true;
  }

  point(event) {
    const { projection } = this.scene;
    if (this.grip && projection.rotatable && !event.shiftKey) {
      projection.rotate(event.clientX - this.grip[0], event.clientY - this.grip[1]);
      this.grip = [event.clientX, event.clientY];
      this.scene.lookAt(null);
      this.dirty = true;
      return;
    }
    const box = this.canvas.getBoundingClientRect();
    if (this.scene.flow) {
      if (this.grip && event.type === "pointerdown") this.pick(event.clientX - box.left, event.clientY - box.top);
      return;
    }
    const at = projection.toData(event.clientX - box.left, event.clientY - box.top);
    this.scene.lookAt(at, Boolean(this.grip));
    this.describe(at);
    this.dirty = true;
  }

  /** Choose the particle near a pixel: its integral is drawn here, and the page is told its number. */
  pick(x, y) {
    const { scene } = this;
    if (!scene.useDots()) return;
    const found = scene.dots.pick(x, y, scene.t, scene.projection);
    this.root.dataset.picked = found === null ? "" : String(found);
    if (found !== null && !scene.backward) this.toldPick?.(found);
    this.dirty = true;
  }

  describe(at) {
    const place = `(${at.map((value) => value.toFixed(2)).join(", ")})`;
    const value = at.length > 1 ? this.scene.valueAt(at) : null;
    const density = this.scene.now.scalars.grid_kind === "density";
    this.say(value === null || density ? `from ${place}` : `from ${place}: p = ${value.toFixed(2)}`);
  }

  sweep(on) {
    this.sweeping = on;
    this.sweepButton.textContent = on ? "❚❚ t" : "▶ t";
    this.sweepButton.setAttribute("aria-pressed", String(on));
  }

  /** Let the time run from noise to data (samples of the flow), or from data to noise (samples of the target). */
  turn(backward) {
    this.scene.backward = backward;
    this.scene.dots.picked = null;
    this.turnButton.textContent = backward ? "data → noise" : "noise → data";
    this.root.dataset.direction = backward ? "backward" : "forward";
    this.phase = backward ? 1 : 0;
    this.pause = 0;
    this.slider.value = String(this.phase);
    this.dirty = true;
  }

  say(text) {
    if (this.trouble) return;
    this.note.textContent = text;
  }

  // -- the run

  connect(token) {
    this.socket?.close();
    this.status = undefined;
    this.socket = new LiveSocket(token, {
      snapshot: (buffer) => {
        this.waiting = unpack(buffer);
      },
      status: (status) => this.follow(status),
      connection: (up) => this.complain(up ? "" : "Connection lost; trying again…"),
      ended: () => {
        this.complain("This run has ended.");
        this.tell?.("ended");
      },
    });
  }

  complain(text) {
    this.trouble = "";
    this.say(text);
    this.trouble = text;
  }

  follow({ status, error }) {
    const changed = this.status !== undefined && this.status !== status;
    this.status = status;
    this.root.dataset.status = status;
    this.complain(status === "failed" ? error : "");
    // A rerun of the page only when something happened that it did not do itself: a key, a failure, the end.
    if ((changed && (this.told || status === "failed" || status === "finished"))) this.tell?.(status);
    this.told = false;
  }

  take(snapshot, time) {
    this.scene.take(snapshot, time);
    this.snapshots += 1;
    this.root.dataset.snapshots = String(this.snapshots);
    this.root.dataset.iteration = String(snapshot.scalars.iteration ?? "");
    this.showNumbers(snapshot.scalars);
    if (this.shownFor !== this.buttonKey()) this.showButtons();
  }

  showNumbers({ iteration, loss, accuracy, nfe_forward: forward, nfe_backward: backward }) {
    const lines = [];
    if (iteration != null) lines.push(["iteration", iteration]);
    if (loss != null) lines.push(["loss", loss.toPrecision(3)]);
    if (accuracy != null) lines.push(["accuracy", `${(100 * accuracy).toFixed(1)} %`]);
    if (forward != null) lines.push(["NFE", backward == null ? forward : `${forward} + ${backward}`]);
    this.numbers.replaceChildren(
      ...lines.map(([name, value]) => {
        const line = document.createElement("div");
        line.append(`${name} `, Object.assign(document.createElement("b"), { textContent: String(value) }));
        return line;
      }),
    );
  }

  // -- the display

  frame(time) {
    this.request = requestAnimationFrame((next) => this.frame(next));
    const seconds = Math.min(0.1, Math.max(0, (time - this.last) / 1000));
    this.last = time;
    const painting = this.waiting;
    if (painting) {
      this.waiting = null;
      this.take(painting, time);
    }
    this.moveTime(seconds);
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (!width || !height) return;
    const moving = this.scene.advance(time, seconds, width, height);
    if (moving || this.dirty || painting || this.sweeping) this.paint(width, height, time);
    if (painting) this.socket.send({ ack: true });
    this.frames += 1;
    this.root.dataset.frames = String(this.frames);
  }

  paint(width, height, time) {
    this.dirty = false;
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (!this.theme || time - this.themeRead > 500) {
      this.theme = readTheme(this.root);
      this.themeRead = time;
    }
    this.scene.draw(this.context, this.theme);
  }

  moveTime(seconds) {
    if (this.sweeping) {
      this.pause = Math.max(0, (this.pause ?? 0) - seconds);
      const way = this.scene.backward ? -1 : 1;
      const [from, to] = this.scene.backward ? [1, 0] : [0, 1];
      if (this.pause === 0) {
        this.phase = this.phase === to ? from : Math.min(1, Math.max(0, this.phase + (way * seconds) / SWEEP));
      }
      if (this.phase === to && this.pause === 0) this.pause = REST;
      this.slider.value = String(this.phase);
    }
    const [t0, t1] = this.scene.times;
    this.scene.t = t0 + this.phase * (t1 - t0);
    this.time.textContent = `t = ${this.scene.t.toFixed(2)}`;
  }
}
