// The page's modules have English words for all that imports this, as in a browser.

import { speak } from "../../../sanic_chatrooms/web/static/words.js";

await speak("en");
