// The race, replayed on the client: no server round trip a frame. The page sends curves, steps and rejections once.
const SECONDS = 9;

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
  let d = null, g = null, byWork = false, box = null, hover = null, view = null;
  let held = null, dropped = false; // where the start is being dragged to, and whether it has just been let go

  function load(data) {
    d = data;
    held = null;
    root.classList.toggle("pick", !!d.pick);
    // a replay that is running goes on with the new solution; a finished one shows all of the new one
    board.replaceChildren(...d.lanes.map((lane) => {
      const chip = document.createElement("div");
      chip.className = "chip";
      chip.style.borderColor = lane.colour;
      const name = document.createElement("b"), boom = document.createElement("span"), small = document.createElement("small");
      name.textContent = lane.label;
      boom.className = lane.failed ? "end boom" : "end";
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
      x: view.x[0] + (px - box.left) / (box.right - box.left) * (view.x[1] - view.x[0]),
      y: view.y[1] - (py - box.top) / (box.bottom - box.top) * (view.y[1] - view.y[0]),
    };
  }
  /** Whether a mouse or a finger is on the ring. */
  function grasps(at, reach) {
    return !!at && d.pick && !!d.start && Math.hypot(at.px - X(d.start[0]), at.py - Y(d.start[1])) <= reach;
  }
  let dragging = false;
  canvas.onpointerdown = (event) => {
    dropped = false;
    if (!grasps(place(event), event.pointerType === "mouse" ? 14 : 26)) return;
    dragging = true;
    canvas.setPointerCapture(event.pointerId);
  };
  // a finger that holds the ring moves it, and does not scroll the page
  canvas.addEventListener("touchstart", (event) => { if (grasps(place(event.touches[0]), 26)) event.preventDefault(); }, { passive: false });
  canvas.onpointermove = (event) => {
    const at = place(event);
    hover = event.pointerType === "mouse" ? at : null;
    if (dragging && at) held = d.line ? [d.start[0], at.y] : [at.x, at.y];
    canvas.style.cursor = dragging ? "grabbing" : grasps(at, 14) ? "grab" : "";
    show.draw();
  };
  canvas.onpointerup = () => {
    if (dragging && held && player.pick) { player.pick(held[0], held[1]); dropped = true; }
    dragging = false;
  };
  canvas.onpointercancel = () => { dragging = false; held = null; show.draw(); };
  canvas.onclick = (event) => {
    const at = place(event);
    if (!dropped && at && d.pick && player.pick) player.pick(at.x, at.y);
    dropped = false;
  };
  canvas.onpointerleave = () => { hover = null; show.draw(); };

  // --- drawing
  const X = (x) => box.left + (x - view.x[0]) / (view.x[1] - view.x[0]) * (box.right - box.left);
  const Y = (y) => box.bottom - (y - view.y[0]) / (view.y[1] - view.y[0]) * (box.bottom - box.top);
  /** The limits of the plane: wider than those that were sent where a circle is to be a circle. */
  function seen() {
    if (!d.equal) return { x: d.x, y: d.y };
    const unit = Math.max((d.x[1] - d.x[0]) / (box.right - box.left), (d.y[1] - d.y[0]) / (box.bottom - box.top));
    const around = ([low, high], pixels) => [(low + high - unit * pixels) / 2, (low + high + unit * pixels) / 2];
    return { x: around(d.x, box.right - box.left), y: around(d.y, box.bottom - box.top) };
  }

  function draw(text) {
    if (!d) return;
    const width = root.clientWidth, height = pictureHeight(root, Math.max(290, Math.min(560, width * 0.72)));
    g = cleared(canvas, width, height, `${typeSize(root)}px ${themed(root, "--st-font", "sans-serif")}`);
    axes(width, height, text);
    g.save();
    g.beginPath();
    g.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    g.clip();
    arrows(text);
    path(g, d.rx, d.ry, X, Y, text, 6, 0.28);
    d.lanes.forEach(lane);
    start(text);
    g.restore();
    label(text, height);
    score();
    now.textContent = byWork ? `${Math.round(show.place * work())} NFE` : `t = ${short(timeOf(d.lanes[0]))}`;
    root.dataset.fraction = show.place.toFixed(3);
  }
  function axes(width, height, text) {
    const ys = ticks(d.y[0], d.y[1], height < 350 ? 4 : 6), line = typeSize(root);
    const wide = Math.max(...ys.map((v) => g.measureText(short(v)).width), 10);
    box = { left: wide + 14, right: width - 10, top: 1.6 * line, bottom: height - 3 * line };
    view = seen();
    const xs = ticks(...view.x, width < 500 ? 4 : 7);
    grid(g, box, X, Y, xs, d.equal ? ticks(...view.y, height < 350 ? 4 : 6) : ys, text, short);
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
      const u = d.field.u[i] * (box.right - box.left) / (view.x[1] - view.x[0]);
      const v = -d.field.v[i] * (box.bottom - box.top) / (view.y[1] - view.y[0]);
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
  function lane(item) {
    const t = timeOf(item), count = upTo(item.t, t), dots = upTo(item.st, t), tries = upTo(item.jt, t);
    const hx = interpolate(item.t, item.x, t), hy = interpolate(item.t, item.y, t);
    path(g, item.x.slice(0, count).concat(hx), item.y.slice(0, count).concat(hy), X, Y, item.colour, 2.6, 0.95);
    const crowded = item.st.length > 600 ? 2.2 : item.st.length > 200 ? 3.2 : 4.4;
    for (let i = 0; i < dots; i++) {
      if (item.sx[i] !== null && item.sy[i] !== null) dot(g, X(item.sx[i]), Y(item.sy[i]), crowded, item.colour);
    }
    for (let i = 0; i < tries; i++) cross(g, X(item.jx[i]), Y(item.jy[i]), item.colour, 6);
    if (hx !== null && hy !== null) {
      g.lineWidth = 3;
      g.fillStyle = item.colour;
      g.strokeStyle = themed(root, "--st-background-color", "#fff");
      g.beginPath(); g.arc(X(hx), Y(hy), 9, 0, 7); g.fill(); g.stroke();
    }
  }
  function start(text) {
    if (!d.start) return;
    const [x, y] = held || d.start;
    if (held) { g.globalAlpha = 0.4; ring(g, X(d.start[0]), Y(d.start[1]), 8, text); g.globalAlpha = 1; }
    ring(g, X(x), Y(y), held ? 11 : 8, text);
  }
  function label(text, height) {
    if (!hover) return;
    g.fillStyle = text; g.textAlign = "right"; g.textBaseline = "top";
    g.fillText(`(${short(hover.x)}, ${short(hover.y)})${d.pick ? "  click: start here, or drag the ring" : ""}`, box.right, 3);
  }
  function score() {
    d.lanes.forEach((item, i) => {
      const [, boom, small] = board.children[i].children, t = timeOf(item);
      const steps = Math.max(0, upTo(item.st, t) - 1), tried = upTo(item.jt, t);
      const nfe = Math.round(interpolate(item.st, item.sn, t) ?? 0);
      const end = show.place >= 1;
      boom.textContent = item.end && (end || t >= item.endT) ? " " + item.end : "";
      const taken = end ? item.steps : item.thin ? Math.round(item.steps * nfe / (item.nfe || 1)) : steps;
      small.textContent = `${item.thin && !end ? "≈" : ""}${taken} ${taken === 1 ? "step" : "steps"}, `
        + `${end ? item.rejected : tried} rejected, ${end ? item.nfe : nfe} NFE`;
    });
  }
  return player;
}
