// Where things stand: a panel a value over one axis of time, the solver's steps below them, and a plane beside or beneath.

export const NARROW = 640; // pixels of width below which the plane stands beneath the panels
export const LEFT = 46; // pixels for the numbers on the axis
const [TOP, BOTTOM, RIGHT, GAP] = [18, 30, 8, 14];
export const STRIP = 40; // pixels for the solver's steps
const MOST_PLANE = 0.4; // of the width
const TALLEST = 1.3; // times as high as wide: a plane that has the height to itself
const ENOUGH = 190; // pixels of a plane's side: with room for two they stand one below the other

/**
 * Boxes {left, right, top, bottom} in pixels: {panels, strip, planes}.
 * @param dim panels
 * @param planes how many planes there are; fewer may have room
 * @param steps whether a solver made steps
 */
export function layout(width, height, dim, planes, steps) {
  const narrow = width < NARROW;
  const count = Math.min(planes, narrow || height < 2 * ENOUGH ? 1 : 2);
  const side = count ? (narrow ? Math.min(width, 0.44 * height) : Math.min(height / count, MOST_PLANE * width)) : 0;
  const right = (narrow || !count ? width : width - side - GAP) - RIGHT;
  const bottom = (narrow && count ? height - side - GAP : height) - BOTTOM - (steps ? STRIP : 0);
  const each = (bottom - TOP - (dim - 1) * TOP) / dim;
  const panels = Array.from({ length: dim }, (_, j) => ({
    left: LEFT,
    right,
    top: TOP + j * (each + TOP),
    bottom: TOP + j * (each + TOP) + each,
  }));
  const strip = steps ? { left: LEFT, right, top: bottom + BOTTOM - 4, bottom: bottom + BOTTOM + STRIP - 8 } : null;
  const squares = Array.from({ length: count }, (_, k) => {
    const [left, top] = narrow ? [0.5 * (width - side), height - side] : [width - side, (k * height) / count];
    const tall = count === 1 && !narrow ? Math.min(height, TALLEST * side) : side;
    return { left: left + LEFT - 10, right: left + side - RIGHT, top: top + TOP, bottom: top + tall - BOTTOM };
  });
  return { panels, strip, planes: squares };
}

/** A linear scale from numbers to pixels and back. */
export class Scale {
  constructor([low, high], [from, to]) {
    Object.assign(this, { low, high, from, to });
  }

  at(value) {
    return this.from + ((value - this.low) / (this.high - this.low || 1)) * (this.to - this.from);
  }

  back(pixel) {
    return this.low + ((pixel - this.from) / (this.to - this.from || 1)) * (this.high - this.low);
  }
}

export const within = ({ left, right, top, bottom }, [x, y]) => x >= left && x <= right && y >= top && y <= bottom;

/** The range of finite numbers, with a margin of this share on both sides; null where there is none. */
export function rangeOf(lists, margin) {
  let [low, high] = [Infinity, -Infinity];
  for (const list of lists) {
    for (const value of list) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (!Number.isFinite(low) || !Number.isFinite(high)) return null;
  const room = Math.max(margin * (high - low), 1e-3 * Math.max(Math.abs(low), Math.abs(high)), 1e-9);
  return [low - room, high + room];
}
