// Set into the page before Streamlit's own script: says which tab this is, when Streamlit connects.
//
// A tab is a chain of documents. Each has a secret name and remembers in sessionStorage, which reload keeps, the name of
// the last one that was connected, and whether that one has left. The server (pages/ui/tab.py) lets a document
// inherit from the one before it, unless that one is still there: a duplicated tab copies the memory of its original.
(() => {
  // Frames of one tab share its memory: each has a place of its own there.
  let place = "";
  for (let frame = window; frame !== frame.parent; frame = frame.parent) {
    place = `.${[...Array(frame.parent.length).keys()].findIndex((i) => frame.parent[i] === frame)}${place}`;
  }
  const KEY = `neural-ode-lab tab${place}`;
  const recall = () => {
    try {
      return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
    } catch {
      return {}; // no memory here: a reload begins anew
    }
  };
  const remember = (left) => {
    try {
      sessionStorage.setItem(KEY, JSON.stringify({ last: name, left }));
    } catch {
      // as above
    }
  };
  const invent = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  let name, before, connected;
  const begin = () => {
    name = invent();
    before = recall();
    connected = false;
  };
  begin();
  addEventListener("pagehide", () => connected && remember(true));
  addEventListener("pageshow", (event) => event.persisted && begin());

  // What the tab keeps of its live runs (live/keeper.js): in memory while a document lives, in storage only from one to the
  // next. A duplicated tab copies the storage of its original, and so nothing of this.
  const KEPT = `${KEY} kept`;
  const kept = (window.keptRuns = new Map());
  const take = () => {
    try {
      const found = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
      sessionStorage.removeItem(KEPT);
      if (found) kept.clear();
      const bytes = (text) => text && Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      for (const [slot, run] of found ?? []) kept.set(slot, { ...run, file: bytes(run.file) });
    } catch {
      // no memory here, or another's
    }
  };
  const leave = () => {
    const text = (bytes) => bytes && btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    const all = [...kept].map(([slot, run]) => [slot, { ...run, file: text(run.file) }]);
    for (; ; all.shift()) {
      try {
        sessionStorage.setItem(KEPT, JSON.stringify(all));
        return;
      } catch {
        if (!all.length) return; // no memory here; else there is no room for the oldest
      }
    }
  };
  take();
  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => event.persisted && take());

  window.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
      const streamlit = new URL(url, location.href).pathname.endsWith("/_stcore/stream");
      // Not in the address, which servers write into their logs.
      super(url, streamlit ? [protocols ?? []].flat().concat(`tab.${name}.${before.last ?? ""}.${before.left ? 1 : 0}`) : protocols);
      if (!streamlit) return;
      this.addEventListener("open", () => {
        connected = true;
        remember(false);
      });
    }
  };

  // What the server writes into the address of a page is no step that Back should undo, just as a slider's value is none.
  // Before it goes to another page, it clears the address of this one: Back must find it as it was at the click.
  let clicked = location.href;
  addEventListener("click", () => (clicked = location.href), true);
  const push = history.pushState;
  const replace = (url) => history.replaceState(history.state, "", url);
  history.pushState = function (state, title, url) {
    const path = (address) => new URL(address, location.href).pathname;
    if (path(url ?? "") === location.pathname) {
      replace(url);
      return;
    }
    if (path(clicked) === location.pathname) replace(clicked);
    push.call(history, state, title, url);
  };
})();
