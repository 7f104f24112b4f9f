// An address to be shared: to be read, copied, and taken with a camera, from the last row of a lecture hall too.

const COPIED = 2000; // ms

export default function ({ parentElement, data: { address, code, what } }) {
  const root = parentElement.querySelector(".share-link");
  if (root.dataset.address === address) return;
  root.dataset.address = address;
  root.replaceChildren();
  const make = (tag, parent, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));
  const row = make("div", root, { className: "row" });
  const field = make("input", row, { readOnly: true, value: address, ariaLabel: what });
  field.onfocus = () => field.select();
  const copy = make("button", row, { type: "button", textContent: "Copy" });
  copy.onclick = async () => {
    copy.textContent = (await copied(field)) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (copy.textContent = "Copy"), COPIED);
  };
  if (!code) return;
  // The code is the server's own SVG.
  const small = make("button", root, { className: "code", type: "button", innerHTML: code, title: "Show it large" });
  small.setAttribute("aria-label", `QR code of ${what}: show it large`);
  const large = make("dialog", root, { innerHTML: code, onclick: () => large.close() });
  large.onkeydown = (event) => event.stopPropagation();
  make("p", large, { textContent: address });
  small.onclick = () => large.showModal();
}

/** Whether it is in the clipboard. A page that came unencrypted under a name, as in most lecture halls, has no `clipboard`. */
async function copied(field) {
  try {
    await navigator.clipboard.writeText(field.value);
    return true;
  } catch {
    field.select();
    return document.execCommand("copy");
  }
}
