// A page that was opened from a folder may start no worker: there the search runs in a hidden frame.
// The name is the one by which the plugin "offline" knows that it need not fetch such a script itself.
class FrameWorker extends EventTarget {
  constructor(url) {
    super();
    const frame = document.createElement("iframe");
    frame.hidden = true;
    document.body.append(frame);
    this.inside = frame.contentWindow;
    const run = (source) => new Promise((resolve, reject) => {
      const script = frame.contentDocument.createElement("script");
      Object.assign(script, { src: source, onload: resolve, onerror: reject });
      frame.contentDocument.body.append(script);
    });
    this.inside.importScripts = (...sources) => sources.reduce((before, each) => before.then(() => run(each)), Promise.resolve());
    this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", { data }));
    this.started = run(url);
  }

  postMessage(data) {
    this.started.then(() => this.inside.dispatchEvent(new MessageEvent("message", { data })));
  }
}

if (location.protocol === "file:") window.Worker = FrameWorker;
