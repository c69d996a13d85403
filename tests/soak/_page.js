// What page.py measures with, in the page from its beginning. Times are milliseconds.

window.gauge = (() => {
  const find = (name) => document.querySelector(`[data-testid=${name}]`);
  const frame = () => new Promise(requestAnimationFrame);

  // Resolves when the next frame is painted, as far as the page can know: a task that follows its frame.
  const painted = () => new Promise((resolve) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => resolve(performance.now());
    port2.postMessage(null);
  }));

  const blocked = []; // frames that took longer than 50 ms
  new PerformanceObserver((list) => blocked.push(...list.getEntries())).observe({ type: "long-animation-frame" });

  let frames = null; // while they are counted: {time, moved}
  let row = null; // that is read, and where it was at the last frame
  const countFrames = (time) => {
    if (!frames) return;
    const top = row?.node.isConnected ? row.node.getBoundingClientRect().top : NaN;
    frames.push({ time, moved: Math.abs(top - row?.top) || 0 });
    // The same one while it can be seen: to find another one takes time.
    const node = top > 100 && top < 700 ? row.node : document.elementFromPoint(600, 400)?.closest("[data-testid=message]");
    row = node && { node, top: node === row?.node ? top : node.getBoundingClientRect().top };
    requestAnimationFrame(countFrames);
  };

  let pressed = 0;
  let keys = [];
  addEventListener("keydown", ({ timeStamp }) => (pressed = timeStamp), true);
  addEventListener("input", async () => keys.push((await painted()) - pressed), true);

  // The room that was clicked is there when a message of it is.
  let opened = null;
  addEventListener("click", ({ target, timeStamp }) => {
    const room = target.closest("[data-room]")?.dataset.room;
    if (room) opened = shown(room).then((time) => time - timeStamp);
  }, true);
  const shown = async (room) => {
    while (find("room-name").textContent !== room || !find("log").querySelector("[data-testid=message]")) await frame();
    return painted();
  };

  return {
    beginFrames() {
      frames = [];
      row = null;
      blocked.length = 0;
      requestAnimationFrame(countFrames);
    },
    endFrames() {
      const intervals = frames.slice(1).map(({ time }, at) => time - frames[at].time);
      const moved = frames.map((frame) => frame.moved);
      frames = null;
      return { intervals, moved, blocked: blocked.map(({ duration }) => duration) };
    },
    takeKeys() {
      const taken = keys;
      keys = [];
      return taken;
    },
    opened: () => opened,
    /** Whether somebody reads at the beginning of the room, and whether at its end. */
    isAtTop: () => Boolean(find("beginning")) && find("log").scrollTop < 1,
    isAtEnd: () => find("log").scrollHeight - find("log").scrollTop - find("log").clientHeight < 2,
    rows: () => find("log").querySelectorAll("[data-testid=message]").length,
    firstPaint: () => new Promise((resolve) => {
      const look = (list) => list.getEntriesByName("first-contentful-paint").forEach(({ startTime }) => resolve(startTime));
      new PerformanceObserver(look).observe({ type: "paint", buffered: true });
    }),
    /** Resolves when something can be written, in a room that the server has let the page into. */
    async usable() {
      while (!find("composer")?.offsetParent || !find("toggle-people")?.offsetParent) await frame();
      return painted();
    },
  };
})();
