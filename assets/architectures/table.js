// Table 1: what the server says of the runs, as a feed (feed.js); a button stops one of them.
const tables = new WeakMap();
const STOP = "M7 7h10v10H7z";
const GO = "M8 5v14l11-7z";
const WORDS = { waiting: "not yet trained", paused: "stopped", failed: "failed", finished: "trained" };

const cell = (tag, text, name = "") => Object.assign(document.createElement(tag), { textContent: text, className: name });

class Table {
  constructor(root) {
    this.root = root;
    this.feed = new Feed(root, ({ figure }) => this.show(figure));
    this.marks = new Map(); // a row's progress when it was first seen to move, for the time that is left
  }

  /** What the page wants shown, at each rerun. */
  update(data, tell) {
    this.tell = tell;
    const other = this.feed.follow(data);
    if (other) this.marks.clear();
    if (other || !this.table) this.show(data.figure);
  }

  show(table) {
    this.table = table;
    const { columns, paper_columns: paper, lines } = table;
    const element = document.createElement("table");
    const head = element.createTHead();
    const groups = head.insertRow();
    groups.append(
      Object.assign(cell("th", ""), { colSpan: 2 }),
      Object.assign(cell("th", "Here", "group"), { colSpan: columns.length }),
      Object.assign(cell("th", "Paper: its MNIST run", "group paper first-of-paper"), { colSpan: paper.length }),
    );
    head
      .insertRow()
      .append(
        cell("th", ""),
        cell("th", ""),
        ...columns.map((name) => cell("th", name)),
        ...paper.map((name, k) => cell("th", name, k ? "paper" : "paper first-of-paper")),
      );
    const body = element.createTBody();
    for (const line of lines) {
      const row = body.insertRow();
      row.dataset.model = line.model;
      row.dataset.status = line.status;
      row.append(
        cell("th", line.label),
        this.state(line),
        ...line.cells.map((text) => cell("td", text, line.final ? "" : "so-far")),
        ...line.paper.map((text, k) => cell("td", text, k ? "paper" : "paper first-of-paper")),
      );
    }
    this.root.replaceChildren(element);
    this.root.dataset.trained = String(lines.filter((line) => line.final).length);
  }

  /** How far a row is, and its button. */
  state(line) {
    const found = cell("td", "", `state ${line.status === "failed" ? "failed" : ""}`);
    const going = line.status === "running";
    if (!going && line.status !== "paused") {
      const count = line.of > 1 ? `, ${line.runs} of ${line.of} seeds` : "";
      found.textContent = (WORDS[line.status] ?? line.status) + count;
      return found;
    }
    const way = found.appendChild(cell("div", "", "way"));
    const track = way.appendChild(cell("div", "", "track"));
    track.title = `${Math.round(100 * line.progress)} %`;
    track.appendChild(document.createElement("i")).style.width = `${100 * line.progress}%`;
    way.appendChild(cell("span", going ? this.left(line) : WORDS.paused));
    const button = way.appendChild(Object.assign(document.createElement("button"), { type: "button" }));
    button.title = going ? `Stop ${line.label}` : `Go on with ${line.label}`;
    button.setAttribute("aria-label", button.title);
    button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${going ? STOP : GO}"/></svg>`;
    button.onclick = () => {
      button.disabled = true;
      this.marks.delete(line.model);
      this.tell({ model: line.model, word: going ? "stop" : "go", at: Date.now() });
    };
    return found;
  }

  /** Seconds that are left, by the pace since the row was first seen to move. */
  left({ model, progress }) {
    const now = performance.now();
    const mark = this.marks.get(model);
    if (!mark || progress < mark.progress) {
      this.marks.set(model, { progress, time: now });
      return `${Math.round(100 * progress)} %`;
    }
    const gained = progress - mark.progress;
    if (gained <= 0) return `${Math.round(100 * progress)} %`;
    const seconds = (((1 - progress) / gained) * (now - mark.time)) / 1000;
    return seconds < 90 ? `${Math.ceil(seconds)} s left` : `${Math.ceil(seconds / 60)} min left`;
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector(".results");
  if (!tables.has(root)) tables.set(root, new Table(root));
  tables.get(root).update(data, (word) => setTriggerValue("command", word));
  return whenRemoved(root, () => {
    tables.get(root)?.feed.end();
    tables.delete(root);
  });
}
