// From states to pixels. All projections are affine, so that the heat map can be drawn as a tilted picture.

/** One of "plane" (components 1 and 2), "space" (1, 2 and 3), "time" (1, 2 and t; 1 against t for scalar states). */
export class Projection {
  constructor() {
    this.view = "plane";
    this.yaw = -0.6;
    this.pitch = 0.55;
    this.version = 0; // counts changes, so that layers know when to draw themselves anew
    this.configure({ width: 1, height: 1, extent: [-1, 1, -1, 1], t0: 0, t1: 1, dim: 2, depth: [-1, 1] });
  }

  /** extent [xmin, xmax, ymin, ymax], depth [zmin, zmax] of the third component, canvas size in CSS pixels. */
  configure({ width, height, extent, t0, t1, dim, depth }) {
    const asked = [width, height, ...extent, t0, t1, dim, ...depth, this.view, this.yaw, this.pitch];
    if (this.asked && asked.every((value, i) => value === this.asked[i])) return this;
    this.asked = asked;
    this.version += 1;
    Object.assign(this, { width, height, extent, t0, t1, dim, depth });
    this.scalar = dim < 2;
    this.mode = this.scalar ? "graph" : this.view === "space" && dim < 3 ? "plane" : this.view;
    const [xmin, xmax, ymin, ymax] = extent;
    this.cx = (xmin + xmax) / 2;
    this.cy = (ymin + ymax) / 2;
    const margin = this.mode === "plane" ? 14 : 30;
    const w = Math.max(1, width - 2 * margin - 26);
    const h = Math.max(1, height - 2 * margin - 12);
    if (this.mode === "plane") {
      this.scale = Math.min(w / (xmax - xmin), h / (ymax - ymin));
    } else {
      this.scale = 0.68 * Math.min(w * 0.85, h) / Math.max(xmax - xmin, ymax - ymin);
    }
    this.x0 = width / 2 + 8;
    this.y0 = height / 2 - 4;
    this.box = { left: margin + 26, right: width - margin, top: margin, bottom: height - margin - 12 };
    this.zRange = this.mode === "time" ? [t0, t1] : depth;
    this.zScale = (Math.max(xmax - xmin, ymax - ymin) * 0.9) / Math.max(1e-9, this.zRange[1] - this.zRange[0]);
    [this.sinYaw, this.cosYaw] = [Math.sin(this.yaw), Math.cos(this.yaw)];
    [this.sinPitch, this.cosPitch] = [Math.sin(this.pitch), Math.cos(this.pitch)];
    return this;
  }

  get rotatable() {
    return this.mode === "space" || this.mode === "time";
  }

  rotate(dx, dy) {
    this.yaw += dx * 0.01;
    this.pitch = Math.min(1.5, Math.max(0.05, this.pitch + dy * 0.01));
  }

  /** Pixels of the state at `at` in `y` (any array) at time t, into `out` [x, y]. */
  toScreen(y, at, t, out) {
    if (this.mode === "graph") {
      const { left, right, top, bottom } = this.box;
      const [, , ymin, ymax] = this.extent;
      out[0] = left + ((t - this.t0) / (this.t1 - this.t0 || 1)) * (right - left);
      out[1] = bottom - ((y[at] - ymin) / (ymax - ymin)) * (bottom - top);
      return out;
    }
    const third = this.mode === "time" ? t : this.mode === "space" ? y[at + 2] : 0;
    return this.place(y[at], y[at + 1], third, out);
  }

  /** Pixels of the point (x, y, z) of the box; z is the third component or the time. */
  place(x, y, z, out) {
    const px = (x - this.cx) * this.scale;
    const py = (y - this.cy) * this.scale;
    if (this.mode === "plane") {
      out[0] = this.x0 + px;
      out[1] = this.y0 - py;
      return out;
    }
    const pz = (z - (this.zRange[0] + this.zRange[1]) / 2) * this.zScale * this.scale;
    const along = px * this.sinYaw + py * this.cosYaw;
    out[0] = this.x0 + px * this.cosYaw - py * this.sinYaw;
    out[1] = this.y0 - along * this.sinPitch - pz * this.cosPitch;
    return out;
  }

  /** The height at which the heat map lies: t0, or the plane of zeros where data points start. */
  get floor() {
    return this.mode === "time" ? this.t0 : 0;
  }

  /** Canvas transform [a, b, c, d, e, f] that takes data coordinates (x, y) on the floor to pixels. */
  floorTransform() {
    const o = this.place(0, 0, this.floor, [0, 0]);
    const x = this.place(1, 0, this.floor, [0, 0]);
    const y = this.place(0, 1, this.floor, [0, 0]);
    return [x[0] - o[0], x[1] - o[1], y[0] - o[0], y[1] - o[1], o[0], o[1]];
  }

  /** Data coordinates [x, y] on the floor (or [x] for scalar states) under a pixel. */
  toData(sx, sy) {
    if (this.mode === "graph") {
      const { top, bottom } = this.box;
      const [, , ymin, ymax] = this.extent;
      return [ymin + ((bottom - sy) / (bottom - top)) * (ymax - ymin)];
    }
    const [a, b, c, d, e, f] = this.floorTransform();
    const det = a * d - b * c || 1e-9;
    return [(d * (sx - e) - c * (sy - f)) / det, (a * (sy - f) - b * (sx - e)) / det];
  }
}
