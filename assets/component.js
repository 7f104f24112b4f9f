// What the inline scripts of components have in common: they stand in blobs and can import nothing.

/** The app's address, ending in a slash: below a base path and behind a proxy too, where "/" is somebody else's. */
function appAddress() {
  const own = document.querySelector('script[src*="/static/js/"]');
  const found = own ? new URL("../../", own.src) : null;
  return found?.origin === window.location.origin ? found : new URL("/", window.location.href);
}

/** A component's cleanup. Streamlit also cleans up before it calls again on the same element: only a removed one ends. */
function whenRemoved(root, end) {
  return () => setTimeout(() => root.isConnected || end(), 0);
}
