// The series lesson's live view: what a model makes of the observations of one series, which hands may change.

import { showLines } from "../numbers.js";
import { RunView } from "../run_view.js";
import { STYLE } from "../style.js";
import { Hand } from "./hand.js";
import { NARROW } from "./layout.js";
import { Scene } from "./scene.js";

const LAYERS = { band: "Band", samples: "Samples", truth: "Truth", left: "Left out", linear: "Straight lines", spline: "Spline" };
const PLANES = { latent: "Latent plane", state: "State", data: "Data plane" };
// Pixels: `bars` are the buttons and the numbers, `lowest` is what a picture with them needs to be read.
const SIZE = { narrow: NARROW, tall: 1.5, bars: 90, highest: 640, lowest: 260 };

const PLACES = `
  .numbers { position: static; display: flex; flex-wrap: wrap; gap: 2px 12px; padding: 0; min-height: 1.4em; background: none; }
  .numbers:empty { display: flex; }
  canvas.grips { cursor: grab; }
  canvas.held { cursor: grabbing; }
  .bar button:disabled { opacity: 0.45; cursor: default; }
  .bar.foot { flex-wrap: nowrap; padding-bottom: 3px; }
  .pointed { flex: 1 1 0; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
`;

export class SeriesView extends RunView {
  constructor(root) {
    super(root, new Scene());
    this.build();
    this.start();
    new Hand(this);
  }

  /** What the page asks for; called at each rerun of the script. */
  update(data, tell, tellPicked) {
    const before = this.data;
    Object.assign(this, { data, tell, tellPicked });
    const { scene } = this;
    scene.names = data.names;
    if (String(before?.layers) !== String(data.layers)) scene.layers = new Set(data.layers);
    if (before?.plane !== data.plane) scene.wantsData = data.plane === "data";
    this.fit(data.height);
    this.showButtons();
    this.join();
  }

  fit(height) {
    this.fitBeside(height, SIZE);
  }

  build() {
    const make = (tag, parent, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));
    make("style", this.root, { textContent: STYLE + PLACES });
    const frame = make("div", this.root, { className: "frame" });
    this.bar = make("div", frame, { className: "bar" });
    const stage = make("div", frame, { className: "stage" });
    this.canvas = make("canvas", stage, { tabIndex: 0 });
    this.canvas.setAttribute("role", "img");
    this.note = make("div", stage, { className: "note" });
    this.note.setAttribute("role", "status");
    this.way = make("div", stage, { className: "way" });
    const foot = make("div", frame, { className: "bar foot" });
    this.own = make("button", foot, { type: "button", textContent: "Undo changes", title: "The series' own observations again" });
    this.own.onclick = () => this.tellPicked?.("restore");
    this.pointed = make("span", foot, { className: "pointed" });
    this.numbers = make("div", frame, { className: "numbers" });
    this.context = this.canvas.getContext("2d");
  }

  showButtons() {
    const { scene } = this;
    this.bar.replaceChildren();
    const add = (text, pressed, press) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
      button.setAttribute("aria-pressed", String(pressed));
      button.onclick = () => {
        press();
        scene.measure();
        this.showButtons();
        this.dirty = true;
      };
      this.bar.appendChild(button);
    };
    const planes = [...scene.kinds].sort();
    if (planes.length > 1) {
      for (const plane of planes) add(PLANES[plane], scene.kinds[0] === plane, () => (scene.wantsData = plane === "data"));
    }
    this.bar.appendChild(Object.assign(document.createElement("span"), { className: "gap" }));
    for (const [layer, name] of Object.entries(LAYERS)) {
      if (!this.possible(layer)) continue;
      add(name, scene.layers.has(layer), () => scene.layers.delete(layer) || scene.layers.add(layer));
    }
    this.own.disabled = !this.data?.edited;
    this.own.hidden = !this.data?.editable;
    this.shownFor = this.buttonKey();
  }

  possible(layer) {
    const { arrays } = this.scene.now;
    return Boolean({ band: arrays.low, samples: arrays.samples, truth: arrays.truth, left: arrays.left_x?.shape[0], linear: arrays.linear, spline: arrays.spline }[layer]);
  }

  buttonKey() {
    return [...this.scene.kinds, ...Object.keys(LAYERS).map((layer) => this.possible(layer)), this.data?.edited].join();
  }

  take(snapshot, time) {
    super.take(snapshot, time);
    if (this.shownFor !== this.buttonKey()) this.showButtons();
    const { observations } = this.scene;
    this.root.dataset.observed = String(observations.rows.length);
    this.root.dataset.edited = String(snapshot.scalars.n_edited ?? 0);
    const { curve } = snapshot.arrays;
    if (curve) this.root.dataset.curve = curve.data.at(curve.data.length >> 1).toPrecision(5);
  }

  /** Tell the page what was observed, so that the run answers; whether it could be told now. */
  tellRows() {
    this.tellPicked?.(this.scene.observations.told());
    this.dirty = true;
  }

  draw(time, _seconds, width, height) {
    const moving = this.scene.advance(time);
    if (!moving && !this.dirty) return;
    this.clean(width, height, time);
    this.scene.draw(this.context, this.theme, width, height);
  }

  read(time) {
    this.waits.look(time);
    const { scene } = this;
    const { series, n_observed: count } = scene.now.scalars;
    const said = `Live picture of ${this.data?.subject || "a series"}${series ? `: ${series}, ${count} values observed` : ""}, the model's curve and its band.`;
    if (this.canvas.getAttribute("aria-label") !== said) this.canvas.setAttribute("aria-label", said);
    const number = (value) => Number(value.toPrecision(3)).toString();
    if (this.news) {
      const { iteration, loss, nfe_forward: forward, nfe_backward: backward, rmse_inside: inside, rmse_beyond: beyond } = this.news;
      const lines = [];
      if (iteration != null) lines.push(["iteration", iteration]);
      if (loss != null) lines.push(["loss", loss.toPrecision(3)]);
      if (forward != null) lines.push(["NFE", backward == null ? forward : `${forward} + ${backward}`]);
      if (inside != null) lines.push(["off inside", number(inside)]);
      if (beyond != null) lines.push(["off beyond", number(beyond)]);
      showLines(this.numbers, lines);
    }
    this.news = null;
  }
}
