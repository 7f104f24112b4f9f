// The solver's steps under the picture: h over the flow's time, one way above and the other below, and what it rejected.

const LANE = { title: 16, height: 32, gap: 6 }; // pixels
const HEIGHT = 2 * (LANE.title + LANE.height + LANE.gap) + 10;
const [LEFT, RIGHT] = [40, 8]; // beside the lanes; more where large type needs it

/** Attempted steps of one way, from a snapshot's arrays: {t, h, accepted}, each over the times from t to t + h. */
export function attempts(arrays, way) {
  const [t, dt, accepted] = ["t", "dt", "accepted"].map((name) => arrays[`${way}_${name}`]?.data ?? []);
  return Array.from(t, (at, k) => ({ t: Math.min(at, at + dt[k]), h: Math.abs(dt[k]), accepted: accepted[k] > 0.5 }));
}

/** "7 steps, 1 rejected" */
export function counted(steps) {
  const taken = steps.filter(({ accepted }) => accepted).length;
  const rejected = steps.length - taken;
  return `${taken} ${taken === 1 ? "step" : "steps"}${rejected ? `, ${rejected} rejected` : ""}`;
}

/** Which of the accepted steps the time t lies in. */
export const stepAt = (steps, t) => steps.find((step) => step.accepted && step.t <= t && t <= step.t + step.h);

/** A size that fits beside the lanes. */
const short = (size) => (size >= 0.01 ? size.toPrecision(2) : size >= 0.001 ? size.toPrecision(1) : size.toExponential(0));

export class Strip {
  /** What the two ways are called; null: no strip. */
  constructor(names) {
    this.names = names;
    this.height = names ? HEIGHT : 0;
    this.said = "";
    this.left = LEFT;
  }

  /** The share of the flow's time at x pixels. */
  phaseAt(x, width) {
    return Math.min(1, Math.max(0, (x - this.left) / (width - this.left - RIGHT)));
  }

  /** Draw the steps of a scene, over the whole width of a context whose origin is where the strip begins. */
  draw(context, { now, times: [t0, t1], t }, theme, width) {
    if (!this.names) return;
    this.context = context;
    context.font = `${Math.round(11 * Math.min(1.4, theme.scale))}px system-ui, sans-serif`;
    context.fillStyle = context.strokeStyle = theme.text;
    const ways = ["forward", "backward"].map((way) => attempts(now.arrays, way));
    const sizes = ways.flat().map((step) => step.h);
    this.say(now, ways, sizes.length > 0);
    this.left = LEFT;
    if (!sizes.length) {
      this.write(this.said, LEFT, LANE.title - 4);
      return;
    }
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    this.left = Math.max(LEFT, 6 + Math.ceil(Math.max(...[least, most].map((size) => context.measureText(short(size)).width))));
    const { left } = this;
    const place = {
      x: (time) => left + ((time - t0) / (t1 - t0 || 1)) * (width - left - RIGHT),
      // log h: equal ratios are equal heights, from a quarter of the lane up
      share: (size) => (most > least ? 0.25 + (0.75 * Math.log(size / least)) / Math.log(most / least) : 1),
    };
    ways.forEach((steps, lane) => {
      const bottom = (lane + 1) * (LANE.title + LANE.height) + lane * LANE.gap;
      const here = stepAt(steps, t);
      for (const step of steps) this.bar(step, step === here, place, bottom, lane ? theme.classes[4] ?? theme.text : theme.primary, theme);
      const top = bottom - LANE.height;
      const now = here ? `; now h = ${here.h.toPrecision(2)}` : "";
      this.write(`${this.names[lane]}: ${steps.length ? counted(steps) : "not solved yet"}${now}`, left, top - 4);
      context.globalAlpha = 0.6; // the time, but not through the words
      context.fillRect(place.x(t) - 0.75, top - 2, 1.5, LANE.height + 4);
      if (!steps.length) return;
      this.write(short(most), left - 4, top + 8, "right", 0.6);
      if (most > least) this.write(short(least), left - 4, bottom - 0.25 * LANE.height + 4, "right", 0.6);
    });
    context.globalAlpha = 1;
  }

  bar({ t, h, accepted }, here, { x, share }, bottom, colour, theme) {
    const { context } = this;
    const [left, right, height] = [x(t), x(t + h), share(h) * LANE.height];
    const box = [left + 0.5, bottom - height, Math.max(1, right - left - 1), height];
    if (accepted) {
      context.fillStyle = colour;
      context.globalAlpha = here ? 0.9 : 0.45;
      context.fillRect(...box);
    } else {
      context.strokeStyle = theme.classes[1];
      context.setLineDash([3, 2]);
      context.lineWidth = 1.4;
      context.strokeRect(...box);
      context.setLineDash([]);
    }
    context.globalAlpha = 1;
    context.fillStyle = context.strokeStyle = theme.text;
  }

  write(text, x, y, align = "left", alpha = 0.85) {
    const { context } = this;
    context.textAlign = align;
    context.globalAlpha = alpha;
    context.fillText(text, x, y);
    context.globalAlpha = 1;
  }

  /** The same in words, for those who can't see it. */
  say({ scalars, arrays }, ways, some) {
    const layers = scalars.path === "jumps" && arrays.trajectories ? arrays.trajectories.shape[0] - 1 : 0;
    this.said = some
      ? `The solver's steps: ${ways.map((steps, k) => `${this.names[k]} ${counted(steps)}`).join("; ")}.`
      : layers
        ? `No solver: ${layers} ${layers === 1 ? "layer" : "layers"} of the same length.`
        : "The solver's steps are shown from the first iteration on.";
  }
}
