/** Why a promise was rejected. `code`: the server's, or timeout, lost, closed, discarded. */
export class ChatError extends Error {
  constructor(code, message, details = {}) {
    super(message || code);
    const temporary = details.temporary ?? (code === "timeout" || code === "lost");
    Object.assign(this, { name: "ChatError", code, details, temporary, retryAfter: details.retryAfter });
  }
}

export const unanswered = () => new ChatError("timeout", "no answer in time");
export const closed = () => new ChatError("closed", "the client is closed; connect() opens it");
