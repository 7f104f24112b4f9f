// What the page's canvases and its buttons share: who is there, and commands for all of them.

import { CLOCK } from "./clock.js";

/** All canvases of the page. */
export const VIEWS = new Set();
const listeners = new Set();

/** Call `listener` whenever a canvas comes, goes, or its run changes; returns the end of it. */
export function listen(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function tellListeners() {
  for (const listener of listeners) listener();
}

/** The canvases on the page, or those of some runs. */
export const present = (tokens) =>
  [...VIEWS].filter((view) => view.root.isConnected && (!tokens || tokens.includes(view.data?.token)));

/**
 * Send a command ("toggle", "step", "reset") straight to the runs, over the canvases' sockets.
 * Runs beside each other stay in step: one that stands still is not started by pausing the others.
 * Returns whether any socket took it.
 */
export function command(name, tokens) {
  const views = present(tokens);
  const running = views.filter((view) => view.status === "running");
  const pausing = name === "toggle" && running.length > 0;
  const meant = pausing ? running : views;
  const word = name !== "toggle" ? name : pausing ? "pause" : "play";
  return meant.filter((view) => view.command(word)).length > 0;
}

/** Whether the page could hear what it is told now: it is connected to its server, and no run of its script is on the way. */
export function pageListens() {
  const { testConnectionState, testScriptState } = document.querySelector('[data-testid="stApp"]')?.dataset ?? {};
  return (testConnectionState ?? "CONNECTED") === "CONNECTED" && (testScriptState ?? "notRunning") === "notRunning";
}

/** The page's shortcuts (page/keys.js): they command the runs, or, where the page plays none, move the time. */
window.addEventListener("shortcut", (event) => {
  const word = { play: "toggle", forward: "step", reset: "reset" }[event.detail];
  const [view] = present();
  if (!view) return;
  const taken = listeners.size ? word && command(word) : CLOCK.obey(event.detail, view.scene.backward);
  if (taken) event.preventDefault();
});
