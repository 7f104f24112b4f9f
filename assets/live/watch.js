// Stands in every page beside Streamlit's own scripts, and says in plain words what keeps the page from its server.
// Streamlit's dialog for a server that is away tells everybody to type `streamlit run yourscript.py`.

const PATIENCE = { before: 8000, after: 2500 }; // ms without a connection: before there was one, and after it broke
const STYLE = `
  html.server-away [data-testid="stDialog"] { display: none; }
  .server-word { position: fixed; z-index: 1000000; left: 50%; top: 12px; transform: translateX(-50%); max-width: min(44rem, 92vw);
    padding: 10px 16px; border-radius: 10px; font: 15px/1.45 system-ui, sans-serif; color: #1b1b2f; background: #fff3cd;
    border: 1px solid #e0c060; box-shadow: 0 4px 18px #0003; }
`;

let connected = false; // ever
let timer = null;
let word = null;

function state() {
  return document.querySelector('[data-testid="stApp"]')?.getAttribute("data-test-connection-state") ?? "none";
}

function look() {
  if (state().includes("CONNECTED") && !state().includes("DIS")) {
    connected = true;
    clearTimeout(timer);
    timer = null;
    say("");
  } else {
    timer ??= setTimeout(trouble, connected ? PATIENCE.after : PATIENCE.before);
  }
}

function say(sentence) {
  document.documentElement.classList.toggle("server-away", sentence !== "");
  if (!sentence) {
    word?.remove();
    word = null;
    return;
  }
  word ??= document.body.appendChild(Object.assign(document.createElement("div"), { className: "server-word" }));
  word.setAttribute("role", "alert");
  word.textContent = sentence;
}

async function trouble() {
  timer = null;
  if (state() === "CONNECTED") return;
  if (connected) {
    say("The server does not answer: it was stopped, or it starts again. This page goes on by itself when it is back.");
    return;
  }
  try {
    const url = new URL("../../live-connection", import.meta.url);
    url.searchParams.set("page", window.location.origin);
    const answer = await fetch(url);
    const { sentence } = await answer.json();
    if (state() !== "CONNECTED") say(sentence);
  } catch {
    say("The server does not answer: it was stopped, or it starts again. This page goes on by itself when it is back.");
  }
}

document.head.appendChild(Object.assign(document.createElement("style"), { textContent: STYLE }));
new MutationObserver(look).observe(document.documentElement, {
  subtree: true,
  childList: true,
  attributeFilter: ["data-test-connection-state"],
});
look();
