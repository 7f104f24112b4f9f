// The target, small, beside the picture of the flow that learns it.

import { HeatMap } from "./heat.js";

const [LEAST, MOST] = [56, 120]; // pixels

export class Thumbnail {
  constructor() {
    this.heat = new HeatMap();
    this.version = 0;
  }

  /** Draw a density (h, w), row 0 at the bottom, in the corner at the top left: as large as the picture leaves room. */
  draw(context, target, theme, projection) {
    if (target !== this.of) [this.of, this.version] = [target, this.version + 1];
    this.heat.update(target.data, target.shape, theme, "density", String(this.version));
    const left = projection.mode === "plane" ? projection.place(projection.extent[0], 0, 0, [0, 0])[0] : MOST + 40;
    const size = Math.min(MOST, Math.max(LEAST, left - 34));
    const top = 16;
    context.save();
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = context.strokeStyle = theme.text;
    context.globalAlpha = 0.85;
    context.textAlign = "left";
    context.textBaseline = "alphabetic";
    context.fillText("target", 1, top - 4);
    context.globalAlpha = 1;
    context.save();
    context.translate(1, top + size);
    context.scale(1, -1);
    context.drawImage(this.heat.picture, 0, 0, size, size);
    context.restore();
    context.globalAlpha = 0.4;
    context.strokeRect(1, top, size, size);
    context.restore();
  }
}
