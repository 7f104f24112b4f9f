// A finger that moves over a chart scrolls the page, as over our own canvases (live/pointer.js): plotly would draw a box to
// zoom into, and hold the page. A tap and two fingers reach it.

window.addEventListener(
  "touchstart",
  (event) => {
    const onPlot = event.composedPath().some((part) => part.matches?.(".js-plotly-plot .draglayer"));
    if (onPlot && event.touches.length === 1) event.stopImmediatePropagation();
  },
  { capture: true, passive: true },
);
