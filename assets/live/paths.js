// The paths of a scene: curves or jumps up to the scrubber's time, their heads, and where the solver ended its steps.

import { arrowHead, fillOutlined, mark } from "./marks.js";

export class Paths {
  constructor(scene) {
    this.scene = scene;
  }

  draw(context, theme, steps) {
    const { scene } = this;
    const paths = scene.blended.trajectories;
    if (!paths) return;
    const [count, n, dim] = paths.shape;
    const [t0, t1] = scene.times;
    const given = scene.now.arrays.trajectory_ts?.data;
    const timeOf = (k) => (given ? given[k] : t0 + ((t1 - t0) * k) / Math.max(1, count - 1));
    const classes = scene.kindsOfPaths;
    const jumps = scene.now.scalars.path === "jumps";
    const at = [0, 0];
    for (const [part, alpha, width] of [["whole", 0.28, 1], ["past", 0.85, 1.6]]) {
      for (const c of new Set(classes ?? [0])) {
        context.beginPath();
        for (let i = 0; i < n; i++) {
          if ((classes ? classes[i] : 0) !== c) continue;
          for (let k = 0; k < count; k++) {
            if (part === "past" && timeOf(k) > scene.t) {
              this.headOf(paths, i, at);
              if (k > 0 && !jumps) context.lineTo(at[0], at[1]);
              break;
            }
            scene.projection.toScreen(paths.data, (k * n + i) * dim, timeOf(k), at);
            if (k === 0) context.moveTo(at[0], at[1]);
            else context.lineTo(at[0], at[1]);
          }
        }
        context.strokeStyle = scene.pathColour(theme, c);
        context.globalAlpha = alpha;
        context.lineWidth = width;
        context.stroke();
      }
    }
    context.globalAlpha = 1;
    if (jumps) this.drawArrowHeads(context, theme, paths, classes);
    if (steps) this.drawSteps(context, theme, paths);
    this.drawHeads(context, theme, paths, classes);
  }

  /** A dot on each path wherever the solver ended a step: `steps` (k,) for all, or (n, k) with NaN after the last. */
  drawSteps(context, theme, paths) {
    const steps = this.scene.now.arrays.steps;
    if (!steps) return;
    const n = paths.shape[1];
    const own = steps.shape.length > 1;
    const count = steps.shape[steps.shape.length - 1];
    const at = [0, 0];
    context.beginPath();
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < count; k++) {
        const t = steps.data[own ? i * count + k : k];
        if (Number.isNaN(t)) break;
        this.headOf(paths, i, at, t);
        context.moveTo(at[0] + 1.8, at[1]);
        context.arc(at[0], at[1], 1.8, 0, 2 * Math.PI);
      }
    }
    context.fillStyle = theme.text;
    context.globalAlpha = 0.8;
    context.fill();
    context.globalAlpha = 1;
  }

  /** Pixels of path i at time t, the scrubber's by default; between two jumps it stays where the first one led. */
  headOf(paths, i, out, t = this.scene.t) {
    const [count, n, dim] = paths.shape;
    const [t0, t1] = this.scene.times;
    const given = this.scene.now.arrays.trajectory_ts?.data;
    let k = 0;
    let s = 0;
    if (given) {
      while (k < count - 2 && given[k + 1] <= t) k++;
      s = (t - given[k]) / (given[k + 1] - given[k] || 1);
    } else {
      const place = ((t - t0) / (t1 - t0 || 1)) * (count - 1);
      k = Math.max(0, Math.min(count - 2, Math.floor(place)));
      s = place - k;
    }
    s = Math.min(1, Math.max(0, s));
    if (this.scene.now.scalars.path === "jumps") {
      s = Math.floor(s + 1e-6);
      t = given ? given[k + s] : t0 + ((t1 - t0) * (k + s)) / (count - 1);
    }
    this.state ??= new Float64Array(16);
    for (let d = 0; d < Math.min(dim, 16); d++) {
      const a = paths.data[(k * n + i) * dim + d];
      this.state[d] = a + (paths.data[((k + 1) * n + i) * dim + d] - a) * s;
    }
    return this.scene.projection.toScreen(this.state, 0, t, out);
  }

  drawHeads(context, theme, paths, classes) {
    const at = [0, 0];
    if (classes && this.scene.now.scalars.marks === "digits") {
      this.drawDigits(context, theme, paths, classes);
      return;
    }
    const { compared } = this.scene; // their heads are many, and their kinds are no classes
    for (const c of new Set(classes ?? [0])) {
      context.beginPath();
      for (let i = 0; i < paths.shape[1]; i++) {
        if ((classes ? classes[i] : 0) === c) mark(context, this.headOf(paths, i, at), compared ? 0 : c, compared ? 2.6 : 4.2);
      }
      fillOutlined(context, this.scene.pathColour(theme, c), compared ? null : theme.background);
    }
  }

  /** Images of digits: each head is its digit, so that ten colours need no legend. */
  drawDigits(context, theme, paths, classes) {
    const at = [0, 0];
    context.save();
    context.font = "600 11px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let i = 0; i < paths.shape[1]; i++) {
      context.fillStyle = this.scene.colour(theme, classes[i]);
      context.fillText(classes[i], ...this.headOf(paths, i, at));
    }
    context.restore();
  }

  drawArrowHeads(context, theme, paths, classes) {
    const [count, n, dim] = paths.shape;
    const [t0, t1] = this.scene.times;
    const [a, b] = [[0, 0], [0, 0]];
    for (let i = 0; i < n; i++) {
      context.beginPath();
      for (let k = 1; k < count; k++) {
        const t = (j) => t0 + ((t1 - t0) * j) / (count - 1);
        if (t(k) > this.scene.t + 1e-9) break;
        this.scene.projection.toScreen(paths.data, ((k - 1) * n + i) * dim, t(k - 1), a);
        this.scene.projection.toScreen(paths.data, (k * n + i) * dim, t(k), b);
        arrowHead(context, a, b);
      }
      context.fillStyle = this.scene.colour(theme, classes ? classes[i] : 0);
      context.fill();
    }
  }
}
