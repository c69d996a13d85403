// Asks the server: the token, questions, acts, and what is refused.

const PATIENCE = 8000; // ms: a worker that is frozen answers nothing on connections that it has
const KEY = "chatrooms operator"; // in this tab only

/** A refusal, or that nobody answers (`status` 0). */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? String(status));
    this.status = status;
  }
}

let token = sessionStorage.getItem(KEY);

/** Whether a token was shown in this tab. */
export const signedIn = () => token !== null;

/** Use this token from now on; null: none. */
export function useToken(value) {
  token = value;
  if (value === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, value);
}

/** The answer to a question: `await ask("room", { room })`. What is undefined or empty is left out. */
export function ask(name, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return answer(`api/${name}?${new URLSearchParams(given)}`, {});
}

/** Do something; whether that changed anything. */
export async function act(name, body) {
  const { changed } = await answer(`api/${name}`, { method: "POST", body: JSON.stringify(body) });
  return changed;
}

async function answer(address, how) {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), PATIENCE);
  try {
    const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
    const response = await fetch(address, { ...how, cache: "no-store", headers, signal: giveUp.signal });
    const told = await response.json();
    if (response.ok) return told;
    throw new Refused(response.status, told);
  } catch (error) {
    throw error instanceof Refused ? error : new Refused(0, {});
  } finally {
    clearTimeout(timer);
  }
}
