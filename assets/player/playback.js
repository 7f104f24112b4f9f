/** A value of the page's theme, as the root element inherits it. */
function themed(root, name, fallback) { return getComputedStyle(root).getPropertyValue(name).trim() || fallback; }

/** Pixels that a picture is high which would like to be `wanted`: as the page grants it (page/page.css). */
function pictureHeight(root, wanted) {
  const granted = (name, fallback) => parseFloat(themed(root, name, "")) || fallback;
  return Math.round(Math.max(granted("--picture-least", 0), Math.min(wanted, granted("--picture-most", Infinity))));
}

/** The page's size of type, in pixels: larger when it is presented. */
function typeSize(root) { return parseFloat(getComputedStyle(root).fontSize) || 16; }

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
  g.lineJoin = "round";
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
    range.setAttribute("aria-valuetext", root.querySelector(".now").textContent);
    if (!root.dataset.painted) root.dispatchEvent(new Event("painted", { bubbles: true, composed: true }));
    root.dataset.painted = true;
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
    play.innerHTML = playing ? `<span aria-hidden="true">❚❚</span> Pause` : `<span aria-hidden="true">▶</span> Play`;
    root.dataset.playing = playing;
    if (playing) { last = performance.now(); frame = requestAnimationFrame(tick); }
  }
  function move(place) { setPlaying(false); clock.place = Math.min(end, Math.max(0, place)); redraw(); }
  function toggle() { if (!playing && clock.place >= end) clock.place = 0; setPlaying(!playing); }
  play.onclick = toggle;
  play.title = "Space";
  play.setAttribute("aria-keyshortcuts", "Space");
  range.oninput = () => move(range.value / 1000);
  // the page's shortcuts (page/keys.js)
  const obey = { play: toggle, forward: () => move(clock.place + end / 50), back: () => move(clock.place - end / 50), reset: () => move(0) };
  function shortcut(event) {
    if (!root.isConnected || !obey[event.detail]) return;
    obey[event.detail]();
    event.preventDefault();
  }
  window.addEventListener("shortcut", shortcut);
  const sizes = new ResizeObserver(redraw);
  sizes.observe(root);
  window.addEventListener("resize", redraw); // a screen may become lower, too
  // the page's theme may change while nothing else does
  const watch = setInterval(() => { if (theme() !== seen) redraw(); }, 700);
  function stop() { playing = false; cancelAnimationFrame(frame); sizes.disconnect(); window.removeEventListener("resize", redraw); window.removeEventListener("shortcut", shortcut); clearInterval(watch); }
  setPlaying(false);
  return clock;
}
