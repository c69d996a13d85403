// Rooms that begin and end for a user: made, accepted, declined, left; and the end of the whole stay.

import { ask, choiceGroup, openForm, radio, textField, wrongField } from "./dialogs.js";
import { isVisible, slug } from "./format.js";
import { kept, SIGNED_OUT } from "./kept.js";
import { mustBeOnline } from "./reasons.js";
import { words } from "./words.js";

/** Ask for a new room and make it. `id`: of the one that an address names. Resolves with the server's answer, or undefined. */
export function createRoom(chat, id = "") {
  const { whoEnters, members, yes } = words.create;
  const { field, row } = textField(words.name, { name: "title", maxlength: 100, value: id, testid: "room-title" });
  const choice = (value, label) => radio({ name: "visibility", value, checked: value === "public" }, label);
  const choices = choiceGroup(whoEnters, [choice("public", words.everybody), choice("private", members)]);
  const submit = async () => roomMade(chat, field.value.trim(), choices.querySelector(":checked").value, id);
  return openForm(words.rooms.create, [row, choices], yes, submit, "create-dialog");
}

function roomMade(chat, title, visibility, id) {
  // A public room gets a readable id. A private one does not, because a conflict would reveal that it exists.
  if (!isVisible(title)) return Promise.reject(wrongField("title", words.nameNeeded));
  mustBeOnline(chat);
  const room = visibility !== "public" ? undefined : title === id ? id : slug(title);
  return chat.createRoom({ room, title, visibility }).catch((error) => {
    throw error.code === "conflict" ? wrongField("title", words.create.taken) : error;
  });
}

/** Accept an invitation, or decline it after a question. Returns whether it is done. */
export async function answerInvitation(book, { id, title }, answer, notices) {
  const { heading, line } = words.invitation;
  if (answer === "decline" && !(await ask(heading(title || id), [line], words.rooms.decline, "decline-dialog", "danger"))) return false;
  try {
    await book.answer(id, answer);
    return true;
  } catch (error) {
    notices.refused(words.failed, error);
    book.refresh();
    return false;
  }
}

/** Whether the user owns a room, and nobody else does. False where that cannot be seen: it takes a page of members. */
export async function ownsAlone(chat, room) {
  if (room.role !== "owner" || chat.state !== "online") return false;
  const { members, cursor } = await chat.members(room.id, { limit: 200 }).catch(() => ({ members: [], cursor: "unknown" }));
  return !cursor && !members.some(({ id, role }) => role === "owner" && id !== chat.user.id);
}

/** Leave a room after a question. Returns whether it is done. */
export async function leaveRoom(book, room, notices) {
  const { heading, line, yes, failed } = words.leave;
  const lines = [line, ...((await ownsAlone(book.chat, room)) ? [words.roles.lastOwner] : [])];
  if (!(await ask(heading(room.name), lines, yes, "leave-dialog", "danger"))) return false;
  try {
    await book.leave(room);
    return true;
  } catch (error) {
    notices.refused(failed, error);
    return false;
  }
}

/** Sign out: ask if something would be lost, and end the app's own session with `end`. Returns whether it is done. */
export async function signOut(chat, end, notices) {
  const { heading, guest, unsent, label, failed } = words.signOut;
  const { user, outbox } = chat;
  const lines = [user?.id.startsWith("guest-") && guest(user.name), outbox.length && unsent(outbox.length)].filter(Boolean);
  if (lines.length && !(await ask(heading, lines, label, "sign-out-dialog", "danger"))) return false;
  try {
    await end?.();
  } catch (error) {
    notices.refused(failed, error);
    return false;
  }
  chat.disconnect();
  kept.removeAll("chatrooms ");
  kept.set(SIGNED_OUT, String(Date.now()));
  return true;
}

/** Ask a guest for another name. */
export function changeName(chat) {
  const { field, row } = textField(words.start.yourName, { name: "name", maxlength: 64, value: chat.user?.name, testid: "new-name", onfocus: ({ target }) => target.select() });
  return openForm(words.rename.label, [row], words.rename.yes, async () => (mustBeOnline(chat), chat.rename(field.value.trim())), "rename-dialog");
}
