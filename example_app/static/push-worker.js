// Shows notifications while no page is open. It has nothing else to do, and keeps nothing.

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("push", (event) => {
  const { title, body, room } = event.data.json();
  const look = { body, tag: room, renotify: true, icon: "/chat/static/icon-192.png", data: { room } };
  event.waitUntil(registration.showNotification(title, look));
});

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(show(`/#/${encodeURIComponent(event.notification.data.room)}`));
});

async function show(address) {
  const [page] = await clients.matchAll({ type: "window" });
  if (!page) return clients.openWindow(address);
  await page.focus();
  return page.navigate(address);
}
