// What the user has chosen on this device, and the language, as attributes of the page's root, where style sheets and modules find it. A script
// without imports in the page's head: it runs before the first paint. The choices: settings.js.

{
  const KEY = "chatrooms:settings"; // other keys begin with "chatrooms " and go at sign-out; this one stays
  const LANGUAGES = ["en", "de"]; // as in words.js
  const KNOWN = {
    language: ["system", ...LANGUAGES],
    theme: ["system", "light", "dark"],
    density: ["comfortable", "compact"],
    enter: ["send", "line"],
    sound: ["off", "on"],
    keys: ["on", "off"],
  };

  const root = document.documentElement;
  const stored = () => {
    try {
      return JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      return {}; // no storage, or not what was written here
    }
  };
  const apply = () => {
    const chosen = stored();
    const { dataset } = root;
    for (const [name, values] of Object.entries(KNOWN)) dataset[`chat${name[0].toUpperCase()}${name.slice(1)}`] = values.includes(chosen[name]) ? chosen[name] : values[0];
    document.dispatchEvent(new Event("chatsettings"));
  };

  // The colour of the bars around the page; the first of its two is for light pages.
  const color = () => {
    const theme = root.dataset.chatTheme;
    document.querySelectorAll("meta[name=theme-color]").forEach((meta, dark) => {
      const own = ["light", "dark"][dark];
      meta.media = theme === "system" ? `(prefers-color-scheme: ${own})` : theme === own ? "all" : "not all";
    });
  };

  document.addEventListener("chatsettings", color);
  addEventListener("storage", ({ key }) => key === KEY && apply()); // another tab
  apply();

  // The user's choice, or the app's (`<html data-language="de">`), or the browser's. It stays until the page is loaded again.
  const tags = [stored().language, root.dataset.language, ...navigator.languages];
  root.lang = tags.map((tag) => `${tag}`.split("-")[0]).find((tag) => LANGUAGES.includes(tag)) ?? "en";
  const locale = new Intl.Locale(root.lang);
  root.dir = (locale.getTextInfo?.() ?? locale.textInfo)?.direction ?? (/^(ar|fa|he|ur)$/.test(root.lang) ? "rtl" : "ltr");
  // Its words are loaded beside the modules that need them, rather than after them. An app names the folder of its own: `data-words`.
  const { src, dataset } = document.currentScript ?? {};
  for (const folder of src ? [new URL("words/", src), dataset.words].filter(Boolean) : []) {
    document.head.append(Object.assign(document.createElement("link"), { rel: "modulepreload", href: `${folder}${root.lang}.js` }));
  }
}
