// Marks for data: discs, diamonds, triangles, arrow heads.

/** Classes differ in shape as well as colour: disc, diamond, triangle. */
export function mark(context, [x, y], c, r) {
  context.moveTo(x + r, y);
  if (c % 3 === 0) context.arc(x, y, r, 0, 2 * Math.PI);
  else if (c % 3 === 1) polygon(context, [[x + 1.2 * r, y], [x, y + 1.2 * r], [x - 1.2 * r, y], [x, y - 1.2 * r]]);
  else polygon(context, [[x, y - 1.2 * r], [x + 1.1 * r, y + 0.8 * r], [x - 1.1 * r, y + 0.8 * r]]);
}

function polygon(context, corners) {
  context.moveTo(...corners[0]);
  for (const corner of corners.slice(1)) context.lineTo(...corner);
  context.closePath();
}

export function arrowHead(context, [ax, ay], [bx, by]) {
  const length = Math.hypot(bx - ax, by - ay);
  if (length < 3) return;
  const size = Math.min(6, 0.5 * length);
  const [ux, uy] = [((bx - ax) / length) * size, ((by - ay) / length) * size];
  polygon(context, [[bx, by], [bx - ux - 0.5 * uy, by - uy + 0.5 * ux], [bx - ux + 0.5 * uy, by - uy - 0.5 * ux]]);
}

export function fillOutlined(context, fill, outline) {
  if (outline) {
    context.strokeStyle = outline;
    context.lineWidth = 1.6;
    context.stroke();
  }
  context.fillStyle = fill;
  context.fill();
}
