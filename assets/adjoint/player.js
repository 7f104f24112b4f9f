// Forward and backward, replayed on the client: no server round trip a frame. The page sends every mode's way back once.
const SECONDS = 5; // each way

export default function (component) {
  const { data, parentElement } = component;
  const root = parentElement.querySelector(".adjoint");
  if (!root.player) root.player = createPlayer(root);
  root.player.load(data);
  return () => { if (!root.isConnected) root.player.stop(); };
}

function createPlayer(root) {
  const plane = root.querySelector(".plane"), strips = root.querySelector(".strips");
  const now = root.querySelector(".now");
  const modes = root.querySelector(".modes"), failure = root.querySelector(".failure"), legend = root.querySelector(".legend");
  const show = playback(root, { seconds: SECONDS, end: 2, draw });
  let d = null, shown = 0;

  function load(data) {
    const name = d ? d.ways[shown].label : "";
    d = data;
    shown = Math.max(0, d.ways.findIndex((way) => way.label === name));
    modes.replaceChildren(...d.ways.map((way, index) => {
      const button = document.createElement("button"), small = document.createElement("small");
      button.type = "button";
      button.textContent = way.label;
      small.textContent = way.verdict;
      button.append(" ", small);
      button.onclick = () => { shown = index; press(); show.draw(); };
      return button;
    }));
    legend.replaceChildren(...d.legend.map(([text, colour]) => {
      const item = document.createElement("span");
      item.textContent = text;
      item.style.setProperty("--mark", colour);
      return item;
    }));
    press();
    show.draw();
  }
  function press() {
    [...modes.children].forEach((button, index) => button.setAttribute("aria-pressed", index === shown));
    failure.textContent = d.ways[shown].failure;
  }

  // --- time: `show.place` runs from 0 to 1 forward, and from 1 to 2 backward
  const goneTo = () => d.T * Math.min(show.place, 1);
  const backTo = () => show.place > 1 ? d.T * (2 - show.place) : Infinity;

  // --- drawing
  function fit(canvas, height) {
    const width = canvas.clientWidth;
    return { g: cleared(canvas, width, height, `${0.94 * typeSize(root)}px ${themed(root, "--st-font", "sans-serif")}`), width, height };
  }
  function draw(text) {
    if (!d) return;
    const beside = getComputedStyle(root.querySelector(".stage")).gridTemplateColumns.split(" ").length > 1;
    drawPlane(text, pictureHeight(root, beside ? 540 : 360));
    drawStrips(text, beside ? pictureHeight(root, 540) : 560);
    now.textContent = show.place > 1 ? `backward, t = ${short(backTo())}` : `forward, t = ${short(goneTo())}`;
    root.dataset.place = show.place.toFixed(3);
  }

  function drawPlane(text, height) {
    const { g, width } = fit(plane, height), way = d.ways[shown];
    const line = typeSize(root), box = { left: 2.9 * line, right: width - 8, top: 1.6 * line, bottom: height - 2.6 * line };
    // one scale for both axes, so that an arrow's direction is the vector's
    const scale = Math.min((box.right - box.left) / (d.x[1] - d.x[0]), (box.bottom - box.top) / (d.y[1] - d.y[0]));
    const cx = (d.x[0] + d.x[1]) / 2, cy = (d.y[0] + d.y[1]) / 2;
    const mx = (box.left + box.right) / 2, my = (box.top + box.bottom) / 2;
    const X = (x) => mx + (x - cx) * scale, Y = (y) => my - (y - cy) * scale;
    const xs = [cx - (mx - box.left) / scale, cx + (mx - box.left) / scale], ys = [cy - (my - box.top) / scale, cy + (my - box.top) / scale];
    grid(g, box, X, Y, ticks(...xs, width < 420 ? 4 : 6), ticks(...ys, 6), text, short);
    g.textAlign = "center"; g.textBaseline = "bottom"; g.fillText(d.names[0], mx, height - 1);
    g.textAlign = "left"; g.textBaseline = "top"; g.fillText(d.names[1], 4, 2);
    g.save();
    g.beginPath(); g.rect(box.left, box.top, box.right - box.left, box.bottom - box.top); g.clip();
    const gone = upTo(d.f.t, goneTo()), head = [interpolate(d.f.t, d.f.x, goneTo()), interpolate(d.f.t, d.f.y, goneTo())];
    path(g, d.f.x.slice(0, gone).concat(head[0]), d.f.y.slice(0, gone).concat(head[1]), X, Y, d.colours.z, 3.5, 0.9);
    cross(g, X(d.target[0]), Y(d.target[1]), d.colours.loss, 8);
    d.observed.filter((o) => o[0] <= goneTo() * (1 + 1e-12)).forEach((o) => {
      g.strokeStyle = d.colours.loss; g.lineWidth = 1.8; g.setLineDash([4, 4]);
      g.beginPath(); g.moveTo(X(o[1]), Y(o[2])); g.lineTo(X(d.target[0]), Y(d.target[1])); g.stroke(); g.setLineDash([]);
      dot(g, X(o[1]), Y(o[2]), 6, d.colours.loss);
    });
    ring(g, X(d.f.x[0]), Y(d.f.y[0]), 8, text);
    if (show.place > 1 && way.b.length) {
      const tau = d.T - backTo(), count = upTo(way.b, tau), at = (row) => interpolate(way.b, row, tau);
      const steps = upTo(way.sb, tau), a = (row, b) => interpolate(way.ab, row, b);
      path(g, way.x.slice(0, count).concat(at(way.x)), way.y.slice(0, count).concat(at(way.y)), X, Y, d.colours.back, 2.5, 1, [7, 5]);
      for (let i = 0; i < steps; i++) if (way.sb.length < 200) dot(g, X(way.sx[i]), Y(way.sy[i]), 3, d.colours.back);
      const stride = Math.max(1, Math.ceil(way.sb.length / 36));
      for (let i = 0; i < steps; i += stride) arrow(g, X(way.sx[i]), Y(way.sy[i]), a(way.u, way.sb[i]), a(way.v, way.sb[i]), 0.6, 2);
      const rx = interpolate(d.f.t, d.f.x, backTo()), ry = interpolate(d.f.t, d.f.y, backTo());
      arrow(g, X(rx), Y(ry), interpolate(d.r.b, d.r.u, tau), interpolate(d.r.b, d.r.v, tau), 0.9, 5, d.colours.truth);
      arrow(g, X(at(way.x)), Y(at(way.y)), a(way.u, tau), a(way.v, tau), 1, 3.5);
      dot(g, X(at(way.x)), Y(at(way.y)), 7, d.colours.back);
    } else dot(g, X(head[0]), Y(head[1]), 7, d.colours.z);
    g.restore();
    if (show.place > 1 && way.note) {
      g.fillStyle = d.colours.back; g.textAlign = "right"; g.textBaseline = "top"; g.fillText(way.note, box.right, 2);
    }
  }
  function arrow(g, x, y, u, v, alpha, width, style = d.colours.a) {
    // the longest true |a| is 90 pixels; what is longer is cut, so that an exploded adjoint stays in the picture
    const size = Math.hypot(u, v), pixels = Math.min(130, size / d.largest * 90);
    if (!(pixels > 1.5) || !isFinite(pixels)) return;
    const ex = u / size, ey = -v / size, tx = x + ex * pixels, ty = y + ey * pixels, h = Math.min(11, 4 + pixels * 0.15);
    g.strokeStyle = style; g.fillStyle = style; g.lineWidth = width; g.globalAlpha = alpha;
    g.beginPath(); g.moveTo(x, y); g.lineTo(tx - ex * h * 0.7, ty - ey * h * 0.7); g.stroke();
    g.beginPath(); g.moveTo(tx, ty); g.lineTo(tx - ex * h - ey * h * 0.5, ty - ey * h + ex * h * 0.5);
    g.lineTo(tx - ex * h + ey * h * 0.5, ty - ey * h - ex * h * 0.5); g.fill();
    g.globalAlpha = 1;
  }

  function drawStrips(text, height) {
    const { g, width } = fit(strips, height), line = typeSize(root), bottom = 2.5 * line;
    const rows = d.ways[shown].strips.slice(0, Math.max(2, Math.floor((height - bottom) / (4.2 * line)))); // those that can be read
    const each = (height - bottom) / rows.length;
    const left = 3.9 * line, right = width - 10, X = (t) => left + t / d.T * (right - left);
    rows.forEach((row, index) => {
      const box = { left, right, top: index * each + 1.4 * line, bottom: (index + 1) * each - 8 };
      const to = (v) => row.log ? Math.log10(v) : v;
      const Y = (v) => box.bottom - (to(v) - row.y[0]) / (row.y[1] - row.y[0]) * (box.bottom - box.top);
      const marks = row.log ? decades(row.y) : ticks(...row.y, 4);
      grid(g, box, X, Y, ticks(0, d.T, width < 420 ? 5 : 8), marks, text, index === rows.length - 1 ? short : null, row.log);
      g.fillStyle = text; g.textAlign = "left"; g.textBaseline = "top"; g.fillText(row.title, 4, index * each + 1);
      g.save();
      g.beginPath(); g.rect(box.left - 4, box.top - 3, box.right - box.left + 8, box.bottom - box.top + 6); g.clip();
      g.strokeStyle = d.colours.loss; g.setLineDash([4, 4]); g.lineWidth = 1.5;
      d.observed.forEach((o) => { g.beginPath(); g.moveTo(X(o[0]), box.top); g.lineTo(X(o[0]), box.bottom); g.stroke(); });
      g.setLineDash([]);
      [...(d.under[row.under] || []), ...row.series].forEach((series) => revealed(g, series, X, Y));
      g.strokeStyle = text; g.globalAlpha = 0.6; g.lineWidth = 1.5;
      const at = show.place > 1 ? backTo() : goneTo();
      g.beginPath(); g.moveTo(X(at), box.top); g.lineTo(X(at), box.bottom); g.stroke();
      g.restore();
      if (row.note) { g.fillStyle = text; g.globalAlpha = 0.75; g.textAlign = "center"; g.textBaseline = "middle";
        g.fillText(row.note, (left + right) / 2, (box.top + box.bottom) / 2, right - left); g.globalAlpha = 1; }
    });
    g.fillStyle = text; g.textAlign = "center"; g.textBaseline = "bottom"; g.fillText("t", (left + right) / 2, height - 1);
  }
  /** A series up to the present moment: "f" forward in t, "b" backward (b = T - t grows), "r" the truth, always whole. */
  function revealed(g, s, X, Y) {
    const count = s.k === "r" ? s.x.length : s.k === "f" ? upTo(s.x, goneTo()) : show.place > 1 ? upTo(s.x, d.T - backTo()) : 0;
    if (!count) return;
    const px = s.k === "b" || s.k === "r" ? (b) => X(d.T - b) : X, xs = s.x.slice(0, count), ys = s.y.slice(0, count);
    if (s.dots) {
      for (let i = 0; i < count; i++) if (ys[i] !== null) {
        if (s.bad && s.bad[i]) cross(g, px(xs[i]), Y(ys[i]), s.c, 4.5); else dot(g, px(xs[i]), Y(ys[i]), count > 150 ? 1.8 : 3, s.c);
      }
      return;
    }
    if (s.k !== "r") {
      const end = s.k === "f" ? goneTo() : d.T - backTo();
      xs.push(Math.min(end, s.x[s.x.length - 1])); ys.push(interpolate(s.x, s.y, end));
    }
    path(g, xs, ys, px, Y, s.c, s.w, s.alpha ?? 1, s.dash);
  }

  return { load, stop: show.stop };
}

function decades([low, high]) {
  const step = Math.max(1, Math.ceil((high - low) / 3)), values = [];
  for (let k = Math.ceil(low); k <= high; k += step) values.push(Math.pow(10, k));
  return values;
}
