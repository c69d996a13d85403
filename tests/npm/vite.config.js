import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: { rolldownOptions: { input: ["index.html", "room.html"] } },
  // `vite` serves the sources; the chat is beside them.
  server: { proxy: { "/chat": { target: "http://127.0.0.1:8000", ws: true } } },
});
