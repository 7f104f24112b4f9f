// The observations that a model is given, as rows [t, x, y ...] with NaN where nothing was observed; and what hands do to them.

const CLOSE = 1e-5; // of the window: two observations are never nearer in time
const PATIENCE = 6000; // ms that a change waits for the server's word

/** Rows of the arrays `observed_t` (n,) and `observed_x` (n, dim) of a snapshot. */
export function rowsOf(arrays) {
  const [t, x] = [arrays.observed_t, arrays.observed_x];
  if (!t || !x) return [];
  const dim = x.shape[1];
  return Array.from(t.data, (at, i) => [at, ...x.data.slice(i * dim, (i + 1) * dim)]);
}

export class Observations {
  constructor() {
    this.clear();
  }

  clear() {
    this.rows = [];
    this.pending = null; // changed here, and not yet answered
    this.window = [0, 1];
  }

  /** What the server's picture is of; what was changed since stays until its answer comes. */
  take({ arrays, scalars }, time) {
    this.rows = rowsOf(arrays);
    this.window = [scalars.t0 ?? 0, scalars.t1 ?? 1];
    this.least = scalars.log ? 1e-9 : -Infinity;
    if (this.pending && !this.held && (this.answers() || time - this.since > PATIENCE)) this.pending = null;
  }

  /** What is to be drawn. */
  get shown() {
    return this.pending ?? this.rows;
  }

  /** Whether the server's rows are those that were asked for: it sends single precision. */
  answers() {
    const { rows, pending } = this;
    const [t0, t1] = this.window;
    const near = (a, b, size) => (Number.isNaN(a) && Number.isNaN(b)) || Math.abs(a - b) <= 1e-4 * size;
    const sorted = [...pending].sort((a, b) => a[0] - b[0]);
    return (
      rows.length === sorted.length &&
      rows.every((row, i) => row.every((value, k) => near(value, sorted[i][k], k ? 1 + Math.abs(value) : t1 - t0)))
    );
  }

  change(rows) {
    this.pending = rows;
    this.since = performance.now();
  }

  remove(i) {
    this.change(this.shown.filter((_, k) => k !== i));
  }

  /** Another observation, of which only value j (or all of `values`) is known; its place in the rows. */
  add(t, j, value, dim) {
    const row = [this.free(t, -1), ...Array(dim).fill(NaN)];
    row[1 + j] = this.possible(value);
    this.change([...this.shown, row]);
    return this.shown.length - 1;
  }

  /** Move observation i; a coordinate of undefined stays. */
  move(i, t, changes) {
    const rows = this.shown.map((row) => [...row]);
    if (t !== undefined) rows[i][0] = this.free(t, i);
    for (const [j, value] of changes) rows[i][1 + j] = this.possible(value);
    this.change(rows);
  }

  /** The time, inside the window and beside those of the others. */
  free(t, but) {
    const [t0, t1] = this.window;
    const gap = CLOSE * (t1 - t0);
    const taken = (at) => this.shown.some((row, k) => k !== but && Math.abs(row[0] - at) < gap);
    let at = Math.min(t1, Math.max(t0, t));
    const way = at + gap * (this.shown.length + 1) <= t1 ? 1 : -1;
    while (taken(at)) at += way * gap;
    return at;
  }

  possible(value) {
    return Math.max(this.least ?? -Infinity, value);
  }

  /** As the page is told: null for what is not observed. */
  told() {
    return this.shown.map((row) => row.map((value) => (Number.isNaN(value) ? null : value)));
  }
}
