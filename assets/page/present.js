// Presenting: the picture, one sentence and one slider in large type. It is a class of the document's root, which Streamlit
// never draws anew; what stays in sight is marked by the pages (`presented` in pages/ui/layout.py), how by page.css.

const ROOT = document.documentElement;
const PICTURES = '[class*="st-key-present_picture"]';
const LOWEST = 180; // px of a picture, however little room there is

const on = () => ROOT.classList.contains("presenting");
const sizes = new ResizeObserver(fit);
const hint = Object.assign(document.createElement("div"), {
  className: "present-hint",
  innerHTML: '<a href="#present">Leave: P or Esc</a> <a href="#keys">Keys: ?</a>',
});

function present(begin) {
  ROOT.classList.toggle("presenting", begin);
  sizes.disconnect();
  if (begin) {
    document.body.append(hint);
    sizes.observe(document.querySelector(".stMainBlockContainer"));
  } else {
    hint.remove();
    ROOT.style.removeProperty("--picture-height");
  }
  window.dispatchEvent(new Event("resize")); // pictures take their new size
}

/** Give the pictures the height that is left, or take from them what is missing. */
function fit() {
  const main = document.querySelector(".stMainBlockContainer");
  const rows = new Set([...document.querySelectorAll(PICTURES)].map((picture) => picture.offsetTop)).size;
  if (!on() || !main || !rows) return;
  const now = parseFloat(getComputedStyle(ROOT).getPropertyValue("--picture-most"));
  const left = (window.innerHeight - main.getBoundingClientRect().height) / rows;
  const next = Math.min(window.innerHeight, Math.max(LOWEST, Math.floor(now + left)));
  if (Math.abs(next - now) < 2) return;
  ROOT.style.setProperty("--picture-height", `${next}px`);
  window.dispatchEvent(new Event("resize"));
}

window.addEventListener("shortcut", (event) => {
  if (event.detail === "present" && (on() || document.querySelector(PICTURES))) present(!on());
  else if (event.detail === "leave" && on()) present(false);
  else return;
  event.preventDefault();
});
window.addEventListener("resize", (event) => event.isTrusted && fit());
