// The connection to the server's run: newest snapshots in, acknowledgements and commands out.

const NO_SUCH_RUN = 4404;
const HEARTBEAT = 5000;

export class LiveSocket {
  /** handlers: snapshot(ArrayBuffer), status({status, error ...}), connection(true | false), ended(). */
  constructor(token, handlers) {
    this.handlers = handlers;
    // This script is <app>/live-assets/<version>/socket.js, wherever the app is.
    this.url = new URL(`../../live/${encodeURIComponent(token)}`, import.meta.url);
    this.url.protocol = window.location.protocol === "https:" ? "wss:" : "ws:";
    this.delay = 250;
    this.timer = setInterval(() => this.send({}), HEARTBEAT);
    // A hidden tab's timers run once a minute, and its run sleeps between: it goes on as soon as somebody looks.
    this.look = () => document.visibilityState === "visible" && this.wake();
    document.addEventListener("visibilitychange", this.look);
    this.connect();
  }

  wake() {
    if (this.send({}) || this.socket.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.retry);
    this.connect();
  }

  connect() {
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.delay = 250;
      this.handlers.connection(true);
      this.send({});
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") this.handlers.status(JSON.parse(data));
      else this.handlers.snapshot(data);
    };
    socket.onclose = ({ code }) => {
      if (this.closed) return;
      if (code === NO_SUCH_RUN) {
        this.close();
        this.handlers.ended();
        return;
      }
      this.handlers.connection(false);
      this.retry = setTimeout(() => this.connect(), this.delay);
      this.delay = Math.min(8000, this.delay * 2);
    };
    this.socket = socket;
  }

  /** Whether the message, an object or a file, could be sent. */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(message instanceof Uint8Array ? message : JSON.stringify(message));
    return true;
  }

  close() {
    this.closed = true;
    document.removeEventListener("visibilitychange", this.look);
    clearInterval(this.timer);
    clearTimeout(this.retry);
    this.socket?.close();
  }
}
