// A plotly chart that is fed again and again and stays as the reader left it: zoom, hidden curves, the element itself.
// Streamlit mounts its own charts anew with new data; `Plotly.react` on one element with a `uirevision` does not.
// A chart of live runs asks the server for its next figure by itself: no rerun, and seldom when it is out of sight.
let library = null;
const OUT_OF_SIGHT = 4; // times more seldom
const charts = new WeakMap();

function plotly(url) {
  library ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly);
    const script = Object.assign(document.createElement("script"), { src: url });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      library = null;
      reject(new Error(url));
    };
    document.head.appendChild(script);
  });
  return library;
}

function themed(layout, element) {
  const style = getComputedStyle(element);
  const value = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
  const color = value("--st-text-color", "#888");
  const hover = { bgcolor: value("--st-secondary-background-color", "#eee"), font: { ...layout.hoverlabel?.font, color } };
  return { ...layout, autosize: true, font: { ...layout.font, color, family: value("--st-font", "sans-serif") }, hoverlabel: hover };
}

class Chart {
  constructor(root) {
    this.root = root;
    this.seen = false;
    this.sight = new IntersectionObserver(([entry]) => {
      const came = entry.isIntersecting && !this.seen;
      this.seen = entry.isIntersecting;
      if (came && this.feed) this.askIn(0);
    });
    this.sight.observe(root);
  }

  /** What the page wants shown, at each rerun. */
  update(data, base) {
    this.base = base;
    this.library = plotly(new URL("/" + data.library, base).href);
    this.root.style.height = `${data.figure.layout.height}px`;
    this.root.setAttribute("aria-label", data.label);
    const other = data.feed !== this.feed;
    this.feed = data.feed;
    this.every = 1000 * (data.every ?? 0);
    const style = getComputedStyle(this.root);
    const theme = style.getPropertyValue("--st-text-color") + style.getPropertyValue("--st-background-color");
    // A rerun while the run plays brings the figure of its last look, which may be behind what is drawn already.
    const figure = other || !this.feed || !this.figure ? data.figure : this.figure;
    const text = figure === this.figure ? this.text : JSON.stringify(figure);
    if (text !== this.text || theme !== this.theme) this.draw(figure);
    this.text = text;
    if (other) this.stamp = data.stamp;
    this.theme = theme;
    if (this.feed) this.askIn(other ? this.every : 0.3 * this.every);
  }

  draw(figure) {
    this.figure = figure;
    return this.library
      .then((library) => {
        if (!this.root.isConnected) return null;
        return library.react(this.root, figure.data, themed(figure.layout, this.root), {
          displaylogo: false,
          // Where nothing hovers the buttons would stand on the legend for good; two taps still undo a zoom.
          displayModeBar: window.matchMedia("(hover: none)").matches ? false : "hover",
          responsive: true,
          modeBarButtonsToRemove: ["select2d", "lasso2d"],
        });
      })
      .then((chart) => {
        // Arrays travel as base64, which plotly has read by now.
        if (chart) this.root.dataset.points = String(Math.max(0, ...chart._fullData.map((trace) => trace.x?.length ?? 0)));
      })
      .catch(() => {
        this.root.textContent = "The curves could not be drawn: reload the page.";
      });
  }

  askIn(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), milliseconds);
  }

  async ask() {
    const feed = this.feed;
    if (!feed || !this.root.isConnected) return;
    if (!document.hidden) {
      try {
        const url = new URL(`/${feed}`, this.base);
        url.searchParams.set("stamp", this.stamp ?? "");
        const answer = await fetch(url);
        if (answer.status === 404) return; // the run is gone; a rerun of the page makes a new one
        if (answer.status === 200) {
          const { stamp, figure, every } = await answer.json();
          if (feed !== this.feed) return;
          this.stamp = stamp;
          this.every = 1000 * every;
          await idle();
          await this.draw(figure);
        }
      } catch {
        // The server is away for a moment: ask again later.
      }
    }
    if (feed === this.feed) this.askIn(this.seen ? this.every : OUT_OF_SIGHT * this.every);
  }

  end() {
    clearTimeout(this.timer);
    this.feed = null;
    this.sight.disconnect();
    window.Plotly?.purge(this.root);
  }
}

/** When the browser has nothing more urgent, such as a frame of the picture, to do. */
function idle() {
  return new Promise((resolve) => {
    if (window.requestIdleCallback) window.requestIdleCallback(resolve, { timeout: 400 });
    else setTimeout(resolve, 0);
  });
}

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".live-chart");
  const base = new URL(document.querySelector("base")?.href ?? "/", window.location.href);
  if (!charts.has(root)) charts.set(root, new Chart(root));
  charts.get(root).update(data, base);
  return () => {
    // Streamlit also cleans up before it calls again on the same element: only a removed one is destroyed.
    setTimeout(() => {
      if (root.isConnected) return;
      charts.get(root)?.end();
      charts.delete(root);
    }, 0);
  };
}
