// The last seconds as curves: the states of a plant that has no drawing of its own, and the controls of every plant.

const MOST = 500; // moments that are shown
const GAP = 16; // pixels between two lanes

/** One lane in a box: curves of values(moment), each between low and high, the middle line at `level`. */
export function drawLane(context, box, theme, { label, moments, low, high, level, curves }) {
  const size = Math.round(11 * theme.scale);
  const left = box.x + 58 * theme.scale;
  const [right, top, bottom] = [box.x + box.width, box.y + 4, box.y + box.height - 4];
  const place = (value) => bottom - (Math.min(1, Math.max(0, (value - low) / (high - low || 1)))) * (bottom - top);
  context.font = `${size}px system-ui, sans-serif`;
  context.textBaseline = "middle";
  context.textAlign = "left";
  context.fillStyle = context.strokeStyle = theme.text;
  context.lineWidth = 1;
  context.globalAlpha = 0.25;
  context.strokeRect(left, top, right - left, bottom - top);
  context.beginPath();
  context.moveTo(left, place(level));
  context.lineTo(right, place(level));
  context.stroke();
  context.globalAlpha = 0.75;
  context.fillText(label, box.x, place(level), 54 * theme.scale);
  context.globalAlpha = 1;
  const shown = moments.slice(-MOST);
  curves.forEach(({ component, colour }) => {
    context.beginPath();
    shown.forEach((moment, n) => {
      const at = [left + (n / (MOST - 1)) * (right - left), place(moment[component])];
      if (n) context.lineTo(...at);
      else context.moveTo(...at);
    });
    context.strokeStyle = colour;
    context.lineWidth = 1.8;
    context.stroke();
  });
}

/** A lane a state, one below the other. */
export function drawStates(context, box, theme, world) {
  const { states, plane, view } = world.plant;
  const height = (box.height - GAP * (states.length - 1)) / states.length;
  states.forEach(({ label, target, angle }, i) => {
    const [low, high] = plane.includes(i) ? view[plane.indexOf(i)] : angle ? [-Math.PI, Math.PI] : [target - 1, target + 1];
    const lane = { x: box.x, y: box.y + i * (height + GAP), width: box.width, height };
    const curves = [{ component: i, colour: theme.classes[(i + 3) % theme.classes.length] }];
    drawLane(context, lane, theme, { label, moments: world.trail, low, high, level: target, curves });
  });
}

/** The controls between their limits, in one lane. */
export function drawEfforts(context, box, theme, world) {
  const { controls, limits } = world.plant;
  const moments = world.efforts.map((u) => u.map((value, k) => (limits[k] ? value / limits[k] : 0)));
  const curves = controls.map((_, k) => ({ component: k, colour: theme.classes[(k + 1) % theme.classes.length] }));
  const label = controls.length > 1 ? "controls" : controls[0].label;
  drawLane(context, box, theme, { label, moments, low: -1, high: 1, level: 0, curves });
}
