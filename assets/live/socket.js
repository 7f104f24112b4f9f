// The connection to the server's run: newest snapshots in, acknowledgements and commands out.

const NO_SUCH_RUN = 4404;
const HEARTBEAT = 5000;

export class LiveSocket {
  /** handlers: snapshot(ArrayBuffer), status({status, error}), connection(true | false), ended(). */
  constructor(token, handlers) {
    this.handlers = handlers;
    const base = new URL(document.querySelector("base")?.href ?? "/", window.location.href);
    this.url = new URL(`/live/${encodeURIComponent(token)}`, base);
    this.url.protocol = window.location.protocol === "https:" ? "wss:" : "ws:";
    this.delay = 250;
    this.timer = setInterval(() => this.send({}), HEARTBEAT);
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

  /** Whether the message could be sent. */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  close() {
    this.closed = true;
    clearInterval(this.timer);
    clearTimeout(this.retry);
    this.socket?.close();
  }
}
