// Axes, ticks and the box around the three-dimensional views.

/** Axes of the projection's view: ticks for the plane and the graph, a box for the rotatable ones. */
export function drawAxes(context, p, theme) {
  context.strokeStyle = context.fillStyle = theme.text;
  context.font = `${Math.round(11 * theme.scale)}px system-ui, sans-serif`;
  context.lineWidth = 1;
  if (p.mode === "graph") drawGraphAxes(context, p);
  else if (p.mode === "plane") drawPlaneAxes(context, p);
  else drawBox(context, p);
  context.globalAlpha = 1;
}

function drawPlaneAxes(context, p) {
  const [xmin, xmax, ymin, ymax] = p.extent;
  const [left, bottom] = p.place(xmin, ymin, 0, [0, 0]);
  const [right, top] = p.place(xmax, ymax, 0, [0, 0]);
  context.globalAlpha = 0.25;
  context.strokeRect(left, top, right - left, bottom - top);
  context.globalAlpha = 0.65;
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const x of ticks(xmin, xmax)) context.fillText(label(x), p.place(x, 0, 0, [0, 0])[0], bottom + 4);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const y of ticks(ymin, ymax)) context.fillText(label(y), left - 5, p.place(0, y, 0, [0, 0])[1]);
}

function drawGraphAxes(context, p) {
  const { box, t0, t1, extent } = p;
  context.globalAlpha = 0.25;
  context.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  context.globalAlpha = 0.65;
  context.textAlign = "center";
  context.textBaseline = "top";
  for (const t of ticks(t0, t1)) {
    const x = box.left + ((t - t0) / (t1 - t0)) * (box.right - box.left);
    context.fillText(label(t), x, box.bottom + 4);
  }
  context.fillText("t", box.right - 4, box.bottom + 16);
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const y of ticks(extent[2], extent[3])) {
    const at = box.bottom - ((y - extent[2]) / (extent[3] - extent[2])) * (box.bottom - box.top);
    context.fillText(label(y), box.left - 5, at);
  }
}

function drawBox(context, p) {
  const [xmin, xmax, ymin, ymax] = p.extent;
  const [low, high] = p.zRange;
  const line = (from, to) => {
    context.moveTo(...p.place(...from, [0, 0]));
    context.lineTo(...p.place(...to, [0, 0]));
  };
  context.globalAlpha = 0.22;
  context.beginPath();
  for (const z of [low, high]) {
    line([xmin, ymin, z], [xmax, ymin, z]);
    line([xmax, ymin, z], [xmax, ymax, z]);
    line([xmax, ymax, z], [xmin, ymax, z]);
    line([xmin, ymax, z], [xmin, ymin, z]);
  }
  for (const [x, y] of [[xmin, ymin], [xmax, ymin], [xmax, ymax], [xmin, ymax]]) line([x, y, low], [x, y, high]);
  context.stroke();
  context.globalAlpha = 0.75;
  context.textAlign = "center";
  context.textBaseline = "middle";
  const name = (text, x, y, z) => context.fillText(text, ...p.place(x, y, z, [0, 0]));
  const pad = 0.08 * (xmax - xmin);
  name("x", (xmin + xmax) / 2, ymin - pad, low);
  name("y", xmax + pad, (ymin + ymax) / 2, low);
  name(p.mode === "time" ? `t = ${label(high)}` : "third dimension", xmin, ymin, high + 0.06 * (high - low));
  if (p.mode === "time") name(`t = ${label(low)}`, xmin - pad, ymin - pad, low);
}

/** Round numbers from low to high, about so many. */
export function ticks(low, high, about = 5) {
  const rough = (high - low) / about;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * power).find((size) => size >= rough);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) out.push(k * step);
  return out;
}

export const label = (value) => String(Number(value.toPrecision(3))).replace("-", "−");
