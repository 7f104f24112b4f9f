/** Number of sorted values that are <= t. */
function upTo(values, t) {
  let low = 0, high = values.length;
  const limit = t + Math.abs(t) * 1e-12;
  while (low < high) { const middle = (low + high) >> 1; if (values[middle] <= limit) low = middle + 1; else high = middle; }
  return low;
}

/** ys at t, linear between the points of xs (sorted), held beyond its ends; null where a value is missing. */
function interpolate(xs, ys, t) {
  const i = upTo(xs, t);
  if (i === 0) return ys.length ? ys[0] : null;
  if (i >= xs.length) return ys[ys.length - 1];
  const a = ys[i - 1], b = ys[i];
  if (a === null || b === null) return null;
  const width = xs[i] - xs[i - 1];
  return width > 0 ? a + (b - a) * (t - xs[i - 1]) / width : b;
}

function ticks(low, high, most) {
  const raw = (high - low) / most, power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const values = [];
  for (let k = Math.ceil(low / step); k * step <= high + step * 1e-9; k++) values.push(k * step);
  return values;
}

function short(v) {
  if (Math.abs(v) < 1e-300) return "0";
  const text = Math.abs(v) >= 1e5 || Math.abs(v) < 1e-3 ? v.toExponential(1) : String(Number(v.toPrecision(3)));
  return text.replace("-", "−").replace(".0e", "e");
}
