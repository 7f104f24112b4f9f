// Colours from Streamlit's CSS variables, light or dark, and the colour tables of the heat map.

const FALLBACK = ["#5b4bdb", "#e4572e", "#149174", "#c98a00", "#2f86d6", "#c2408f"];

/** The theme where `element` stands; `key` changes when the theme does. */
export function readTheme(element) {
  const style = getComputedStyle(element);
  const value = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const background = value("--st-background-color", "#ffffff");
  const text = value("--st-text-color", "#31333f");
  const primary = value("--st-primary-color", "#5b4bdb");
  const list = value("--st-chart-categorical-colors", "").match(/#[0-9a-f]{3,8}|rgba?\([^)]*\)/gi);
  const classes = list && list.length > 1 ? list : FALLBACK;
  const scale = (parseFloat(getComputedStyle(document.documentElement).fontSize) || 16) / 16; // of type: larger when presented
  return { background, text, primary, classes, scale, key: [background, text, primary, scale, ...classes].join("|") };
}

/** [r, g, b] of any CSS colour. */
export function rgb(colour) {
  const context = (rgb.context ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true }));
  context.clearRect(0, 0, 1, 1);
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return [...context.getImageData(0, 0, 1, 1).data.slice(0, 3)];
}

const mix = (a, b, s) => a.map((value, i) => value + (b[i] - value) * s);

export const BENDS = 5;

/** Colours from a path that stays on its chord to one that leaves it by a unit or more. */
export function bendColours(theme) {
  const [straight, bent] = [theme.classes[4] ?? FALLBACK[4], theme.classes[1]].map(rgb);
  return Array.from({ length: BENDS }, (_, i) => `rgb(${mix(straight, bent, i / (BENDS - 1)).map(Math.round).join()})`);
}

/** Which of them a distance from the chord gets. */
export const bendOf = (distance) => Math.max(0, Math.min(BENDS - 1, Math.round(distance * (BENDS - 1)))) || 0;

/** 256 x RGB through the given colours, evenly spaced. */
function table(colours) {
  const out = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const place = (i / 255) * (colours.length - 1);
    const k = Math.min(colours.length - 2, Math.floor(place));
    out.set(mix(colours[k], colours[k + 1], place - k), i * 3);
  }
  return out;
}

/** The heat map's table: class 0 over paper to class 1, or paper over the accent to the text's colour. */
export function heatTable(theme, kind) {
  const paper = rgb(theme.background);
  if (kind === "density") {
    const accent = rgb(theme.primary);
    return table([paper, mix(paper, accent, 0.45), accent, mix(accent, rgb(theme.text), 0.75)]);
  }
  const [zero, one] = [rgb(theme.classes[0]), rgb(theme.classes[1])];
  return table([mix(paper, zero, 0.62), mix(paper, zero, 0.3), paper, mix(paper, one, 0.3), mix(paper, one, 0.62)]);
}
