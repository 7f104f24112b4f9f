// The heat map: u1 values -> a small picture, and the line p = 1/2 through it.

import { heatTable, rgb } from "./theme.js";

export class HeatMap {
  constructor() {
    this.picture = null;
    this.drawn = "";
  }

  /** Draw values (h, w[, classes]), row 0 at the bottom, into the picture; `stamp` tells values apart. */
  update(values, shape, theme, kind, stamp) {
    const key = [stamp, theme.key, kind].join("|");
    if (key === this.drawn) return;
    this.drawn = key;
    const [h, w, classes = 1] = shape;
    if (!this.picture || this.picture.width !== w || this.picture.height !== h) {
      this.picture = new OffscreenCanvas(w, h);
      this.context = this.picture.getContext("2d");
      this.image = this.context.createImageData(w, h);
    }
    const colours = `${theme.key}|${kind}`;
    if (this.colours !== colours) {
      this.colours = colours;
      this.table = heatTable(theme, kind);
      this.paper = rgb(theme.background);
      this.classColours = theme.classes.map(rgb);
    }
    if (classes > 1) this.blend(values, h * w, classes);
    else this.look(values, h * w);
    this.context.putImageData(this.image, 0, 0);
  }

  look(values, count) {
    const pixels = this.image.data;
    for (let i = 0; i < count; i++) {
      const at = 3 * Math.round(values[i]);
      pixels[4 * i] = this.table[at];
      pixels[4 * i + 1] = this.table[at + 1];
      pixels[4 * i + 2] = this.table[at + 2];
      pixels[4 * i + 3] = 255;
    }
  }

  blend(values, count, classes) {
    const pixels = this.image.data;
    for (let i = 0; i < count; i++) {
      for (let channel = 0; channel < 3; channel++) {
        let sum = 0;
        for (let c = 0; c < classes; c++) {
          sum += (values[i * classes + c] / 255) * this.classColours[c % this.classColours.length][channel];
        }
        pixels[4 * i + channel] = 0.55 * this.paper[channel] + 0.45 * sum;
      }
      pixels[4 * i + 3] = 255;
    }
  }

  /** Draw on the floor of the projection; samples lie on the extent, ends included, or in the middles of its cells. */
  draw(context, projection, extent, middles = false) {
    const { width: w, height: h } = this.picture;
    const [xmin, xmax, ymin, ymax] = extent;
    const fewer = middles ? 0 : 1;
    const [dx, dy] = [(xmax - xmin) / Math.max(1, w - fewer), (ymax - ymin) / Math.max(1, h - fewer)];
    context.save();
    context.transform(...projection.floorTransform());
    context.beginPath();
    context.rect(xmin, ymin, xmax - xmin, ymax - ymin);
    context.clip();
    context.translate(xmin - (fewer * dx) / 2, ymin - (fewer * dy) / 2);
    context.scale(dx, dy);
    context.imageSmoothingEnabled = true;
    if (projection.rotatable) context.globalAlpha = 0.8;
    context.drawImage(this.picture, 0, 0);
    context.restore();
  }
}

/** The line value = level through values (h, w) as segments [x0, y0, x1, y1, ...] in data coordinates. */
export function contour(values, [h, w], [xmin, xmax, ymin, ymax], level) {
  const segments = [];
  const [dx, dy] = [(xmax - xmin) / (w - 1), (ymax - ymin) / (h - 1)];
  const corners = [0, 0, 0, 0];
  for (let row = 0; row + 1 < h; row++) {
    for (let column = 0, at = row * w; column + 1 < w; column++, at++) {
      corners[0] = values[at] - level;
      corners[1] = values[at + 1] - level;
      corners[2] = values[at + w + 1] - level;
      corners[3] = values[at + w] - level;
      const below = (corners[0] < 0) + (corners[1] < 0) + (corners[2] < 0) + (corners[3] < 0);
      if (below === 0 || below === 4) continue;
      for (let side = 0; side < 4; side++) {
        const from = corners[side];
        const to = corners[(side + 1) % 4];
        if (from < 0 === to < 0) continue;
        const s = from / (from - to);
        const x = side === 0 ? s : side === 1 ? 1 : side === 2 ? 1 - s : 0;
        const y = side === 0 ? 0 : side === 1 ? s : side === 2 ? 1 : 1 - s;
        segments.push(xmin + (column + x) * dx, ymin + (row + y) * dy);
      }
    }
  }
  return segments;
}
