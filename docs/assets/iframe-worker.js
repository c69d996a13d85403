// Search runs in a worker, and browsers start none from a file. For a site that is opened from the disk, an iframe takes its
// place: the same script, which receives and posts messages as in a worker.

class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    this.ready = new Promise((resolve) => (frame.onload = () => resolve(frame.contentWindow)));
    frame.srcdoc = `<script>var postMessage = (data) => frameElement.worker.receive(data)</script><script src="${url}"></script>`;
    frame.worker = this;
    document.documentElement.append(frame);
  }

  postMessage(data) {
    this.ready.then((inside) => inside.dispatchEvent(new inside.MessageEvent("message", { data })));
  }

  receive(data) {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }
}

if (location.protocol === "file:") globalThis.Worker = FrameWorker;
