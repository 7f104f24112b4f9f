// Asks for the rest of a page as soon as its first picture is out of the way: see pages/ui/later.py.
export default function ({ parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".later");
  if (root.asked) return;
  root.asked = true;
  const look = () => {
    if (!root.isConnected) return;
    if (document.querySelector("#first-picture")) setTimeout(look, 50);
    else setTriggerValue("now", true);
  };
  look();
}
