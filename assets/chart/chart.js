// A plotly chart that is fed again and again and stays as the reader left it: zoom, hidden curves, the element itself.
// Streamlit mounts its own charts anew with new data; `Plotly.react` on one element with a `uirevision` does not.
// A chart of live runs follows a feed (feed.js).
let library = null;
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
    this.feed = new Feed(root, (answer) => this.take(answer));
  }

  /** What the page wants shown, at each rerun. */
  update(data) {
    this.library = plotly(new URL(data.library, appAddress()).href);
    this.root.style.height = `${data.figure.layout.height}px`;
    this.root.setAttribute("aria-label", data.label);
    const other = this.feed.follow(data);
    const style = getComputedStyle(this.root);
    const theme = style.getPropertyValue("--st-text-color") + style.getPropertyValue("--st-background-color");
    // A rerun while the run plays brings the figure of its last look, which may be behind what is drawn already.
    const figure = other || !data.feed || !this.figure ? data.figure : this.figure;
    const text = figure === this.figure ? this.text : JSON.stringify(figure);
    if (text !== this.text || theme !== this.theme) this.draw(figure);
    this.text = text;
    this.theme = theme;
  }

  draw(figure) {
    this.figure = figure;
    return this.library
      .then((library) => {
        if (!this.root.isConnected) return null;
        this.root.library = library; // Streamlit's charts bring one of their own, and `window.Plotly` may be either
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

  /** The feed's next figure. */
  async take({ figure, every }) {
    this.feed.every = 1000 * every;
    await idle();
    await this.draw(figure);
  }

  end() {
    this.feed.end();
    this.root.library?.purge(this.root);
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
  if (!charts.has(root)) charts.set(root, new Chart(root));
  charts.get(root).update(data);
  return whenRemoved(root, () => {
    charts.get(root)?.end();
    charts.delete(root);
  });
}
