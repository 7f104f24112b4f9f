// The inline part of the components: Streamlit sends it with every delta, so it only loads the rest and hands over.
const views = new WeakMap();

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".live, .live-bar");
  const base = new URL(document.querySelector("base")?.href ?? "/", window.location.href);
  const part = root.className === "live" ? "LiveView" : "Bar";
  if (!views.has(root)) {
    views.set(root, import(new URL("/" + data.module, base).href).then((module) => new module[part](root)));
  }
  const view = views.get(root);
  view
    .then((live) => {
      if (part === "Bar") {
        live.update(data, (command) => setTriggerValue("command", command));
        return;
      }
      live.update(
        data,
        (event) => setTriggerValue("event", event),
        (number) => setTriggerValue("picked", number),
      );
    })
    .catch(() => {
      root.textContent = "The live view could not be loaded: start the app with `streamlit run app.py`.";
    });
  return () => {
    // Streamlit also cleans up before it calls again on the same element: only a removed one is destroyed.
    setTimeout(() => {
      if (root.isConnected) return;
      view.then((live) => live.destroy()).catch(() => {});
      views.delete(root);
    }, 0);
  };
}
