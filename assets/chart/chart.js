// A plotly chart that is fed again and again and stays as the reader left it: zoom, hidden curves, the element itself.
// Streamlit mounts its own charts anew with new data; `Plotly.react` on one element with a `uirevision` does not.
let library = null;

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

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".live-chart");
  root.style.height = `${data.figure.layout.height}px`;
  root.setAttribute("aria-label", data.label);
  const base = new URL(document.querySelector("base")?.href ?? "/", window.location.href);
  plotly(new URL("/" + data.library, base).href)
    .then((library) => {
      if (!root.isConnected) return null;
      return library.react(root, data.figure.data, themed(data.figure.layout, root), {
        displaylogo: false,
        responsive: true,
        modeBarButtonsToRemove: ["select2d", "lasso2d"],
      });
    })
    .then((chart) => {
      // Arrays travel as base64, which plotly has read by now.
      if (chart) root.dataset.points = String(Math.max(0, ...chart._fullData.map((trace) => trace.x?.length ?? 0)));
    })
    .catch(() => {
      root.textContent = "The curves could not be drawn: reload the page.";
    });
  return () => {
    // Streamlit also cleans up before it calls again on the same element: only a removed one is destroyed.
    setTimeout(() => {
      if (!root.isConnected) window.Plotly?.purge(root);
    }, 0);
  };
}
