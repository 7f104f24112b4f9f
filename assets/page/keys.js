// The shortcuts of all pages, in one place: which key asks for what, and the list that tells them. Whoever can do what is
// asked listens for "shortcut" on the window and takes it by preventDefault: live runs (live/views.js), players
// (player/playback.js), the presentation (present.js). Links to #present and #keys ask for the same.

const KEYS = [
  [" ", "Space", "play", "Play or pause"],
  ["ArrowRight", "→", "forward", "One iteration further, or a little later"],
  ["ArrowLeft", "←", "back", "A little earlier, in a replay"],
  ["r", "R", "reset", "Back to the beginning"],
  ["p", "P", "present", "Present: the picture, its sentence and one slider, in large type; leave it"],
  ["Escape", "Esc", "leave", "Leave the presentation"],
  ["?", "?", "keys", "Show or hide these keys"],
];
const TYPED_INTO = `input:not([type=range], [type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select,
  [contenteditable=""], [contenteditable=true], [role=textbox], [role=searchbox], [role=combobox], [role=spinbutton],
  [role=listbox], [role=menu]`;
// What the space bar presses, and what the arrows move, keeps them.
const PRESSED = "button, a[href], summary, input, [role=button], [role=switch], [role=tab], [role=radio], [role=checkbox]";
const MOVED = "input, audio, video, [role=application], [role=slider], [role=tab], [role=radio], [role=grid]";

/** Ask for something; whether somebody took it. */
const ask = (word) => !window.dispatchEvent(new CustomEvent("shortcut", { detail: word, cancelable: true }));

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const found = KEYS.find(([key]) => key === (event.key.length === 1 ? event.key.toLowerCase() : event.key));
  if (!found) return;
  const [key, , word] = found;
  const within = (selector) => event.composedPath().some((part) => part.matches?.(selector));
  if (within(TYPED_INTO) || (key === " " && within(PRESSED)) || (key.startsWith("Arrow") && within(MOVED))) return;
  if (list.open && word !== "keys") return;
  if (event.repeat && !key.startsWith("Arrow")) return;
  if (!ask(word)) return;
  event.preventDefault();
  event.stopImmediatePropagation(); // Streamlit has shortcuts of its own: r reruns the page
}

function follow(event) {
  const link = event.composedPath().find((part) => part.matches?.('a[href="#present"], a[href="#keys"]'));
  if (!link) return;
  event.preventDefault();
  event.stopPropagation();
  ask(link.getAttribute("href").slice(1));
}

// --- the list

const list = document.createElement("dialog");
list.className = "page-keys";
list.setAttribute("aria-label", "Keys");
list.innerHTML = `<h2>Keys</h2><dl>${KEYS.map(([, shown, , does]) => `<dt><kbd>${shown}</kbd></dt><dd>${does}</dd>`).join("")}</dl>
  <p>None of them acts while you type. On a touch screen a finger on a picture scrolls the page; tap it, or use two fingers, to act on it.</p>
  <form method="dialog"><button>Close</button></form>`;

window.addEventListener("shortcut", (event) => {
  if (event.detail !== "keys") return;
  event.preventDefault();
  if (list.open) {
    list.close();
    return;
  }
  document.body.append(list);
  const { color, backgroundColor } = getComputedStyle(document.querySelector(".stApp") ?? document.body);
  Object.assign(list.style, { color, backgroundColor });
  list.showModal();
});
// Before Streamlit's own, hence on the window and while the event comes down.
window.addEventListener("keydown", press, true);
window.addEventListener("click", follow, true);
