// The numbers beside the picture; only what has changed is written, because each change costs a layout.

export function showNumbers(element, { iteration, loss, accuracy, nll, straightness, nfe_forward: forward, nfe_backward: backward }) {
  const lines = [];
  if (iteration != null && straightness == null) lines.push(["iteration", iteration]); // beside others a table says it
  if (nll != null) lines.push(["NLL", nll.toFixed(3)]);
  if (straightness != null) lines.push(["deviation", straightness.toPrecision(2)]);
  if (loss != null) lines.push(["loss", loss.toPrecision(3)]);
  if (accuracy != null) lines.push(["accuracy", `${(100 * accuracy).toFixed(1)} %`]);
  if (forward != null) lines.push(["NFE", backward == null ? forward : `${forward} + ${backward}`]);
  showLines(element, lines);
}

/** Write lines of [name, value]. */
export function showLines(element, lines) {
  if (element.childElementCount !== lines.length) {
    element.replaceChildren(
      ...lines.map(() => {
        const line = document.createElement("div");
        line.append("", document.createElement("b"));
        return line;
      }),
    );
  }
  lines.forEach(([name, value], i) => {
    const [label, number] = element.children[i].childNodes;
    if (label.data !== `${name} `) label.data = `${name} `;
    if (number.textContent !== String(value)) number.textContent = String(value);
  });
}
