// The control lesson's live view: the plant that the net drives, in real time, and the phase plane beside it.

import { showLines } from "../numbers.js";
import { RunView } from "../run_view.js";
import { STYLE } from "../style.js";
import { Act, NARROW } from "./act.js";
import { Hand } from "./hand.js";
import { DRIVERS } from "./world.js";

// Pixels: `bars` are the two rows of buttons, `lowest` is what a picture with them needs to be read.
const SIZE = { narrow: NARROW, tall: 1.75, bars: 76, highest: 760, lowest: 240 };

// The numbers stand over the stage, not over the phase plane.
const PLACES = `
  .bar button:disabled { opacity: 0.45; cursor: not-allowed; }
  .numbers { left: 0; right: auto; text-align: left; }
  @container (min-width: 641px) { .note { top: 92px; } }
`;

export class Stage extends RunView {
  constructor(root) {
    super(root, new Act());
    this.build();
    this.start();
    new Hand(this);
  }

  /** What the page asks for; called at each rerun of the script. */
  update(data, tell, tellPicked) {
    const before = this.data;
    Object.assign(this, { data, tell, tellPicked });
    this.fit(data.height);
    this.scene.world.use(data.plant);
    if (before?.driver !== data.driver) this.scene.world.drive(data.driver);
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
    this.canvas.setAttribute("role", "application");
    this.numbers = make("div", stage, { className: "numbers" });
    this.note = make("div", stage, { className: "note" });
    this.note.setAttribute("role", "status");
    this.way = make("div", stage, { className: "way" });
    this.foot = make("div", frame, { className: "bar" });
    this.context = this.canvas.getContext("2d");
    const { world } = this.scene;
    const button = (text, title, press) => {
      const made = make("button", this.foot, { type: "button", textContent: text, title, onclick: press });
      made.setAttribute("aria-label", title);
      return made;
    };
    this.stand = button("", "Let the plant move or stand still", () => {
      world.moving = !world.moving;
      this.showButtons();
    });
    button("New start", "Begin somewhere else", () => world.plant && world.begin());
    button("◀ Push", "Push it to the left", () => world.kick(-1));
    button("Push ▶", "Push it to the right", () => world.kick(1));
    this.time = make("span", this.foot, { className: "said" });
  }

  /** Who drives, and whether anything moves. */
  showButtons() {
    const { world } = this.scene;
    const word = Object.assign(document.createElement("span"), { textContent: "Who drives:" });
    const buttons = Object.entries(DRIVERS).map(([name, text]) => {
      const button = Object.assign(document.createElement("button"), { type: "button", textContent: text });
      button.setAttribute("aria-pressed", String(world.driver === name));
      button.disabled = !world.offered.includes(name);
      if (button.disabled) button.title = name === "lqr" ? "No LQR here: control is free, or the plant, linearised, can't be steered" : "";
      button.onclick = () => this.drive(name);
      return button;
    });
    this.bar.replaceChildren(word, ...buttons);
    this.stand.textContent = world.moving ? "❚❚" : "▶";
    this.stand.setAttribute("aria-pressed", String(world.moving));
    this.root.dataset.driver = world.driver;
    this.shownFor = this.buttonKey();
    this.dirty = true;
  }

  buttonKey() {
    return [this.scene.world.driver, ...this.scene.world.offered].join();
  }

  /** Somebody chose who drives: here at once, and the page keeps it in its address. */
  drive(name) {
    this.scene.world.drive(name);
    this.showButtons();
    this.tellPicked?.(name);
  }

  take(snapshot, time) {
    super.take(snapshot, time);
    if (this.shownFor !== this.buttonKey()) this.showButtons();
  }

  draw(time, seconds, width, height) {
    const moving = this.scene.advance(seconds);
    if (!moving && !this.dirty) return;
    this.clean(width, height, time);
    this.scene.draw(this.context, this.theme, width, height);
  }

  /** Bring what is read beside the picture up to date. */
  read(time) {
    const { world } = this.scene;
    this.waits.look(time);
    if (world.x) {
      const said = this.scene.said();
      if (this.time.textContent !== said) this.time.textContent = said;
      Object.assign(this.root.dataset, { state: Array.from(world.x, (v) => v.toFixed(4)).join(" "), pushes: world.pushes, episode: world.episode });
    }
    const label = `${this.data?.subject ?? "The plant"}, driven by ${DRIVERS[world.driver]}. Drag it, or press the left and right arrow keys, to push it.`;
    if (this.canvas.getAttribute("aria-label") !== label) this.canvas.setAttribute("aria-label", label);
    const unit = this.data?.plant?.time ?? "s";
    if (this.unit !== unit && this.numbers.firstChild) this.news ??= this.told; // they came before their plant
    if (this.news) showLines(this.numbers, lines(this.news, unit));
    Object.assign(this, { unit, told: this.news ?? this.told, news: null });
  }
}

/** [name, text] of what a snapshot tells in numbers, the horizon in the plant's unit of time. */
function lines({ iteration, loss, success, horizon }, unit) {
  const found = [];
  if (iteration != null) found.push(["iteration", iteration]);
  if (loss != null) found.push(["cost", loss.toPrecision(3)]);
  if (success != null) found.push(["success", `${Math.round(100 * success)} %`]);
  if (horizon != null) found.push(["horizon", `${horizon.toFixed(1)} ${unit}`]);
  return found;
}
