// The path that starts where somebody points: solved here, from the newest weights.

import { trajectory } from "./mlp.js";

const STEPS = 64;

export class Probe {
  constructor(scene) {
    this.scene = scene;
    this.shown = null;
  }

  /** Show the path that starts at y0 (null: none); held: until something else is pointed at. */
  lookAt(y0, held = false) {
    const { field, times } = this.scene;
    this.shown = y0 && field ? { y0, held, path: trajectory(field, y0, ...times, STEPS) } : null;
  }

  /** Solve anew what is shown: the weights are others. */
  again() {
    if (this.shown) this.lookAt(this.shown.y0, this.shown.held);
  }

  /** The pointer has left: only what is held stays. */
  release() {
    if (!this.shown?.held) this.shown = null;
  }

  draw(context, theme) {
    if (!this.shown) return;
    const { projection, field, times } = this.scene;
    const { path } = this.shown;
    const dim = field.dim;
    const [t0, t1] = times;
    const steps = path.length / dim - 1;
    const at = [0, 0];
    for (const [colour, width] of [[theme.background, 5], [theme.text, 2.4]]) {
      context.beginPath();
      for (let k = 0; k <= steps; k++) {
        projection.toScreen(path, k * dim, t0 + ((t1 - t0) * k) / steps, at);
        if (k === 0) context.moveTo(at[0], at[1]);
        else context.lineTo(at[0], at[1]);
      }
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    }
    for (const [k, size] of [[0, 5], [steps, 4]]) {
      projection.toScreen(path, k * dim, k === 0 ? t0 : t1, at);
      context.beginPath();
      context.arc(at[0], at[1], size, 0, 2 * Math.PI);
      context.fillStyle = k === 0 ? theme.background : theme.text;
      context.fill();
      context.strokeStyle = theme.text;
      context.lineWidth = 2;
      context.stroke();
    }
  }
}
