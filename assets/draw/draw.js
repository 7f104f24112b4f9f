// A pad to draw data on: choose a class by its colour, click or drag; the points go to the page with "Train on these".
// Or a pad to write on (`strokes`): each line of the pen is a class of its own, and is drawn as a line.
const COLOURS = ["#5b4bdb", "#e4572e", "#149174", "#c98a00"];
const REACH = 2; // the pad shows -2 to 2 in both directions
const MOST = 1500;
const pads = new WeakMap();

class Pad {
  constructor(root, points, classes, strokes) {
    this.root = root;
    this.strokes = strokes;
    this.classes = classes; // 1: a density is drawn, and nothing needs a name
    this.points = points; // rows [x, y, class]
    this.spacing = strokes ? 0.05 : 0.12; // of neighbouring points
    this.chosen = 0;
    this.tools = root.querySelector(".tools");
    this.canvas = root.querySelector("canvas");
    this.count = root.querySelector(".count");
    this.use = root.querySelector(".use");
    this.buttons = [];
    this.build();
    this.resizer = new ResizeObserver(() => this.draw());
    this.resizer.observe(this.canvas);
  }

  build() {
    for (let c = 0; c < this.classes && !this.strokes; c++) {
      const name = String.fromCharCode(65 + c);
      const [text, title] = this.classes === 1 ? ["Draw", "Draw points"] : [name, `Class ${name}`];
      const button = this.add(text, title, () => this.choose(c));
      button.classList.add("class");
      this.buttons.push(button);
    }
    if (!this.strokes) this.buttons.push(this.add("Erase", "Remove the points under the pointer", () => this.choose(-1)));
    this.add("Clear", this.strokes ? "Remove the drawing" : "Remove all points", () => {
      this.points = [];
      this.draw();
    });
    this.use.onclick = () => this.send(this.points.map((point) => [...point]));
    const { canvas } = this;
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.drawing = true;
      if (this.strokes) this.chosen = this.points.length ? this.points[this.points.length - 1][2] + 1 : 0;
      this.last = null;
      this.touch(event);
    };
    canvas.onpointermove = (event) => {
      if (this.drawing) this.touch(event);
    };
    canvas.onpointerup = canvas.onpointercancel = () => {
      this.drawing = false;
    };
    this.choose(0);
  }

  add(text, title, press) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text, title });
    button.setAttribute("aria-label", title);
    button.onclick = press;
    this.tools.appendChild(button);
    return button;
  }

  choose(c) {
    this.chosen = c;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === (c < 0 ? this.classes : c))));
    this.draw();
  }

  touch(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width - 0.5) * 2 * REACH;
    const y = (0.5 - (event.clientY - box.top) / box.height) * 2 * REACH;
    if (Math.abs(x) > REACH || Math.abs(y) > REACH) return;
    const near = (points, size) => points.filter(([a, b]) => Math.hypot(a - x, b - y) > size);
    if (this.chosen < 0) {
      this.points = near(this.points, 0.2);
    } else if (this.points.length < MOST && (!this.last || Math.hypot(this.last[0] - x, this.last[1] - y) > this.spacing)) {
      this.points.push([Math.round(x * 1e3) / 1e3, Math.round(y * 1e3) / 1e3, this.chosen]);
      this.last = [x, y];
    }
    this.draw();
  }

  colours() {
    const list = getComputedStyle(this.root).getPropertyValue("--st-chart-categorical-colors").match(/#[0-9a-f]{3,8}|rgba?\([^)]*\)/gi);
    return list && list.length >= 4 ? list : COLOURS;
  }

  draw() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const size = Math.round(canvas.clientWidth * ratio);
    if (!size) return;
    if (canvas.width !== size || canvas.height !== size) canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    const text = getComputedStyle(this.root).color;
    const colours = this.colours();
    this.buttons.slice(0, this.classes).forEach((button, i) => button.style.setProperty("--mark", colours[i]));
    context.clearRect(0, 0, size, size);
    context.strokeStyle = text;
    context.globalAlpha = 0.15;
    context.lineWidth = ratio;
    context.beginPath();
    for (let k = 1; k < 4; k++) {
      context.moveTo((k * size) / 4, 0);
      context.lineTo((k * size) / 4, size);
      context.moveTo(0, (k * size) / 4);
      context.lineTo(size, (k * size) / 4);
    }
    context.stroke();
    context.globalAlpha = 1;
    if (this.strokes) this.drawStrokes(context, size, text);
    for (const [x, y, c] of this.strokes ? [] : this.points) {
      context.fillStyle = colours[c];
      context.beginPath();
      context.arc((x / REACH / 2 + 0.5) * size, (0.5 - y / REACH / 2) * size, 4 * ratio, 0, 2 * Math.PI);
      context.fill();
    }
    this.root.dataset.points = String(this.points.length);
    if (this.strokes) {
      this.count.textContent = this.points.length ? "" : "Draw with the mouse or a finger.";
      return;
    }
    const classes = new Set(this.points.map((point) => point[2])).size;
    this.count.textContent = this.points.length
      ? `${this.points.length} points${this.classes > 1 ? `, ${classes} ${classes === 1 ? "class" : "classes"}` : ""}`
      : "Click or drag to draw.";
  }

  /** The lines of the pen, as thick as the nets will see them. */
  drawStrokes(context, size, text) {
    Object.assign(context, { strokeStyle: text, lineWidth: 0.1 * size, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    this.points.forEach(([x, y, c], i) => {
      const at = [(x / REACH / 2 + 0.5) * size, (0.5 - y / REACH / 2) * size];
      if (i > 0 && this.points[i - 1][2] === c) context.lineTo(...at);
      else context.moveTo(...at);
    });
    context.stroke();
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".pad");
  let pad = pads.get(root);
  if (!pad) pads.set(root, (pad = new Pad(root, data.points.map((point) => [...point]), data.classes ?? 4, Boolean(data.strokes))));
  if (data.use) pad.use.textContent = data.use;
  pad.send = (points) => setTriggerValue("points", points);
  pad.draw();
  return () => {
    setTimeout(() => {
      if (!root.isConnected) pad.resizer.disconnect();
    }, 0);
  };
}
