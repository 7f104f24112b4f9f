// What a canvas waits for: it says so and dims, and the picture of a run that has begun again goes.

import { present } from "./views.js";

const GHOST = 400; // ms that the former picture is still to be seen, faintly: most new ones are there by then
const LATE = 6000; // ms without a picture after which it is said why one is waited for
const STUCK = "busy, or a computation is stuck and will be tried again…";

export class Waiting {
  constructor(view) {
    this.view = view;
    this.ghost = false; // of the former run's picture
    this.words = { trouble: "", waiting: "", pointed: "" }; // what comes first is read
    this.connect();
  }

  /** To another run, of which nothing is known yet. */
  connect() {
    this.begun = this.told = -1;
    this.restart();
  }

  restart() {
    this.first = true;
    this.since = this.heard = performance.now();
    this.show();
  }

  /** The page or the socket, whoever is first, says how often the run has begun: what is shown may be of before. */
  begin(begun) {
    if (begun <= this.begun) return;
    const again = this.begun >= 0 || !this.first;
    this.begun = begun;
    if (!again) return;
    this.ghost = true;
    this.view.forget();
    this.restart();
  }

  /** The socket's word: what it sends from now on is of this beginning. */
  hear(begun) {
    this.told = begun;
    this.heard = performance.now();
    this.begin(begun);
    this.show();
  }

  /** Whether what the socket sends is still of a former beginning. */
  get former() {
    return this.told < this.begun;
  }

  /** A picture is there. */
  arrive(time) {
    this.first = this.ghost = false;
    this.heard = time;
    this.show();
  }

  /** The time goes on: a ghost goes, and a picture may be late. The server itself ends a worker that hangs. */
  look(time) {
    if (this.ghost && time - this.since > GHOST) {
      this.ghost = false;
      this.view.scene.clear();
      this.view.dirty = true;
    }
    this.show(time);
  }

  show(time = performance.now()) {
    const { status, data, root } = this.view;
    const late = (this.first || status === "running") && time - this.heard > LATE;
    const state = status === "failed" ? "" : this.first ? "first" : late ? "next" : "";
    if ((root.dataset.waits ?? "") !== state) root.dataset.waits = state;
    // The socket may tell of a new beginning before the page says what it is of.
    const subject = data?.begun >= this.begun ? data.subject : "";
    const awaited = `Waiting for the first picture${subject ? ` of ${subject}` : ""}`;
    const why = late ? `: the server is ${STUCK}` : "…";
    this.tell("waiting", { "": "", first: awaited + why, next: this.beside() ?? `Waiting for the server: it is ${STUCK}` }[state]);
  }

  /** In step with others, a run waits for those that are behind. */
  beside() {
    const at = (view) => Number(view.root.dataset.iteration);
    const behind = present().find((view) => view.status === "running" && at(view) < at(this.view));
    return behind && `Waiting for the run beside it, which catches up: it is at iteration ${at(behind)}.`;
  }

  /** Say something of one kind; "" says nothing. */
  tell(kind, text) {
    this.words[kind] = text;
    const { trouble, waiting, pointed } = this.words;
    const said = trouble || waiting || pointed;
    if (this.view.note.textContent !== said) this.view.note.textContent = said;
  }
}
