// A picture that is there as soon as it is in the page.
export default function ({ parentElement }) {
  const tell = () => parentElement.dispatchEvent(new Event("painted", { bubbles: true, composed: true }));
  setTimeout(tell, 0);
}
