// The time in the flow: `phase` runs from 0 (t0) to 1 (t1), rests there and begins again; backward the other way round.
// All canvases of a page have the same: what stands side by side is seen at one time.

const SWEEP = 4; // seconds from one end to the other
const REST = 1.2; // seconds at the end

export class Clock {
  constructor(sweeping) {
    this.sweeping = sweeping;
    this.begin(false);
  }

  /** Where the flow begins in this direction. */
  begin(backward) {
    this.phase = backward ? 1 : 0;
    this.rest = 0;
  }

  /** What a shortcut asks for: to run or stand still, to go a little on or back, to begin. Whether it was one of these. */
  obey(word, backward) {
    const by = { forward: 0.02, back: -0.02 }[word];
    if (by === undefined && word !== "play" && word !== "reset") return false;
    this.sweeping = word === "play" && !this.sweeping;
    if (word === "reset") this.begin(backward);
    if (by) this.phase = Math.min(1, Math.max(0, this.phase + (backward ? -by : by)));
    return true;
  }

  /** To `time` (ms) of the display, which every canvas tells. */
  move(time, backward) {
    const seconds = Math.min(0.1, Math.max(0, (time - (this.time ?? time)) / 1000));
    this.time = time;
    if (!this.sweeping) return;
    this.rest = Math.max(0, this.rest - seconds);
    if (this.rest > 0) return;
    const [from, to, way] = backward ? [1, 0, -1] : [0, 1, 1];
    this.phase = this.phase === to ? from : Math.min(1, Math.max(0, this.phase + (way * seconds) / SWEEP));
    if (this.phase === to) this.rest = REST;
  }
}

/** The clock of the page. */
export const CLOCK = new Clock(!matchMedia("(prefers-reduced-motion: reduce)").matches);
