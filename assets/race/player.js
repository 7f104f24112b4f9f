// The race, replayed on the client: no server round trip a frame. The page sends curves, steps and rejections once.
const SECONDS = 9;
const SIZE = 16;

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  const root = parentElement.querySelector(".race");
  let player = root.player;
  if (!player) player = root.player = createPlayer(root);
  player.pick = (x, y) => setTriggerValue("picked", { x, y });
  player.load(data);
  return () => { if (!root.isConnected) player.stop(); };
}

function createPlayer(root) {
  const canvas = root.querySelector("canvas"), clock = root.querySelector(".clock");
  const now = root.querySelector(".now"), board = root.querySelector(".board");
  const show = playback(root, { seconds: SECONDS, end: 1, draw });
  const player = { load, stop: show.stop, pick: null };
  let d = null, g = null, byWork = false, box = null, hover = null;

  function load(data) {
    d = data;
    root.classList.toggle("pick", !!d.pick);
    // a replay that is running goes on with the new solution; a finished one shows all of the new one
    board.replaceChildren(...d.lanes.map((lane) => {
      const chip = document.createElement("div");
      chip.className = "chip";
      chip.style.borderColor = lane.colour;
      const name = document.createElement("b"), boom = document.createElement("span"), small = document.createElement("small");
      name.textContent = lane.label;
      boom.className = "boom";
      chip.append(name, boom, small);
      return chip;
    }));
    show.draw();
  }

  // --- time: `show.place` runs from 0 to 1 over the time span, or over the work of the dearest method
  const work = () => Math.max(...d.lanes.map((lane) => lane.sn[lane.sn.length - 1] || 1));
  function timeOf(lane) {
    if (!byWork) return d.log ? d.t0 * Math.pow(d.t1 / d.t0, show.place) : d.t0 + show.place * (d.t1 - d.t0);
    return interpolate(lane.sn, lane.st, show.place * work());
  }
  clock.onclick = () => {
    byWork = !byWork;
    clock.textContent = byWork ? "clock: work" : "clock: time";
    show.draw();
  };

  // --- picking an initial state
  function place(event) {
    const rect = canvas.getBoundingClientRect(), px = event.clientX - rect.left, py = event.clientY - rect.top;
    if (!box || px < box.left || px > box.right || py < box.top || py > box.bottom) return null;
    return {
      px, py,
      x: d.x[0] + (px - box.left) / (box.right - box.left) * (d.x[1] - d.x[0]),
      y: d.y[1] - (py - box.top) / (box.bottom - box.top) * (d.y[1] - d.y[0]),
    };
  }
  canvas.onclick = (event) => { const at = place(event); if (at && d.pick && player.pick) player.pick(at.x, at.y); };
  canvas.onpointermove = (event) => { hover = event.pointerType === "mouse" ? place(event) : null; show.draw(); };
  canvas.onpointerleave = () => { hover = null; show.draw(); };

  // --- drawing
  const X = (x) => box.left + (x - d.x[0]) / (d.x[1] - d.x[0]) * (box.right - box.left);
  const Y = (y) => box.bottom - (y - d.y[0]) / (d.y[1] - d.y[0]) * (box.bottom - box.top);

  function draw(text) {
    if (!d) return;
    const width = root.clientWidth, height = Math.round(Math.max(290, Math.min(560, width * 0.72)));
    g = cleared(canvas, width, height, `${SIZE}px ${themed(root, "--st-font", "sans-serif")}`);
    axes(width, height, text);
    g.save();
    g.beginPath();
    g.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    g.clip();
    arrows(text);
    line(d.rx, d.ry, text, 6, 0.28);
    d.lanes.forEach(lane);
    start(text);
    g.restore();
    label(text, height);
    score();
    now.textContent = byWork ? `${Math.round(show.place * work())} NFE` : `t = ${short(timeOf(d.lanes[0]))}`;
    root.dataset.fraction = show.place.toFixed(3);
  }
  function axes(width, height, text) {
    const ys = ticks(d.y[0], d.y[1], height < 350 ? 4 : 6);
    const wide = Math.max(...ys.map((v) => g.measureText(short(v)).width), 10);
    box = { left: wide + 14, right: width - 10, top: 26, bottom: height - 48 };
    const xs = ticks(d.x[0], d.x[1], width < 500 ? 4 : 7);
    g.strokeStyle = text;
    g.fillStyle = text;
    g.lineWidth = 1;
    for (const v of xs) {
      g.globalAlpha = 0.14;
      g.beginPath(); g.moveTo(X(v), box.top); g.lineTo(X(v), box.bottom); g.stroke();
      g.globalAlpha = 0.9;
      g.textAlign = "center"; g.textBaseline = "top";
      g.fillText(short(v), X(v), box.bottom + 6);
    }
    for (const v of ys) {
      g.globalAlpha = 0.14;
      g.beginPath(); g.moveTo(box.left, Y(v)); g.lineTo(box.right, Y(v)); g.stroke();
      g.globalAlpha = 0.9;
      g.textAlign = "right"; g.textBaseline = "middle";
      g.fillText(short(v), box.left - 7, Y(v));
    }
    g.globalAlpha = 1;
    g.font = `600 ${g.font}`;
    g.textAlign = "center"; g.textBaseline = "bottom";
    g.fillText(d.xTitle, (box.left + box.right) / 2, height);
    g.textAlign = "left"; g.textBaseline = "top";
    g.fillText(d.yTitle, 4, 2);
    g.font = g.font.replace("600 ", "");
  }
  function arrows(text) {
    const n = d.field.x.length;
    if (!n) return;
    g.strokeStyle = text;
    g.globalAlpha = 0.3;
    g.lineWidth = 1.4;
    const size = 0.4 * Math.min((box.right - box.left) / d.field.nx, (box.bottom - box.top) / d.field.ny);
    g.beginPath();
    for (let i = 0; i < n; i++) {
      const u = d.field.u[i] * (box.right - box.left) / (d.x[1] - d.x[0]);
      const v = -d.field.v[i] * (box.bottom - box.top) / (d.y[1] - d.y[0]);
      const length = Math.hypot(u, v);
      if (!(length > 0) || !isFinite(length)) continue;
      const a = u / length * size, b = v / length * size, x = X(d.field.x[i]), y = Y(d.field.y[i]);
      g.moveTo(x - a, y - b); g.lineTo(x + a, y + b);
      g.moveTo(x + a - 0.7 * a - 0.4 * b, y + b - 0.7 * b + 0.4 * a); g.lineTo(x + a, y + b);
      g.lineTo(x + a - 0.7 * a + 0.4 * b, y + b - 0.7 * b - 0.4 * a);
    }
    g.stroke();
    g.globalAlpha = 1;
  }
  function line(xs, ys, style, width, alpha, count = xs.length) {
    g.strokeStyle = style; g.lineWidth = width; g.globalAlpha = alpha; g.lineJoin = "round";
    g.beginPath();
    let up = true;
    for (let i = 0; i < count; i++) {
      if (xs[i] === null || ys[i] === null) { up = true; continue; }
      if (up) g.moveTo(X(xs[i]), Y(ys[i])); else g.lineTo(X(xs[i]), Y(ys[i]));
      up = false;
    }
    g.stroke();
    g.globalAlpha = 1;
  }
  function lane(item) {
    const t = timeOf(item), count = upTo(item.t, t), dots = upTo(item.st, t), tries = upTo(item.jt, t);
    const hx = interpolate(item.t, item.x, t), hy = interpolate(item.t, item.y, t);
    line(item.x.slice(0, count).concat(hx), item.y.slice(0, count).concat(hy), item.colour, 2.6, 0.95);
    g.fillStyle = item.colour;
    const crowded = item.st.length > 600 ? 2.2 : item.st.length > 200 ? 3.2 : 4.4;
    for (let i = 0; i < dots; i++) {
      if (item.sx[i] === null || item.sy[i] === null) continue;
      g.beginPath(); g.arc(X(item.sx[i]), Y(item.sy[i]), crowded, 0, 7); g.fill();
    }
    g.strokeStyle = item.colour;
    g.lineWidth = 2.5;
    g.beginPath();
    for (let i = 0; i < tries; i++) {
      const x = X(item.jx[i]), y = Y(item.jy[i]);
      g.moveTo(x - 6, y - 6); g.lineTo(x + 6, y + 6); g.moveTo(x - 6, y + 6); g.lineTo(x + 6, y - 6);
    }
    g.stroke();
    if (hx !== null && hy !== null) {
      g.lineWidth = 3;
      g.strokeStyle = themed(root, "--st-background-color", "#fff");
      g.beginPath(); g.arc(X(hx), Y(hy), 9, 0, 7); g.fill(); g.stroke();
    }
  }
  function start(text) {
    if (!d.start) return;
    g.strokeStyle = text; g.lineWidth = 2.5;
    g.beginPath(); g.arc(X(d.start[0]), Y(d.start[1]), 8, 0, 7); g.stroke();
  }
  function label(text, height) {
    if (!hover) return;
    g.fillStyle = text; g.textAlign = "right"; g.textBaseline = "top";
    g.fillText(`(${short(hover.x)}, ${short(hover.y)})${d.pick ? "  click: start here" : ""}`, box.right, 3);
  }
  function score() {
    d.lanes.forEach((item, i) => {
      const [, boom, small] = board.children[i].children, t = timeOf(item);
      const steps = Math.max(0, upTo(item.st, t) - 1), tried = upTo(item.jt, t);
      const nfe = Math.round(interpolate(item.st, item.sn, t) ?? 0);
      const end = show.place >= 1;
      boom.textContent = item.end && (end || t >= item.endT) ? " " + item.end : "";
      small.textContent = `${end ? item.steps : item.thin ? "≈" + Math.round(item.steps * nfe / (item.nfe || 1)) : steps} steps, `
        + `${end ? item.rejected : tried} rejected, ${end ? item.nfe : nfe} NFE`;
    });
  }
  return player;
}
