// What a tab keeps of a live run, for a server that has lost it: the newest file that the server sent (see tab.js).

const RUNS = window.keptRuns ?? new Map(); // a host that serves Streamlit's own page has no place for it

const settings = (search) => [...new URLSearchParams(search)].map(String).sort().join();

/** As the header of the file says (node_core/training/checkpoint.py). */
function iterationOf(file) {
  const length = new DataView(file.buffer).getUint32(0, true);
  return Number(JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length))).__metadata__.iteration);
}

export class Keeper {
  /**
   * @param slot the run's place on its page: the run that comes in its stead has the same
   * @param token the run
   * @param send sends a command, an object, or a file over the run's socket
   */
  constructor(slot, token, send) {
    Object.assign(this, { slot, token, send, offered: false });
  }

  get run() {
    return RUNS.get(this.slot);
  }

  /** Take a file that has come, if one has; the newest run is the last of the map, for which there is room in storage. */
  keep(found) {
    if (!found) return false;
    const file = found.data.slice(); // out of a larger message
    RUNS.delete(this.slot);
    RUNS.set(this.slot, { token: this.token, file, iteration: iterationOf(file), shown: this.shown, playing: this.playing });
    this.note();
    return true;
  }

  /** To which iteration the run has come: further than the file that is kept, while it plays. */
  show(iteration) {
    this.shown = iteration;
    if (this.run?.token === this.token) this.run.shown = iteration;
  }

  /** Where the page stands, so that the run goes back to the same settings only. */
  note() {
    if (this.run?.token === this.token) this.run.address = window.location.search;
  }

  /** How the run stands: what its owner has reset is forgotten, and what the server has lost is offered, once. */
  hear({ status, played, resuming, resumed, unkept }) {
    const { token } = this;
    this.playing = status === "running";
    if (unkept) RUNS.set(this.slot, { token, unkept });
    const { run } = this;
    if (!run) return;
    if (run.token === token) {
      if (played) run.playing = this.playing;
      else RUNS.delete(this.slot);
    } else if (resumed !== null) {
      run.token = token;
      if (run.playing && status === "paused") this.send({ command: "play" });
    } else if (!played && !resuming && !this.offered && run.file && this.fits) {
      this.offered = this.send({ shown: run.shown ?? 0 }) && this.send(run.file);
    }
  }

  /** Whether something has become of a run that the server had lost, and the page still says something else: `said`. */
  isNew({ resumed, refusal }, said) {
    const before = this.fate;
    this.fate = String([resumed, refusal]);
    return this.fate !== before && this.fate !== String(said);
  }

  get fits() {
    return settings(this.run.address) === settings(window.location.search);
  }

  /** What to put beside a new run, where the lost one waits for a page of its own settings. */
  wayBack({ played, resumed }) {
    const { run } = this;
    if (!run || run.token === this.token || played || resumed !== null) return [];
    if (run.unkept) return [`The server has lost your run, and this tab could not keep it: ${run.unkept}`];
    if (this.fits) return [];
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Go on with it" });
    button.onclick = () => window.location.assign(window.location.pathname + run.address);
    return [`This tab has kept a net of yours, trained to iteration ${run.iteration} with other settings. `, button];
  }
}
