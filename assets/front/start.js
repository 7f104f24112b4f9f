// Stands in the page in the place of Streamlit's own script, which it starts: after the page's first picture, if there is one.
const start = () =>
  document.head.append(Object.assign(document.createElement("script"), { type: "module", crossOrigin: "", src: "$streamlit" }));
import("$first")
  .then((first) => first.show("$page", { live: $live }))
  .catch(() => {})
  .finally(start);
