// The inline part of the components: Streamlit sends it with every delta, so it only loads the rest and hands over.
const views = new WeakMap();

export default function (component) {
  const { parentElement, data, setTriggerValue } = component;
  const root = parentElement.querySelector(".live, .live-bar");
  const part = root.dataset.part ?? { live: "LiveView", "live-bar": "Bar" }[root.className];
  if (!views.has(root)) {
    views.set(root, import(new URL(data.module, appAddress()).href).then((module) => new module[part](root)));
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
      root.textContent = "The live view could not be loaded: reload the page. Behind a proxy, let it pass /live-assets on.";
    });
  return whenRemoved(root, () => {
    view.then((live) => live.destroy()).catch(() => {});
    views.delete(root);
  });
}
