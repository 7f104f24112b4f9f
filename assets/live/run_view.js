// What every canvas of a live run does, whatever it draws: its socket, what its tab keeps, its words, its size and its frames.

import { Keeper } from "./keeper.js";
import { LiveSocket } from "./socket.js";
import { readTheme } from "./theme.js";
import { pageListens, tellListeners, VIEWS as VIEWS_OF_PAGE } from "./views.js";
import { Waiting } from "./waiting.js";
import { unpack } from "./wire.js";

const TELL = 300; // ms after which the page hears of a command
const ASK = 1500; // ms between two questions for a run in the place of one that is gone
const READ = 100; // ms between two changes of what is read beside the picture: words and numbers cost a layout each
const SHARPEST = 2; // device pixels a CSS pixel: more cannot be seen in moving lines

/**
 * A view builds `canvas`, `context`, `numbers`, `note` and `way`, has a `scene` that can `clear()` and `take(snapshot, time)`,
 * takes `data` and `tell` from the page, and says `fit(height)`, `draw(time, seconds, width, height, late)` and `read(time)`.
 */
export class RunView {
  constructor(root, scene) {
    this.root = root;
    this.scene = scene;
    this.token = null; // of no page yet: that of a page's first picture is undefined, and is joined too
    this.snapshots = 0;
    this.size = [0, 0];
    this.interval = 1000 / 60; // ms between frames, smoothed, and the shortest that this display has shown
    this.shortest = 1000 / 30;
    this.readAt = 0;
  }

  /** Begin, when everything is built. */
  start() {
    this.waits = new Waiting(this);
    this.resizer = new ResizeObserver(([entry]) => {
      // Asked in every frame, the size would cost a layout in every frame.
      this.size = [Math.round(entry.contentRect.width), Math.round(entry.contentRect.height)];
      if (this.data) this.fit(this.data.height);
      this.dirty = true;
    });
    this.resizer.observe(this.canvas);
    VIEWS_OF_PAGE.add(this);
    this.last = performance.now();
    this.request = requestAnimationFrame((time) => this.frame(time));
  }

  /** Show the run that the page's `data` names, which it says at each rerun of its script. */
  join() {
    const { data } = this;
    if (this.token !== data.token) {
      this.token = data.token;
      this.connect(data);
    }
    this.keeper?.note(); // the page's first picture is of no run
    this.waits.begin(data.begun);
    this.dirty = true;
  }

  /**
   * As high as the page asks and grants (page/page.css), and no lower than can be read; below `narrow` pixels of width two
   * pictures stand one below the other, and take what they need.
   */
  fitBeside(height, { narrow, tall, bars, highest, lowest }) {
    const width = this.root.clientWidth;
    const stacked = width && width < narrow;
    const wanted = stacked ? Math.min(tall * width + bars, highest) : height;
    const most = stacked ? `${wanted}px` : "var(--picture-most, 100vh)";
    this.root.style.height = `max(var(--picture-least, 0px), min(${wanted}px, ${most}), ${Math.min(wanted, lowest)}px)`;
  }

  destroy() {
    cancelAnimationFrame(this.request);
    this.socket?.close();
    this.resizer.disconnect();
    clearTimeout(this.telling);
    clearInterval(this.asking);
    VIEWS_OF_PAGE.delete(this);
    tellListeners();
  }

  /** Tell the run, straight over the socket: the server answers at once, whatever is being computed. */
  command(word) {
    if (!this.socket?.send({ command: word })) return false;
    this.commanded = true;
    return true;
  }

  // -- the run

  connect({ slot, token }) {
    this.socket?.close();
    clearInterval(this.asking);
    this.clear();
    this.waits.connect();
    tellListeners();
    if (this.data.picture) {
      this.look(this.data.picture);
      return;
    }
    remember();
    this.keeper = new Keeper(slot, token, (message) => this.socket.send(message));
    this.socket = new LiveSocket(token, {
      snapshot: (buffer) => {
        const news = unpack(buffer);
        if (this.keeper.keep(news.arrays.kept)) return;
        if (this.waits.former) this.socket.send({ ack: true });
        else this.waiting = news;
      },
      status: (status) => this.follow(status),
      connection: (up) => this.waits.tell("trouble", up ? "" : "Connection lost; trying again…"),
      ended: () => {
        this.clear();
        this.waits.tell("trouble", "The server does not have this run any more…");
        tellListeners();
        this.tell?.("ended");
        // The page's own connection may be broken still: what it is told is lost then.
        this.asking = setInterval(() => pageListens() && this.tell?.("ended"), ASK);
      },
    });
  }

  /** Show one picture, of no run: the page's first one, before the page is there. */
  async look(address) {
    const answer = await fetch(address);
    if (answer.ok) this.waiting = unpack(await answer.arrayBuffer());
  }

  /** No picture of one run may stand beside the buttons of another. */
  clear() {
    this.status = undefined;
    this.snapshots = 0;
    this.forget();
    this.scene.clear();
    for (const name of ["status", "snapshots"]) delete this.root.dataset[name];
  }

  /** The numbers, and what was about to be shown, are of before. */
  forget() {
    this.waiting = this.news = null;
    this.numbers.replaceChildren();
    delete this.root.dataset.iteration;
    this.dirty = true;
  }

  follow(word) {
    const before = this.status;
    const { status, error, begun, resuming } = word;
    this.status = status;
    this.keeper.hear(word);
    const news = this.keeper.isNew(word, this.data.fate);
    this.root.dataset.status = status;
    this.waits.hear(begun);
    this.waits.tell("trouble", status === "failed" ? error : resuming ? "Your net is being taken from this tab…" : "");
    this.way.replaceChildren(...this.keeper.wayBack(word));
    tellListeners();
    // The page is drawn again only for what it shows and did not do itself: a failure, its end, the run's end, what became
    // of a lost run, and where it asks for it, play and pause.
    const seen = [before, status].some((word) => word === "failed" || word === "finished");
    const changed = before !== undefined && before !== status;
    if (news || (changed && (seen || (this.commanded && this.data.follows)))) this.tellSoon(status);
    this.commanded = false;
  }

  /** Not at once, which would hold up the picture just when someone looks at it; and once for many. */
  tellSoon(status) {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.root.isConnected && this.tell?.(status), TELL);
  }

  take(snapshot, time) {
    if (this.waits.first) this.scene.clear(); // nothing glides from one run's picture to another's
    this.scene.take(snapshot, time);
    this.snapshots += 1;
    this.waits.arrive(time);
    this.root.dataset.snapshots = String(this.snapshots);
    this.root.dataset.iteration = String(snapshot.scalars.iteration ?? "");
    this.news = snapshot.scalars;
    this.keeper?.show(snapshot.scalars.iteration);
  }

  // -- the display

  frame(time) {
    this.request = requestAnimationFrame((next) => this.frame(next));
    const since = time - this.last;
    const seconds = Math.min(0.1, Math.max(0, since / 1000));
    this.last = time;
    const late = this.isLate(since);
    const [width, height] = this.size;
    if (!width || !height) return; // out of sight: nothing is taken, so that the server sends no more
    const painting = this.waiting;
    if (painting) {
      this.waiting = null;
      this.take(painting, time);
      this.dirty = true;
    }
    this.draw(time, seconds, width, height, late);
    if (painting) {
      this.socket?.send({ ack: true });
      if (this.snapshots === 1) this.root.dispatchEvent(new Event("painted", { bubbles: true, composed: true }));
    }
    if (time - this.readAt >= READ) {
      this.readAt = time;
      this.read(time);
    }
  }

  /** Whether frames come clearly later than this display can show them. */
  isLate(since) {
    if (since > 0 && since < 200) this.interval += 0.05 * (since - this.interval);
    this.shortest = Math.min(this.shortest, Math.max(this.interval, 1000 / 60));
    return this.interval > 1.1 * this.shortest;
  }

  /** An empty canvas of this size, whose unit is a CSS pixel, and the theme as it is now. */
  clean(width, height, time) {
    this.dirty = false;
    const ratio = Math.min(SHARPEST, window.devicePixelRatio || 1);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    this.context.setTransform(w / width, 0, 0, h / height, 0, 0);
    if (!this.theme || time - this.themeRead > 500) {
      this.theme = readTheme(this.root);
      this.themeRead = time;
    }
    this.context.clearRect(0, 0, width, height);
  }
}

/** This tab has a run at this address: its picture need not be the page's first one any more. */
function remember() {
  try {
    sessionStorage.setItem(`run at ${window.location.pathname}`, "1");
  } catch {
    // no memory here: then no first picture is shown either
  }
}
