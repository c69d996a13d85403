const FINAL = [1000, 1002, 1003, 1007, 1008];
export const CROWDED = [1013, 4008, 4013]; // reconnecting at once would make it worse

/** Whether the protocol lets a client reconnect after this close code. */
export function reconnects(code) {
  return code >= 4000 ? code < 4500 : !FINAL.includes(code);
}
