// A flow of densities: particles that carry their log density, the lattice they bend, and Theorem 1 as a picture.

import { rgb } from "./theme.js";

const BINS = 7; // colours from "the density falls" over paper-grey to "it rises"
const TRAIL = 0.14; // of the time that is shown

/** Whether a snapshot is of this kind: paths with their divergence or a density, but no field to follow here. */
export const isFlow = (snapshot) => Boolean(snapshot.arrays.movie && snapshot.arrays.trajectories);

/** Position along `ts` (or equal times) of t: [k, s], between k and k + 1 by the share s. */
export function placeOf(ts, count, t, t0, t1) {
  if (!ts) {
    const place = Math.min(1, Math.max(0, (t - t0) / (t1 - t0 || 1))) * (count - 1);
    const k = Math.max(0, Math.min(count - 2, Math.floor(place)));
    return [k, place - k];
  }
  let k = 0;
  while (k < count - 2 && ts[k + 1] <= t) k++;
  return [k, Math.min(1, Math.max(0, (t - ts[k]) / (ts[k + 1] - ts[k] || 1)))];
}

/** One frame of a movie (frames, h, w) at t, between its neighbours: {data, shape}. */
export function frameAt(movie, t, t0, t1, out) {
  const [frames, h, w] = movie.shape;
  const [k, s] = placeOf(null, frames, t, t0, t1);
  const data = out?.length === h * w ? out : new Float32Array(h * w);
  for (let i = 0, a = k * h * w, b = a + h * w; i < h * w; i++, a++, b++) {
    data[i] = movie.data[a] + (movie.data[b] - movie.data[a]) * s;
  }
  return { data, shape: [h, w] };
}

/** The particles of a flow, as dots with short trails; coloured by the divergence where it is known. */
export class Dots {
  constructor() {
    this.picked = null;
  }

  /** paths (T, n, 2), divergence (T, n) or undefined, ts (T,), all of one direction. */
  use(paths, divergence, ts, times) {
    Object.assign(this, { paths, divergence, ts, times });
    if (this.picked !== null && this.picked >= paths.shape[1]) this.picked = null;
    if (divergence !== this.scaledFor) {
      this.scaledFor = divergence;
      this.scale = divergence ? typical(divergence.data) : 1;
    }
  }

  at(i, t, out) {
    const [count, n, dim] = this.paths.shape;
    const [k, s] = placeOf(this.ts, count, t, ...this.times);
    const { data } = this.paths;
    for (let d = 0; d < 2; d++) {
      const a = data[(k * n + i) * dim + d];
      out[d] = a + (data[((k + 1) * n + i) * dim + d] - a) * s;
    }
    return out;
  }

  /** A quantity (T, n) of particle i at t. */
  valueAt(values, i, t) {
    const [count, n] = values.shape;
    const [k, s] = placeOf(this.ts, count, t, ...this.times);
    const a = values.data[k * n + i];
    return a + (values.data[(k + 1) * n + i] - a) * s;
  }

  /** Remember the particle nearest to a pixel at time t, if one is near; its number or null. */
  pick(sx, sy, t, projection) {
    const [y, at] = [[0, 0], [0, 0]];
    let best = 24 ** 2;
    let found = null;
    for (let i = 0; i < this.paths.shape[1]; i++) {
      projection.toScreen(this.at(i, t, y), 0, t, at);
      const distance = (at[0] - sx) ** 2 + (at[1] - sy) ** 2;
      if (distance < best) [best, found] = [distance, i];
    }
    this.picked = found;
    return found;
  }

  draw(context, projection, theme, t, backward) {
    const n = this.paths.shape[1];
    const bins = Array.from({ length: BINS }, () => []);
    for (let i = 0; i < n; i++) bins[this.binOf(i, t)].push(i);
    const colours = this.colours(theme);
    const [y, at] = [[0, 0], [0, 0]];
    const [t0, t1] = this.times;
    const trail = (t1 - t0) * TRAIL * (backward ? 1 : -1);
    context.lineCap = "round";
    bins.forEach((members, bin) => {
      context.beginPath();
      for (const i of members) {
        for (let j = 0; j <= 4; j++) {
          const then = Math.min(t1, Math.max(t0, t + (trail * j) / 4));
          projection.toScreen(this.at(i, then, y), 0, then, at);
          if (j === 0) context.moveTo(at[0], at[1]);
          else context.lineTo(at[0], at[1]);
        }
      }
      context.strokeStyle = colours[bin];
      context.globalAlpha = 0.55;
      context.lineWidth = 1.3;
      context.stroke();
      context.beginPath();
      for (const i of members) {
        projection.toScreen(this.at(i, t, y), 0, t, at);
        context.moveTo(at[0] + 3.1, at[1]);
        context.arc(at[0], at[1], 3.1, 0, 2 * Math.PI);
      }
      context.globalAlpha = 1;
      context.strokeStyle = theme.background;
      context.lineWidth = 1.4;
      context.stroke();
      context.fillStyle = colours[bin];
      context.fill();
    });
    if (this.picked !== null) this.drawPicked(context, projection, theme, t);
  }

  /** Middle: the density stays; below it falls (the field spreads), above it rises. */
  binOf(i, t) {
    if (!this.divergence) return Math.floor(BINS / 2);
    const rising = -this.valueAt(this.divergence, i, t) / this.scale;
    return Math.max(0, Math.min(BINS - 1, Math.round(((rising + 1) / 2) * (BINS - 1))));
  }

  colours(theme) {
    if (this.colouredFor === theme.key) return this.colourTable;
    this.colouredFor = theme.key;
    const [falls, still, rises] = [theme.classes[4] ?? "#2f86d6", theme.text, theme.classes[1]].map(rgb);
    this.colourTable = Array.from({ length: BINS }, (_, i) => {
      const s = (2 * i) / (BINS - 1) - 1;
      const end = s < 0 ? falls : rises;
      return `rgb(${still.map((value, c) => Math.round(value + (end[c] - value) * Math.sqrt(Math.abs(s)))).join()})`;
    });
    return this.colourTable;
  }

  /** Pixels (x, y) of the picked particle's path, as it was last drawn. */
  pathOfPicked() {
    const [t0, t1] = this.times;
    return Array.from({ length: 25 }, (_, k) => {
      const then = t0 + ((t1 - t0) * k) / 24;
      const at = [0, 0];
      this.projection.toScreen(this.at(this.picked, then, [0, 0]), 0, then, at);
      return at;
    });
  }

  drawPicked(context, projection, theme, t) {
    this.projection = projection;
    const [count] = this.paths.shape;
    const [t0, t1] = this.times;
    const [y, at] = [[0, 0], [0, 0]];
    for (const [colour, width] of [[theme.background, 5], [theme.text, 2.2]]) {
      context.beginPath();
      for (let k = 0; k < count; k++) {
        const then = this.ts ? this.ts[k] : t0 + ((t1 - t0) * k) / (count - 1);
        projection.toScreen(this.at(this.picked, then, y), 0, then, at);
        if (k === 0) context.moveTo(at[0], at[1]);
        else context.lineTo(at[0], at[1]);
      }
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
    projection.toScreen(this.at(this.picked, t, y), 0, t, at);
    context.beginPath();
    context.arc(at[0], at[1], 6, 0, 2 * Math.PI);
    context.fillStyle = theme.background;
    context.fill();
    context.lineWidth = 2.4;
    context.strokeStyle = theme.text;
    context.stroke();
  }
}

/** Grid lines of the noise (T, lines, k, 2) at t. */
export function drawLattice(context, projection, lattice, ts, times, t, colour) {
  const [count, lines, points] = lattice.shape;
  const [k, s] = placeOf(ts, count, t, ...times);
  const size = lines * points * 2;
  const [y, at] = [[0, 0], [0, 0]];
  context.beginPath();
  for (let line = 0; line < lines; line++) {
    for (let j = 0; j < points; j++) {
      for (let d = 0; d < 2; d++) {
        const a = lattice.data[k * size + (line * points + j) * 2 + d];
        y[d] = a + (lattice.data[(k + 1) * size + (line * points + j) * 2 + d] - a) * s;
      }
      projection.toScreen(y, 0, t, at);
      if (j === 0) context.moveTo(at[0], at[1]);
      else context.lineTo(at[0], at[1]);
    }
  }
  context.strokeStyle = colour;
  context.globalAlpha = 0.38;
  context.lineWidth = 1;
  context.stroke();
  context.globalAlpha = 1;
}

/** Theorem 1 in a corner: -tr df/dz along the picked path, its area so far, and log p, which grows by that area. */
export function drawIntegral(context, box, theme, dots, logProb, t) {
  const i = dots.picked;
  const { divergence, times: [t0, t1] } = dots;
  if (i === null || !divergence || !logProb) return;
  if (dots.projection) box = { ...box, x: freeSide(dots.pathOfPicked(), box, dots.projection.width) };
  const steps = 60;
  const time = (j) => t0 + ((t1 - t0) * j) / steps;
  const rate = Array.from({ length: steps + 1 }, (_, j) => -dots.valueAt(divergence, i, time(j)));
  const log = Array.from({ length: steps + 1 }, (_, j) => dots.valueAt(logProb, i, time(j)));
  context.save();
  context.globalAlpha = 0.88;
  context.fillStyle = theme.background;
  context.strokeStyle = theme.text;
  context.beginPath();
  context.roundRect(box.x, box.y, box.width, box.height, 8);
  context.fill();
  context.globalAlpha = 0.25;
  context.stroke();
  context.globalAlpha = 1;
  const half = box.height / 2;
  const upper = graph(context, { ...box, height: half }, rate, true);
  shade(context, upper, time, rate, t, theme);
  line(context, upper, rate, theme.text);
  title(context, box.x, box.y, `−tr ∂f/∂z = ${signed(-dots.valueAt(divergence, i, t))}`, theme.text);
  const lower = graph(context, { ...box, y: box.y + half, height: half }, log, false);
  line(context, lower, log, theme.primary);
  title(context, box.x, box.y + half, `log p = ${signed(dots.valueAt(logProb, i, t))}`, theme.primary);
  const x = upper.x(((t - t0) / (t1 - t0 || 1)) * steps);
  context.strokeStyle = theme.text;
  context.globalAlpha = 0.5;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x, box.y + 4);
  context.lineTo(x, box.y + box.height - 4);
  context.stroke();
  context.restore();
}

/** Where a box at the left leaves a path in sight: its own x, or, mirrored, at the right if that hides less of it. */
export function freeSide(path, { x, y, width, height }, whole) {
  const right = whole - x - width;
  const hidden = (left) => path.filter((at) => at[0] >= left && at[0] <= left + width && at[1] >= y && at[1] <= y + height);
  return hidden(right).length < hidden(x).length ? right : x;
}

function graph(context, { x, y, width, height }, values, withZero) {
  const low = Math.min(...values, ...(withZero ? [0] : []));
  const high = Math.max(...values, ...(withZero ? [0] : []));
  const span = high - low || 1;
  const [top, bottom] = [y + 19, y + height - 6];
  const place = {
    x: (j) => x + 8 + (j / (values.length - 1)) * (width - 16),
    y: (value) => bottom - ((value - low) / span) * (bottom - top),
  };
  return place;
}

function shade(context, place, time, rate, t, theme) {
  const last = rate.findIndex((_, j) => time(j) > t + 1e-9);
  const end = last < 0 ? rate.length - 1 : Math.max(0, last - 1);
  for (const [sign, colour] of [[1, theme.classes[1]], [-1, theme.classes[4] ?? "#2f86d6"]]) {
    context.beginPath();
    context.moveTo(place.x(0), place.y(0));
    for (let j = 0; j <= end; j++) context.lineTo(place.x(j), place.y(sign * Math.max(0, sign * rate[j])));
    context.lineTo(place.x(end), place.y(0));
    context.closePath();
    context.fillStyle = colour;
    context.globalAlpha = 0.45;
    context.fill();
  }
  context.globalAlpha = 0.4;
  context.strokeStyle = theme.text;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(place.x(0), place.y(0));
  context.lineTo(place.x(rate.length - 1), place.y(0));
  context.stroke();
  context.globalAlpha = 1;
}

function line(context, place, values, colour) {
  context.beginPath();
  values.forEach((value, j) => (j === 0 ? context.moveTo(place.x(j), place.y(value)) : context.lineTo(place.x(j), place.y(value))));
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.stroke();
}

function title(context, x, y, text, colour) {
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "left";
  context.textBaseline = "top";
  context.fillStyle = colour;
  context.fillText(text, x + 8, y + 4);
}

const signed = (value) => `${value < 0 ? "−" : ""}${Math.abs(value).toFixed(2)}`;

/** A size that nine in ten values stay below. */
function typical(values) {
  const sizes = Array.from(values, Math.abs).filter(Number.isFinite).sort((a, b) => a - b);
  return Math.max(1e-6, sizes[Math.floor(0.9 * sizes.length)] ?? 1);
}
