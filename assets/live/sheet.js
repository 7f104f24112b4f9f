// A layer on a sheet of its own: what has not changed since the last frame is copied, not drawn again.

export class Sheet {
  /** Put the sheet onto the context, whose unit is a CSS pixel; `paint(context)` draws it anew when `key` changes. */
  draw(context, key, width, height, paint) {
    const { width: w, height: h } = context.canvas;
    const full = `${w}|${h}|${key}`;
    if (full !== this.key) {
      this.key = full;
      this.canvas ??= new OffscreenCanvas(w, h);
      if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
      this.own ??= this.canvas.getContext("2d");
      this.own.setTransform(w / width, 0, 0, w / width, 0, 0);
      this.own.clearRect(0, 0, width, (h * width) / w);
      paint(this.own);
    }
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.drawImage(this.canvas, 0, 0);
    context.restore();
  }
}
