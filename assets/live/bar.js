// The buttons of live runs. They command over the canvases' sockets and show what the server has answered: no rerun.

import { command, listen, present } from "./views.js";

const ICONS = {
  play: "M8 5v14l11-7z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  step: "M6 5v14l8.5-7zM16 5h2.5v14H16z",
  reset: "M12 5V1.5L7 6l5 4.5V7a5 5 0 1 1-5 5H5a7 7 0 1 0 7-7z",
};

const STYLE = `
  .buttons { display: flex; flex-wrap: wrap; gap: 8px; font: 400 0.875rem/1.6 var(--st-font, system-ui, sans-serif); }
  button { display: inline-flex; align-items: center; gap: 6px; min-height: 2.5rem; padding: 4px 12px; cursor: pointer;
    font: inherit; color: var(--st-text-color); background: var(--st-background-color); white-space: nowrap;
    border: 1px solid var(--st-border-color, #8884); border-radius: var(--st-button-radius, 999px); }
  button:hover { border-color: var(--st-primary-color); color: var(--st-primary-color); }
  button.first { background: var(--st-primary-color); border-color: var(--st-primary-color); color: var(--st-background-color); min-width: 88px;
    justify-content: center; }
  button.first:hover { color: var(--st-background-color); filter: brightness(1.08); }
  button:disabled { opacity: 0.45; cursor: not-allowed; }
  button:focus-visible { outline: 2px solid var(--st-primary-color); outline-offset: 2px; }
  svg { width: 18px; height: 18px; fill: currentColor; flex: none; }
`;

export class Bar {
  constructor(root) {
    this.root = root;
    root.appendChild(Object.assign(document.createElement("style"), { textContent: STYLE }));
    const row = root.appendChild(Object.assign(document.createElement("div"), { className: "buttons" }));
    this.toggle = this.button(row, "toggle", "Space", "Space");
    this.toggle.classList.add("first");
    this.step = this.button(row, "step", "One iteration: →", "ArrowRight");
    this.reset = this.button(row, "reset", "R", "R");
    write(this.step, "step", "Step");
    write(this.reset, "reset", "Reset");
    this.end = listen(() => this.show());
  }

  button(row, name, title, key) {
    const button = row.appendChild(Object.assign(document.createElement("button"), { type: "button", title }));
    button.setAttribute("aria-keyshortcuts", key);
    button.onclick = () => {
      // Without a socket (a proxy that lets none through) the page itself must be asked.
      if (!command(name, this.data.tokens)) this.ask(name);
    };
    return button;
  }

  /** What the page says; called at each rerun. */
  update(data, ask) {
    this.data = data;
    this.ask = ask;
    this.show();
  }

  show() {
    if (!this.data) return;
    const { tokens, statuses } = this.data;
    // The page's word is as old as its last rerun: it counts where a canvas has not been told yet.
    const known = new Map(present(tokens).map((view) => [view.data.token, view.status]));
    const now = tokens.map((token, i) => known.get(token) ?? statuses[i]);
    const playing = now.includes("running");
    const finished = now.every((status) => status === "finished");
    write(this.toggle, playing ? "pause" : "play", playing ? "Pause" : "Play");
    this.toggle.disabled = this.step.disabled = finished;
    this.root.dataset.playing = String(playing);
  }

  destroy() {
    this.end();
  }
}

function write(button, icon, text) {
  if (button.dataset.icon === icon) return;
  button.dataset.icon = icon;
  button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[icon]}"/></svg>`;
  button.append(text);
}
