// Rooms that begin and end for a user: made, accepted, declined, left; and the end of the whole stay.

import { ask, openForm, radio, textField } from "./dialogs.js";
import { el } from "./dom.js";
import { counted, isVisible, slug } from "./format.js";
import { kept, SIGNED_OUT } from "./kept.js";

/** Ask for a new room and make it. Resolves with the server's answer, or undefined. */
export function createRoom(chat) {
  const { field, row } = textField("Name", { maxlength: 100, testid: "room-title" });
  const choice = (value, label) => radio({ name: "visibility", value, checked: value === "public" }, label);
  const choices = el("fieldset", {}, el("legend.label", {}, "Who can enter"), choice("public", "Everybody"), choice("private", "Only members"));
  const submit = () => made(chat, field.value.trim(), choices.querySelector(":checked").value);
  return openForm("Create a room", [row, choices], "Create", submit, "create-dialog");
}

function made(chat, title, visibility) {
  // A public room gets a readable id. A private one does not, because a conflict would reveal that it exists.
  if (!isVisible(title)) return Promise.reject(new Error("Give the room a name that can be seen."));
  const room = visibility === "public" ? slug(title) : undefined;
  return chat.createRoom({ room, title, visibility }).catch((error) => {
    throw error.code === "conflict" ? new Error("There is a room of this name already. Choose another one.") : error;
  });
}

/** Accept an invitation, or decline it after a question. Returns whether it is done. */
export async function answerInvitation(book, { id, title }, answer, notices) {
  if (answer === "decline" && !(await ask(`Decline the invitation to ${title || id}?`, ["You can come in later only if somebody invites you again."], "Decline", "Keep it", "decline-dialog"))) return false;
  try {
    await book.answer(id, answer);
    return true;
  } catch (error) {
    notices.refused("That did not work", error);
    book.refresh();
    return false;
  }
}

/** Leave a room after a question. Returns whether it is done. */
export async function leaveRoom(book, room, notices) {
  if (!(await ask(`Leave ${room.name}?`, ["You can come back only if somebody invites you."], "Leave", "Stay", "leave-dialog", "danger"))) return false;
  try {
    await book.leave(room);
    return true;
  } catch (error) {
    notices.refused("You are still in the room", error);
    return false;
  }
}

/** Sign out: ask if something would be lost, and end the app's own session with `end`. Returns whether it is done. */
export async function signOut(chat, end, notices) {
  const unsent = chat.outbox.length;
  const lines = [];
  if (chat.user?.id.startsWith("guest-")) lines.push(`You are a guest here. Once you sign out, you cannot come back as ${chat.user.name}, or change what you wrote.`);
  if (unsent) lines.push(`${counted(unsent, "message")} ${unsent === 1 ? "is" : "are"} not sent yet, and will be lost.`);
  if (lines.length && !(await ask("Sign out?", lines, "Sign out", "Stay", "sign-out-dialog", "danger"))) return false;
  try {
    await end?.();
  } catch (error) {
    notices.refused("You are still signed in", error);
    return false;
  }
  chat.disconnect();
  kept.removeAll("chatrooms ");
  kept.set(SIGNED_OUT, String(Date.now()));
  return true;
}

/** Ask a guest for another name. */
export function changeName(chat) {
  const { field, row } = textField("Your name", { maxlength: 64, value: chat.user?.name, testid: "new-name", onfocus: ({ target }) => target.select() });
  return openForm("Change your name", [row], "Change", () => chat.rename(field.value.trim()), "rename-dialog");
}
