// How the frame of a live view looks: its bars, the numbers and the note on the picture.

export const STYLE = `
  .frame { position: relative; display: flex; flex-direction: column; height: 100%; color: var(--st-text-color);
    font: 0.8125rem/1.3 var(--st-font, system-ui, sans-serif); }
  .bar { display: flex; flex-wrap: wrap; gap: 4px 6px; align-items: center; padding: 2px 0 6px; }
  .bar button { font: inherit; color: inherit; cursor: pointer; padding: 2px 10px; border-radius: 999px;
    border: 1px solid var(--st-border-color, #8884); background: transparent; }
  .bar button:hover { border-color: var(--st-primary-color); }
  .bar button[aria-pressed="true"] { background: var(--st-secondary-background-color);
    border-color: var(--st-primary-color); color: var(--st-primary-color); }
  button:focus-visible, input:focus-visible, canvas:focus-visible { outline: 2px solid var(--st-primary-color);
    outline-offset: 1px; }
  .bar .gap { flex: 1; }
  .stage { position: relative; flex: 1; min-height: 0; container-type: size; }
  canvas { position: absolute; inset: 0; width: 100%; height: 100%; touch-action: pan-y; cursor: crosshair; }
  .numbers, .note { position: absolute; pointer-events: none; padding: 3px 8px; border-radius: 8px;
    background: color-mix(in srgb, var(--st-background-color) 82%, transparent); }
  .numbers { top: 6px; right: 4px; text-align: right; font-variant-numeric: tabular-nums; }
  @container (max-width: 640px) { .numbers { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 0 8px; top: 0; padding: 0 6px; font-size: 0.6875rem; }
    .note { top: 20px; } }
  .numbers b { font-weight: 650; }
  .note { top: 6px; left: 0; max-width: 60%; }
  [data-waits] canvas { transition: opacity 0.15s; }
  [data-waits="first"] canvas { opacity: 0.15; }
  [data-waits="next"] canvas { opacity: 0.5; }
  [data-waits="first"] .note { top: 45%; left: 50%; transform: translateX(-50%); width: max-content; text-align: center; }
  .way { position: absolute; bottom: 6px; left: 6px; right: 6px; padding: 6px 10px; border-radius: 8px;
    background: var(--st-secondary-background-color); border: 1px solid var(--st-border-color, #8884); }
  .way button { font: inherit; color: var(--st-primary-color); background: none; border: 0; padding: 0; cursor: pointer;
    text-decoration: underline; }
  .note:empty, .numbers:empty, .way:empty { display: none; }
  input[type="range"] { flex: 1 1 140px; accent-color: var(--st-primary-color); min-width: 100px; }
  .said { margin-left: auto; font-variant-numeric: tabular-nums; white-space: nowrap; }
  .time { width: 4.8em; flex: none; white-space: nowrap; contain: strict; height: 1.3em; font-variant-numeric: tabular-nums; }
`;
