// A chart or table of live runs asks the server for its next figure by itself: no rerun of the page, and seldom when it
// is out of sight. The server's side is pages/ui/live/feed.py.

class Feed {
  static OUT_OF_SIGHT = 4; // times more seldom

  /**
   * @param root where the figure stands
   * @param show draws the server's answer, {figure, every}; it may take its time
   */
  constructor(root, show) {
    Object.assign(this, { root, show, seen: false });
    this.sight = new IntersectionObserver(([entry]) => {
      const came = entry.isIntersecting && !this.seen;
      this.seen = entry.isIntersecting;
      if (came && this.address) this.askIn(0);
    });
    this.sight.observe(root);
  }

  /** What the page says at a rerun, {feed, stamp, every}; whether that is another feed than before. */
  follow({ feed, stamp, every = 0 }) {
    const other = feed !== this.address;
    this.address = feed;
    this.every = 1000 * every;
    if (other) this.stamp = stamp;
    if (feed) this.askIn(other ? this.every : 0.3 * this.every);
    return other;
  }

  askIn(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), milliseconds);
  }

  async ask() {
    const { address } = this;
    if (!address || !this.root.isConnected) return;
    if (!document.hidden) {
      try {
        const url = new URL(address, appAddress());
        url.searchParams.set("stamp", this.stamp ?? "");
        const answer = await fetch(url);
        if (answer.status === 404) return; // the runs are gone; a rerun of the page makes new ones
        if (answer.status === 200) {
          const found = await answer.json();
          if (address !== this.address) return;
          this.stamp = found.stamp;
          await this.show(found);
        }
      } catch {
        // The server is away for a moment: ask again later.
      }
    }
    if (address === this.address) this.askIn(this.seen ? this.every : Feed.OUT_OF_SIGHT * this.every);
  }

  end() {
    clearTimeout(this.timer);
    this.address = null;
    this.sight.disconnect();
  }
}
