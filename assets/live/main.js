// The live view: canvas, its few own controls (what is drawn, not what is computed), pointer and keyboard.

import { Scene } from "./scene.js";
import { LiveSocket } from "./socket.js";
import { readTheme } from "./theme.js";
import { command, tellListeners, VIEWS as VIEWS_OF_PAGE } from "./views.js";
import { unpack } from "./wire.js";

const VIEWS = { plane: "Plane", space: "3-D", time: "Time" };
const LAYERS = { boundary: "Boundary", points: "Data", paths: "Paths", particles: "Flow", grid: "Lattice", steps: "Steps" };
const FLOW_LAYERS = { ...LAYERS, points: "Samples", particles: "Particles", grid: "Grid lines" };
const COMMANDS = { " ": "toggle", ArrowRight: "step", r: "reset" };
const SWEEP = 4; // seconds from t0 to t1
const BARS = 70; // pixels that the buttons and the time take
const REST = 1.2; // seconds at t1
const TELL = 300; // ms after which the page hears of a command
const READ = 100; // ms between two changes of what is read beside the picture: words and numbers cost a layout each
const SHARPEST = 2; // device pixels a CSS pixel: more cannot be seen in moving lines

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
  .time { width: 62px; flex: none; white-space: nowrap; contain: strict; height: 1.3em; font-variant-numeric: tabular-nums; }
`;

export class LiveView {
  constructor(root) {
    this.root = root;
    this.scene = new Scene();
    this.sweeping = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.phase = 0;
    this.snapshots = 0;
    this.size = [0, 0];
    this.interval = 1000 / 60; // ms between frames, smoothed, and the shortest that this display has shown
    this.shortest = 1000 / 30;
    this.readAt = 0;
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
    clearTimeout(this.telling);
    VIEWS_OF_PAGE.delete(this);
    tellListeners();
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
      this.readAt = 0;
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
      { boundary: arrays.grid, points: arrays.points, paths: arrays.trajectories, steps: arrays.steps }[layer] ??
        (["particles", "grid"].includes(layer) && this.scene.field),
    );
  }

  buttonKey() {
    return [this.scene.dim, this.scene.reversible, ...Object.keys(LAYERS).map((layer) => this.possible(layer))].join();
  }

  watch() {
    this.resizer = new ResizeObserver(([entry]) => {
      // Asked in every frame, the size would cost a layout in every frame.
      this.size = [Math.round(entry.contentRect.width), Math.round(entry.contentRect.height)];
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
    const name = COMMANDS[event.key];
    const target = event.composedPath()[0];
    if (!name || event.ctrlKey || event.metaKey || event.altKey || !this.root.isConnected) return;
    if (target.closest?.("input, textarea, select, button, a, [role=slider], [role=combobox], [contenteditable=true]"))
      return;
    event.preventDefault();
    event.stopImmediatePropagation(); // the first view acts for all
    command(name);
  }

  /** Tell the run, straight over the socket: the server answers at once, whatever is being computed. */
  command(word) {
    if (!this.socket?.send({ command: word })) return false;
    this.told = true;
    return true;
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
    tellListeners();
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
    const before = this.status;
    this.status = status;
    this.root.dataset.status = status;
    this.complain(status === "failed" ? error : "");
    tellListeners();
    // The page is drawn again only for what it shows and did not do itself: a failure, its end, the run's end, and where
    // it asks for it, play and pause.
    const seen = [before, status].some((word) => word === "failed" || word === "finished");
    if (before !== undefined && before !== status && (seen || (this.told && this.data.follows))) this.tellSoon(status);
    this.told = false;
  }

  /** Not at once, which would hold up the picture just when someone looks at it; and once for many. */
  tellSoon(status) {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.root.isConnected && this.tell?.(status), TELL);
  }

  take(snapshot, time) {
    this.scene.take(snapshot, time);
    this.snapshots += 1;
    this.root.dataset.snapshots = String(this.snapshots);
    this.root.dataset.iteration = String(snapshot.scalars.iteration ?? "");
    this.news = snapshot.scalars;
    if (this.shownFor !== this.buttonKey()) this.showButtons();
  }

  showNumbers({ iteration, loss, accuracy, nfe_forward: forward, nfe_backward: backward }) {
    const lines = [];
    if (iteration != null) lines.push(["iteration", iteration]);
    if (loss != null) lines.push(["loss", loss.toPrecision(3)]);
    if (accuracy != null) lines.push(["accuracy", `${(100 * accuracy).toFixed(1)} %`]);
    if (forward != null) lines.push(["NFE", backward == null ? forward : `${forward} + ${backward}`]);
    if (this.numbers.childElementCount !== lines.length) {
      this.numbers.replaceChildren(
        ...lines.map(() => {
          const line = document.createElement("div");
          line.append("", document.createElement("b"));
          return line;
        }),
      );
    }
    lines.forEach(([name, value], i) => {
      const [label, number] = this.numbers.children[i].childNodes;
      if (label.data !== `${name} `) label.data = `${name} `;
      if (number.textContent !== String(value)) number.textContent = String(value);
    });
  }

  // -- the display

  frame(time) {
    this.request = requestAnimationFrame((next) => this.frame(next));
    const since = time - this.last;
    const seconds = Math.min(0.1, Math.max(0, since / 1000));
    this.last = time;
    const late = this.isLate(since);
    const [width, height] = this.size;
    if (!width || !height) return; // out of sight: nothing is taken, so that the server sends no more
    const painting = this.waiting;
    if (painting) {
      this.waiting = null;
      this.take(painting, time);
    }
    this.moveTime(seconds);
    const moving = this.scene.advance(time, seconds, width, height, late);
    if (moving || this.dirty || painting || this.sweeping) this.paint(width, height, time);
    if (painting) this.socket.send({ ack: true });
    if (time - this.readAt >= READ) this.read(time);
  }

  /** Whether frames come clearly later than this display can show them. */
  isLate(since) {
    if (since > 0 && since < 200) this.interval += 0.05 * (since - this.interval);
    this.shortest = Math.min(this.shortest, Math.max(this.interval, 1000 / 60));
    return this.interval > 1.1 * this.shortest;
  }

  /** Bring the time and the numbers beside the picture up to date. */
  read(time) {
    this.readAt = time;
    const text = `t = ${this.scene.t.toFixed(2)}`;
    if (this.time.textContent !== text) this.time.textContent = text;
    if (this.sweeping) this.slider.value = String(this.phase);
    if (this.news) this.showNumbers(this.news);
    this.news = null;
  }

  paint(width, height, time) {
    this.dirty = false;
    const ratio = Math.min(SHARPEST, window.devicePixelRatio || 1);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    this.context.setTransform(w / width, 0, 0, h / height, 0, 0);
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
    }
    const [t0, t1] = this.scene.times;
    this.scene.t = t0 + this.phase * (t1 - t0);
  }
}
