// Draws a page's default picture before Streamlit has begun, over the place where Streamlit will draw it; it goes as soon
// as the page's own is there. What it shows came with the project, and is what the page shows that nobody has touched.

const LONGEST = 1500; // ms that Streamlit's own start waits for the picture
const ALERT = 1000; // ms after which something else is to be read: the page has run to its end and has an alert, no picture
const SETTLED = 20000; // ms after which the page has run to its end and its picture will not come
const BROAD = 768; // px from which Streamlit's sidebar is open

/** Whether the address asks for nothing but the page itself, and this tab has no run there that may show another picture. */
function untouched(live) {
  try {
    return window.location.search.length < 2 && !(live && sessionStorage.getItem(`run at ${window.location.pathname}`));
  } catch {
    return !live; // no memory here
  }
}

function dark() {
  let chosen = null;
  try {
    chosen = localStorage.getItem(`stActiveTheme-${window.location.pathname}-v2`);
  } catch {
    // as above
  }
  return /Dark/.test(chosen) || (!/Light/.test(chosen) && matchMedia("(prefers-color-scheme: dark)").matches);
}

/**
 * Show the picture of `address`'s module, and resolve when it is painted.
 * options: live: whether its page has runs that may have been played.
 */
export async function show(address, { live }) {
  if (!untouched(live)) return;
  const page = await import(address);
  const { css, lessons, title, lead, gap, columns, pictures, colours } = page.first;
  const host = Object.assign(document.createElement("div"), { id: "first-picture" });
  // Closed, so that nothing of it is taken for the page's own.
  const shadow = host.attachShadow({ mode: "closed" });
  const make = (tag, parent, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  make("style", shadow, { textContent: css });
  const frame = make("div", shadow, { className: "frame" });
  for (const [name, value] of Object.entries(colours[dark() ? "dark" : "light"])) frame.style.setProperty(name, value);
  if (window.innerWidth >= BROAD) {
    const side = make("nav", frame, { className: "side" });
    for (const [section, links] of lessons) {
      make("div", side, { className: "section", textContent: section });
      for (const [name, path] of links) {
        const link = make("a", side, { href: `./${path}`, textContent: name });
        link.setAttribute("aria-current", name === title ? "page" : "false");
      }
    }
  }
  const main = make("div", frame, { className: "main" });
  make("div", main, { className: "title", textContent: title }).setAttribute("role", "heading");
  make("div", main, { className: "lead", textContent: lead });
  make("div", main, { className: "soon", textContent: "The controls are on their way…" }).setAttribute("role", "status");
  const row = make("div", main, { className: "row" });
  row.style.marginTop = `${gap}px`;
  if (columns[0]) make("div", row, { className: "room" }).style.flexGrow = columns[0];
  const places = pictures.map((picture) => {
    const place = make("div", row, { className: "place" });
    place.style.flexGrow = columns[1] / pictures.length;
    const inside = place.attachShadow({ mode: "open" }); // each has styles of its own, as in the page
    inside.innerHTML = `<style>${picture.css}</style>${picture.html}`;
    return inside;
  });
  if (columns[2]) make("div", row, { className: "room" }).style.flexGrow = columns[2];
  document.body.append(host);
  const ends = [];
  leaveFor(pictures.length, host, () => {
    host.style.display = "none";
    host.remove();
    for (const end of ends) end?.();
  });
  const painted = new Promise((done) => {
    let missing = places.length;
    shadow.addEventListener("painted", () => --missing || done());
    for (const [index, place] of places.entries()) {
      const data = pictures[index].data;
      // What is fetched lies beside this script.
      const picture = data.picture && new URL(data.picture, import.meta.url).href;
      const module = data.module && new URL(`../../${data.module}`, import.meta.url).href;
      ends.push(page.default({ parentElement: place, data: { ...data, picture, module }, setTriggerValue() {} }));
    }
  });
  await Promise.race([painted, new Promise((done) => setTimeout(done, LONGEST))]);
  // What was drawn is on the screen after the next frame; a hidden tab has none.
  await new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done, 0));
    setTimeout(done, 200);
  });
}

/** Call `leave` when as many pictures of the page's own are painted, or when it turns out that there will be none. */
function leaveFor(count, host, leave) {
  const seen = new Set();
  const see = (event) => {
    const path = event.composedPath();
    if (path.includes(host)) return;
    seen.add(path[0]);
    if (seen.size === count) end();
  };
  const load = (event) => event.target.matches?.('[data-testid="stImage"] img') && see(event);
  let since = null;
  const look = () => {
    const app = document.querySelector('[data-testid="stApp"]');
    const over = app?.dataset.testScriptState === "notRunning" && app.dataset.testConnectionState === "CONNECTED";
    since = over ? (since ?? performance.now()) : null;
    const alert = document.querySelector('[data-testid="stAlert"], [data-testid="stException"]');
    if (since !== null && performance.now() - since > (alert ? ALERT : SETTLED)) end();
  };
  const timer = setInterval(look, 250);
  document.addEventListener("painted", see);
  document.addEventListener("load", load, true);
  function end() {
    clearInterval(timer);
    document.removeEventListener("painted", see);
    document.removeEventListener("load", load, true);
    leave();
  }
}
