// Accounts of the example's own: who is signed in here, and the forms for it. The server's side is example_app/accounts/.
//
// The access token is only in the memory of this page. What fetches the next one is in a cookie that no script can read;
// so that guests are not asked for it, this browser remembers that there is one.

import { openDialog, openForm, textField } from "/chat/static/dialogs.js";
import { button, el, fill } from "/chat/static/dom.js";
import { kept } from "/chat/static/kept.js";

const SIGNED_IN = "example signed in";
const OVER = "this token was revoked; sign in again"; // as the server says it: the page has words for it

/** An answer that is not 2xx, in words for people. */
class Refused extends Error {
  constructor(status, { detail = "The server does not answer as it should. Try again later.", code, field, retryAfter } = {}) {
    super(field ? `Your ${detail.replace(": ", " ").replace("newPassword", "new password")}.` : detail);
    Object.assign(this, { status, problem: code, field, retryAfter });
  }
}

async function post(what, body, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  let answer;
  try {
    answer = await fetch(`/accounts/${what}`, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
  } catch {
    throw new Refused(0, { detail: "The server cannot be reached. Try again." });
  }
  const content = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : undefined;
  if (!answer.ok) throw new Refused(answer.status, content);
  return content;
}

/** Who is signed in at this page: {name, secondFactor, token}, or null for a guest. */
export class Account {
  user = null;
  #next = null;

  /** Find out who is signed in here; guests cost no request. */
  async start() {
    if (!kept.get(SIGNED_IN)) return;
    // Without an answer we are still signed in: the client asks again until there is one.
    this.user = { name: kept.get(SIGNED_IN), secondFactor: false, token: null };
    await this.#refresh().catch(() => {});
  }

  /** For the chat's client: an access token that it has not had yet. `over` is called when there will be no more. */
  async token(over) {
    const ready = this.#take();
    if (ready) return ready;
    await this.#refresh();
    if (!this.user) await over(OVER);
    return this.#take();
  }

  async signUp(name, password) {
    this.#signedIn(await post("sign-up", { name, password }));
  }

  async logIn(name, password, code) {
    this.#signedIn(await post("log-in", { name, password, code }));
  }

  async logOut(everywhere = false) {
    await post("log-out", { everywhere }, await this.#fresh(everywhere));
    this.#signedOut();
  }

  /** Ask something that needs a fresh token, besides the password. */
  async ask(what, body) {
    return post(what, body, await this.#fresh(true));
  }

  async #fresh(needed) {
    if (needed) await this.#refresh();
    return needed ? this.user?.token : undefined;
  }

  #take() {
    const token = this.#next;
    this.#next = null;
    return token;
  }

  // Several tabs may do this at once: the server answers them alike for a moment.
  async #refresh() {
    try {
      this.#signedIn(await post("refresh"));
    } catch (error) {
      if (error.status !== 401) throw error;
      this.#signedOut();
    }
  }

  #signedIn(user) {
    this.user = user;
    this.#next = user.token;
    kept.set(SIGNED_IN, user.name);
  }

  #signedOut() {
    this.user = null;
    kept.remove(SIGNED_IN);
  }
}

// ---- forms ----

const nameField = () => textField("Name", { maxlength: 32, autocomplete: "username", autocapitalize: "none", spellcheck: "false", testid: "account-name" });
const passwordField = (autocomplete, props, label = "Password") => textField(label, { type: "password", maxlength: 200, autocomplete, autofocus: false, testid: "account-password", ...props });
const codeField = (label) => textField(label, { autocomplete: "one-time-code", autocapitalize: "none", spellcheck: "false", maxlength: 32, testid: "account-code" });
// Without it, password managers do not know whose password is asked for.
const nameOf = (account) => el("input", { autocomplete: "username", value: account.user.name, hidden: true });
const hint = (text) => el("p", { class: "hint" }, text);
const LENGTH = "At least 10 characters. A few words are easier to remember than signs, and harder to guess.";

/** Below the form for guests: the two other ways in. */
export function otherWays(account) {
  return el("div", { class: "other-ways" },
    hint("Or use an account, and be the same on all your devices."),
    button("Sign in", () => signIn(account), { testid: "open-sign-in" }),
    button("Create an account", () => signUp(account), { testid: "open-sign-up" }));
}

/** Entries of the menu "You". `signOut(end)` leaves the chat after `end()`. */
export function entries(account, signOut) {
  if (!account.user) return [["Sign in", () => signIn(account), "open-sign-in"], ["Create an account", () => signUp(account), "open-sign-up"]];
  return [
    ["Change your password", () => changePassword(account), "change-password"],
    ["Second factor", () => (account.user.secondFactor ? dropFactor(account) : addFactor(account)), "second-factor"],
    ["Sign out everywhere", () => signOut(() => account.logOut(true)), "sign-out-everywhere"],
  ];
}

async function signUp(account) {
  const name = nameField();
  const password = passwordField("new-password", { minlength: 10 });
  const fields = [
    name.row, hint("Others see it: 3 to 32 letters, digits, dots, hyphens or underscores."),
    password.row, hint(LENGTH),
  ];
  const create = () => account.signUp(name.field.value.trim(), password.field.value).then(() => true);
  if (await openForm("Create an account", fields, "Create", create, "sign-up-dialog")) location.reload();
}

async function signIn(account) {
  const name = nameField();
  const password = passwordField("current-password");
  const logIn = (code) => account.logIn(name.field.value.trim(), password.field.value, code).then(() => "in");
  const wantsCode = (error) => {
    if (error.problem !== "second_factor") throw error;
    return "code";
  };
  const came = await openForm("Sign in", [name.row, password.row], "Sign in", () => logIn().catch(wantsCode), "sign-in-dialog");
  if (came === "in" || (came === "code" && (await secondStep(logIn)))) location.reload();
}

function secondStep(logIn) {
  const { field, row } = codeField("Code of your authenticator app");
  const fields = [row, hint("If you do not have your phone, enter one of your recovery codes.")];
  return openForm("One more step", fields, "Sign in", () => logIn(field.value), "code-dialog");
}

async function changePassword(account) {
  const old = passwordField("current-password", { autofocus: true }, "Password now");
  const fresh = textField("New password", { type: "password", maxlength: 200, minlength: 10, autocomplete: "new-password", autofocus: false, testid: "new-password" });
  const change = () => account.ask("password", { password: old.field.value, newPassword: fresh.field.value }).then(() => true);
  const fields = [nameOf(account), old.row, fresh.row, hint(LENGTH), hint("Everywhere else you will be signed out.")];
  if (!(await openForm("Change your password", fields, "Change", change, "password-dialog"))) return;
  await openDialog("Your password is changed", (close) => [
    el("h2", {}, "Your password is changed"),
    el("p", {}, "You stay signed in here. On all other devices, sign in with the new password."),
    el("div", { class: "actions" }, button("Close", () => close(), { class: "primary", autofocus: true, testid: "password-changed" })),
  ]);
}

async function addFactor(account) {
  const password = passwordField("current-password", { autofocus: true });
  const why = hint("Besides your password, you will then need a code from your phone. Nobody who finds out your password gets in with it alone.");
  const propose = () => account.ask("factor", { password: password.field.value });
  const proposed = await openForm("Add a second factor", [why, nameOf(account), password.row], "Continue", propose, "factor-dialog");
  const confirmed = proposed && (await confirmFactor(account, proposed));
  if (!confirmed) return;
  account.user.secondFactor = true;
  await showRecovery(confirmed.recoveryCodes);
}

function confirmFactor(account, { secret, address, picture }) {
  const { field, row } = codeField("The code that it shows");
  const key = secret.replace(/.{4}(?=.)/g, "$& ");
  const fields = [
    el("p", {}, "Scan this with your authenticator app, or ", el("a", { href: address }, "open the app"), " if it is on this device."),
    el("img", { class: "scan", src: picture, alt: "QR code of the key below", testid: "scan" }),
    hint("If you cannot scan it, type this key:"),
    el("p", { class: "secret", testid: "secret" }, key), row,
  ];
  return openForm("Add this chat to your app", fields, "Turn on", () => account.ask("factor/confirm", { code: field.value }), "confirm-dialog");
}

function showRecovery(codes) {
  return openDialog("Keep these recovery codes", (close) => [
    el("h2", {}, "Keep these recovery codes"),
    el("p", {}, "Each lets you in once if you lose your phone. They are not shown again."),
    el("ul", { class: "recovery", testid: "recovery" }, codes.map((code) => el("li", {}, code))),
    el("div", { class: "actions" },
      button("Copy", ({ target }) => navigator.clipboard.writeText(codes.join("\n")).then(() => fill(target, "Copied"), () => fill(target, "Select and copy them")), { testid: "copy-codes" }),
      button("I have kept them", () => close(), { class: "primary", testid: "kept-codes" })),
  ], { testid: "recovery-dialog" });
}

async function dropFactor(account) {
  const password = passwordField("current-password", { autofocus: true });
  const code = codeField("Code of your authenticator app, or a recovery code");
  const drop = () => account.ask("factor/drop", { password: password.field.value, code: code.field.value }).then(() => true);
  const why = hint("Your password alone will then be enough to sign in.");
  if (await openForm("Turn off the second factor", [why, nameOf(account), password.row, code.row], "Turn off", drop, "drop-dialog")) account.user.secondFactor = false;
}
