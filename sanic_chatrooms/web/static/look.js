// What the user has chosen on this device, as attributes of the page's root, where style sheets and modules find it. A script
// without imports in the page's head: it runs before the first paint. The choices: settings.js.

{
  const KEY = "chatrooms:settings"; // other keys begin with "chatrooms " and go at sign-out; this one stays
  const KNOWN = { theme: ["system", "light", "dark"], density: ["comfortable", "compact"], enter: ["send", "line"], sound: ["off", "on"], keys: ["on", "off"] };

  const stored = () => {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      return {}; // no storage, or not what was written here
    }
  };
  const apply = () => {
    const chosen = stored();
    const { dataset } = document.documentElement;
    for (const [name, values] of Object.entries(KNOWN)) dataset[`chat${name[0].toUpperCase()}${name.slice(1)}`] = values.includes(chosen[name]) ? chosen[name] : values[0];
    document.dispatchEvent(new Event("chatsettings"));
  };

  // The colour of the bars around the page; the first of its two is for light pages.
  const color = () => {
    const theme = document.documentElement.dataset.chatTheme;
    document.querySelectorAll("meta[name=theme-color]").forEach((meta, dark) => {
      const own = ["light", "dark"][dark];
      meta.media = theme === "system" ? `(prefers-color-scheme: ${own})` : theme === own ? "all" : "not all";
    });
  };

  document.addEventListener("chatsettings", color);
  addEventListener("storage", ({ key }) => key === KEY && apply()); // another tab
  apply();
}
