// What players draw on their canvases: X and Y turn values into pixels.

/** Lines and labels at xs and ys in a box; `labelX` null: no labels below; `log`: ys are powers of ten. */
function grid(g, box, X, Y, xs, ys, text, labelX, log) {
  g.strokeStyle = text; g.fillStyle = text; g.lineWidth = 1;
  for (const v of xs) {
    if (X(v) < box.left - 0.5 || X(v) > box.right + 0.5) continue;
    g.globalAlpha = 0.14; g.beginPath(); g.moveTo(X(v), box.top); g.lineTo(X(v), box.bottom); g.stroke();
    g.globalAlpha = 0.9; g.textAlign = "center"; g.textBaseline = "top";
    if (labelX) g.fillText(labelX(v), X(v), box.bottom + 5);
  }
  const size = parseFloat(g.font);
  let free = Infinity; // labels of a low strip must not run into each other
  for (const v of ys) {
    g.globalAlpha = 0.14; g.beginPath(); g.moveTo(box.left, Y(v)); g.lineTo(box.right, Y(v)); g.stroke();
    g.globalAlpha = 0.9; g.textAlign = "right"; g.textBaseline = "middle";
    if (Y(v) < free - size - 1) { g.fillText(log ? power(v) : short(v), box.left - 6, Y(v)); free = Y(v); }
  }
  g.globalAlpha = 1;
}

/** A line through the points, broken where one is missing (null). */
function path(g, xs, ys, X, Y, style, width, alpha = 1, dash = []) {
  g.strokeStyle = style; g.lineWidth = width; g.globalAlpha = alpha; g.setLineDash(dash);
  g.beginPath();
  let up = true;
  for (let i = 0; i < xs.length; i++) {
    if (xs[i] === null || ys[i] === null) { up = true; continue; }
    if (up) g.moveTo(X(xs[i]), Y(ys[i])); else g.lineTo(X(xs[i]), Y(ys[i]));
    up = false;
  }
  g.stroke();
  g.setLineDash([]); g.globalAlpha = 1;
}

function dot(g, x, y, r, style) { g.fillStyle = style; g.beginPath(); g.arc(x, y, r, 0, 7); g.fill(); }
function ring(g, x, y, r, style) { g.strokeStyle = style; g.lineWidth = 2.5; g.beginPath(); g.arc(x, y, r, 0, 7); g.stroke(); }
function cross(g, x, y, style, r) {
  g.strokeStyle = style; g.lineWidth = 2.5;
  g.beginPath(); g.moveTo(x - r, y - r); g.lineTo(x + r, y + r); g.moveTo(x - r, y + r); g.lineTo(x + r, y - r); g.stroke();
}

function power(v) {
  const digits = "⁰¹²³⁴⁵⁶⁷⁸⁹", k = Math.round(Math.log10(v));
  return "10" + String(k).replace("-", "⁻").replace(/\d/g, (c) => digits[c]);
}
