// How each plant looks. A drawing knows its box in pixels, draws a state and its control, and says what a hand can take.

import { ring } from "./plane.js";

const GRAB = 34; // pixels round what can be taken
const STRONG = 0.9; // of the arc or arrow at the largest control

/** A mass on a rod, driven at its pivot. */
export class PendulumDrawing {
  configure({ x, y, width, height }, plant) {
    this.plant = plant;
    this.rod = 0.4 * Math.min(width, height - 20);
    [this.cx, this.cy] = [x + width / 2, y + height / 2 + 4];
  }

  bob(angle) {
    return [this.cx + this.rod * Math.sin(angle), this.cy - this.rod * Math.cos(angle)];
  }

  draw(context, x, u, theme, held) {
    const { cx, cy, rod, plant } = this;
    const [bx, by] = this.bob(x[0]);
    context.lineCap = "round";
    context.setLineDash([4, 6]);
    line(context, [cx, cy], [cx, cy - rod], theme.text, 1.5, 0.35);
    context.setLineDash([]);
    ring(context, [cx, cy - rod], 13, theme.text);
    turnArrow(context, [cx, cy], 0.34 * rod, u[0] / plant.limits[0], theme);
    line(context, [cx, cy], [bx, by], theme.text, 5);
    disc(context, [cx, cy], 5, theme.text);
    disc(context, [bx, by], 15, theme.primary, held ? theme.text : theme.background);
  }

  /** What is near a pixel: [component, the value that a pixel would give it]. */
  grab(px, py, x) {
    return near([px, py], this.bob(x[0])) ? { component: 0 } : null;
  }

  valueOf(_grip, px, py) {
    return Math.atan2(px - this.cx, this.cy - py);
  }
}

/** A pole on a cart on a track. */
export class CartPoleDrawing {
  configure({ x, y, width, height }, plant) {
    this.plant = plant;
    this.box = { x, y, width, height };
    this.scale = width / 6.4;
    this.cx = x + width / 2;
    this.cy = y + 0.6 * height;
    // Twice as long as the track's metres would have it: it is what one looks at.
    this.rod = Math.min(0.5 * height, Math.max(46, 2 * plant.parameters.length * this.scale));
  }

  cart(x) {
    return [this.cx + x[0] * this.scale, this.cy];
  }

  tip(x) {
    const [px, py] = this.cart(x);
    return [px + this.rod * Math.sin(x[2]), py - this.rod * Math.cos(x[2])];
  }

  draw(context, x, u, theme, held) {
    const { box, cy, plant, scale } = this;
    const [px, py] = this.cart(x);
    const [w, h] = [62, 30];
    const ground = cy + h / 2 + 9;
    line(context, [box.x, ground], [box.x + box.width, ground], theme.text, 2, 0.5);
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "top";
    context.fillStyle = theme.text;
    for (let metre = -4; metre <= 4; metre++) {
      const at = this.cx + metre * scale;
      if (at < box.x + 8 || at > box.x + box.width - 8) continue;
      line(context, [at, ground], [at, ground + 5], theme.text, 1.5, 0.5);
      context.globalAlpha = 0.6;
      context.fillText(metre === 0 ? "0" : String(metre).replace("-", "−"), at, ground + 8);
      context.globalAlpha = 1;
    }
    const share = u[0] / plant.limits[0];
    if (Math.abs(share) > 0.01) {
      const from = [px + Math.sign(share) * (w / 2 + 4), py];
      arrow(context, from, [from[0] + share * STRONG * 90, py], theme.classes[1]);
    }
    context.beginPath();
    context.roundRect(px - w / 2, py - h / 2, w, h, 6);
    context.fillStyle = theme.background;
    context.fill();
    context.strokeStyle = theme.text;
    context.lineWidth = held === 0 ? 4 : 2.5;
    context.stroke();
    for (const side of [-1, 1]) disc(context, [px + side * w * 0.28, py + h / 2 + 2], 7, theme.text);
    const tip = this.tip(x);
    line(context, [px, py], tip, theme.text, 6);
    disc(context, [px, py], 5, theme.background, theme.text);
    disc(context, tip, 13, theme.primary, held === 2 ? theme.text : theme.background);
  }

  grab(px, py, x) {
    if (near([px, py], this.tip(x))) return { component: 2 };
    return near([px, py], this.cart(x)) ? { component: 0 } : null;
  }

  valueOf({ component }, px, py, x) {
    if (component === 0) return (px - this.cx) / this.scale;
    const [cx, cy] = this.cart(x);
    return Math.atan2(px - cx, cy - py);
  }
}

/** A vehicle seen from above, in the plane of its places. */
export function drawUnicycle(context, plane, x, u, theme) {
  const [px, py] = plane.toScreen(x[0], x[1]);
  const size = 15 * plane.scale;
  const share = u[0] / plane.plant.limits[0];
  const ahead = [px + 46 * share * Math.cos(x[2]), py - 46 * share * Math.sin(x[2])];
  if (Math.abs(share) > 0.03) arrow(context, [px, py], ahead, theme.classes[1]);
  context.save();
  context.translate(px, py);
  context.rotate(-x[2]);
  context.beginPath();
  context.moveTo(size, 0);
  context.lineTo(-0.7 * size, 0.65 * size);
  context.lineTo(-0.35 * size, 0);
  context.lineTo(-0.7 * size, -0.65 * size);
  context.closePath();
  context.fillStyle = theme.primary;
  context.fill();
  context.strokeStyle = theme.background;
  context.lineWidth = 1.5;
  context.stroke();
  context.restore();
}

const near = ([ax, ay], [bx, by]) => Math.hypot(ax - bx, ay - by) < GRAB;

function line(context, from, to, colour, width, alpha = 1) {
  context.globalAlpha = alpha;
  context.beginPath();
  context.moveTo(...from);
  context.lineTo(...to);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
  context.globalAlpha = 1;
}

function disc(context, [x, y], r, fill, outline = null) {
  context.beginPath();
  context.arc(x, y, r, 0, 2 * Math.PI);
  context.fillStyle = fill;
  context.fill();
  if (!outline) return;
  context.strokeStyle = outline;
  context.lineWidth = 2.5;
  context.stroke();
}

function arrow(context, [ax, ay], [bx, by], colour) {
  const length = Math.hypot(bx - ax, by - ay);
  if (length < 3) return;
  const [ux, uy] = [(bx - ax) / length, (by - ay) / length];
  const head = Math.min(12, length);
  line(context, [ax, ay], [bx - ux * head * 0.6, by - uy * head * 0.6], colour, 5);
  context.beginPath();
  context.moveTo(bx, by);
  context.lineTo(bx - head * ux - 0.6 * head * uy, by - head * uy + 0.6 * head * ux);
  context.lineTo(bx - head * ux + 0.6 * head * uy, by - head * uy - 0.6 * head * ux);
  context.closePath();
  context.fillStyle = colour;
  context.fill();
}

/** The torque: an arc round the pivot, clockwise where it is positive, a three-quarter turn at its limit. */
function turnArrow(context, [cx, cy], r, share, theme) {
  if (Math.abs(share) < 0.01) return;
  const end = -Math.PI / 2 + share * STRONG * 1.4 * Math.PI;
  context.beginPath();
  context.arc(cx, cy, r, -Math.PI / 2, end, share < 0);
  context.strokeStyle = theme.classes[1];
  context.lineWidth = 5;
  context.stroke();
  const way = Math.sign(share);
  const [tx, ty] = [-Math.sin(end) * way, Math.cos(end) * way];
  const at = [cx + r * Math.cos(end), cy + r * Math.sin(end)];
  arrow(context, at, [at[0] + 13 * tx, at[1] + 13 * ty], theme.classes[1]);
}
