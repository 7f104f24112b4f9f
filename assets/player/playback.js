/** A value of the page's theme, as the root element inherits it. */
function themed(root, name, fallback) { return getComputedStyle(root).getPropertyValue(name).trim() || fallback; }

/** The context of a canvas, cleared, at the display's own resolution. */
function cleared(canvas, width, height, font) {
  const ratio = window.devicePixelRatio || 1, g = canvas.getContext("2d");
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = height + "px";
  }
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, width, height);
  g.font = font;
  return g;
}

/**
 * Moves `place` from 0 to `end`, a unit in `seconds`, and has it drawn: by the Play button, the slider, a new size, a
 * new theme.
 */
function playback(root, { seconds, end, draw }) {
  const play = root.querySelector(".play"), range = root.querySelector("input");
  const theme = () => themed(root, "--st-text-color", "#222");
  let playing = false, last = 0, frame = 0, seen = "";
  const clock = { place: end, draw: redraw, stop };

  function redraw() {
    if (!root.isConnected || root.clientWidth < 10) return;
    seen = theme();
    draw(seen);
    range.value = Math.round(clock.place * 1000);
  }
  function tick(stamp) {
    if (!playing || !root.isConnected) return;
    clock.place = Math.min(end, clock.place + Math.min(0.1, (stamp - last) / 1000) / seconds);
    last = stamp;
    if (clock.place >= end) setPlaying(false);
    redraw();
    if (playing) frame = requestAnimationFrame(tick);
  }
  function setPlaying(value) {
    playing = value;
    play.textContent = playing ? "❚❚ Pause" : "▶ Play";
    root.dataset.playing = playing;
    if (playing) { last = performance.now(); frame = requestAnimationFrame(tick); }
  }
  play.onclick = () => { if (!playing && clock.place >= end) clock.place = 0; setPlaying(!playing); };
  range.oninput = () => { setPlaying(false); clock.place = range.value / 1000; redraw(); };
  const sizes = new ResizeObserver(redraw);
  sizes.observe(root);
  // the page's theme may change while nothing else does
  const watch = setInterval(() => { if (theme() !== seen) redraw(); }, 700);
  function stop() { playing = false; cancelAnimationFrame(frame); sizes.disconnect(); clearInterval(watch); }
  setPlaying(false);
  return clock;
}
