// Accounts of the example's own: who is signed in here, and the forms for it. The server's side is example_app/accounts/.
//
// The access token is only in the memory of this page. What fetches the next one is in a cookie that no script can read;
// so that guests are not asked for it, this browser remembers that there is one.

import { ask, openDialog, openForm, textField } from "/chat/static/dialogs.js";
import { button, el, fill, touch } from "/chat/static/dom.js";
import { kept } from "/chat/static/kept.js";
import { words } from "./words.js";

const SIGNED_IN = "example signed in";
const OVER = "this token was revoked; sign in again"; // as the server says it: the page has words for it

// What to change, where the server names no field.
const FIELDS = { "sign-up": { conflict: "name" }, "log-in": { unauthenticated: "password" } };

/** An answer that is not 2xx, in words for people. `what` was asked. */
class Refused extends Error {
  constructor(what, status, problem = {}) {
    super(why(what, problem) ?? words.refused.other);
    Object.assign(this, { status, problem: problem.code, field: problem.field ?? FIELDS[what]?.[problem.code] });
  }
}

function why(what, { code, field, detail, retryAfter }) {
  const said = words.refused;
  const conflicts = { "sign-up": said.taken, password: said.changedElsewhere, factor: said.factorThere };
  const fields = {
    name: said.name,
    password: what !== "sign-up" ? said.password : /at least/.test(detail) ? said.short : said.easy,
    newPassword: /at least/.test(detail) ? said.short : /another/.test(detail) ? said.same : said.newEasy,
    code: said.code,
  };
  if (code === "rate_limited") return said.tooOften(Math.ceil(retryAfter));
  return { conflict: conflicts[what], invalid_field: fields[field], unauthenticated: what === "log-in" ? said.wrong : said.signInAgain, unavailable: said.busy }[code];
}

async function post(what, body, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  let answer;
  try {
    answer = await fetch(`/accounts/${what}`, { method: "POST", headers, body: JSON.stringify(body ?? {}) });
  } catch {
    throw Object.assign(new Error(words.unreachable), { status: 0 });
  }
  const content = answer.headers.get("Content-Type")?.includes("json") ? await answer.json() : undefined;
  if (!answer.ok) throw new Refused(what, answer.status, content);
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

  /** Who has an account, by how their names begin: [{id, name}]. */
  async people(letters) {
    return (await post("people", { letters }, this.user.token)).people;
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

const nameField = (value) => textField(words.accounts.name, { name: "name", value, maxlength: 32, autocomplete: "username", autocapitalize: "none", spellcheck: "false", testid: "account-name" });
const passwordField = (autocomplete, props, label = words.accounts.password) => textField(label, { name: "password", type: "password", maxlength: 200, autocomplete, autofocus: false, testid: "account-password", ...props });
const codeField = (label) => textField(label, { name: "code", autocomplete: "one-time-code", autocapitalize: "none", spellcheck: "false", maxlength: 32, testid: "account-code" });
const shown = ({ field }) => el("label", { class: "choice" }, el("input", { type: "checkbox", onchange: ({ target }) => (field.type = target.checked ? "text" : "password"), testid: "show-password" }), words.accounts.showPassword);
// From one form to another.
const instead = (label, open, testid) => button(label, ({ target }) => (target.closest("dialog").close(), open()), { class: "plain", testid });
// Without it, password managers do not know whose password is asked for.
const nameOf = (account) => el("input", { autocomplete: "username", value: account.user.name, hidden: true });
const hint = (text) => el("p.hint.rule", {}, text);

/** Below the form for guests: the two other ways in. */
export function otherWays(account) {
  return el("div", { class: "other-ways" },
    hint(words.accounts.or),
    button(words.accounts.signIn, () => signIn(account), { testid: "open-sign-in" }),
    button(words.accounts.create, () => signUp(account), { testid: "open-sign-up" }));
}

/** Entries of the menu "You". `signOut(end)` leaves the chat after `end()`. */
export function entries(account, signOut) {
  if (!account.user) return [[words.accounts.signIn, () => signIn(account, true), "open-sign-in"], [words.accounts.create, () => signUp(account, true), "open-sign-up"]];
  return [
    [words.password.change, () => changePassword(account), "change-password"],
    [words.factor.label, () => (account.user.secondFactor ? dropFactor(account) : addFactor(account)), "second-factor"],
    [words.accounts.signOutEverywhere, () => signOutEverywhere(account, signOut), "sign-out-everywhere"],
  ];
}

async function signOutEverywhere(account, signOut) {
  const { signOutEverywhere: label, everywhere, everywhereYes } = words.accounts;
  if (await ask(label, [everywhere], everywhereYes, "everywhere-dialog", "danger")) signOut(() => account.logOut(true));
}

// `isGuest`: they have a name here already, and lose what they have under it. `typed`: a name, in the other form.
async function signUp(account, isGuest, typed) {
  const name = nameField(typed);
  const password = passwordField("new-password", { minlength: 10 });
  const fields = [
    isGuest && hint(words.accounts.guestEnds),
    name.row, hint(words.accounts.nameRule),
    password.row, hint(words.accounts.passwordRule), shown(password),
    instead(words.accounts.haveOne, () => signIn(account, isGuest, name.field.value), "sign-in-instead"),
  ];
  const create = () => account.signUp(name.field.value.trim(), password.field.value).then(() => true);
  if (await openForm(words.accounts.create, fields, words.accounts.createYes, create, "sign-up-dialog")) location.reload();
}

/** Ask for the name and the password, and load the page anew. `isGuest`, `typed`: see signUp. */
export async function signIn(account, isGuest, typed) {
  const name = nameField(typed);
  const password = passwordField("current-password");
  const logIn = (code) => account.logIn(name.field.value.trim(), password.field.value, code).then(() => "in");
  const wantsCode = (error) => {
    if (error.problem !== "second_factor") throw error;
    return "code";
  };
  const fields = [
    isGuest && hint(words.accounts.guestEnds),
    name.row, password.row, shown(password),
    instead(words.accounts.haveNone, () => signUp(account, isGuest, name.field.value), "sign-up-instead"), hint(words.accounts.lost),
  ];
  const came = await openForm(words.accounts.signIn, fields, words.accounts.signIn, () => logIn().catch(wantsCode), "sign-in-dialog");
  if (came === "in" || (came === "code" && (await secondStep(logIn)))) location.reload();
}

function secondStep(logIn) {
  const { field, row } = codeField(words.accounts.code);
  const fields = [row, hint(words.accounts.recovery)];
  return openForm(words.accounts.oneMoreStep, fields, words.accounts.signIn, () => logIn(field.value), "code-dialog");
}

async function changePassword(account) {
  const old = passwordField("current-password", { autofocus: true }, words.password.now);
  const fresh = textField(words.password.new, { name: "newPassword", type: "password", maxlength: 200, minlength: 10, autocomplete: "new-password", autofocus: false, testid: "new-password" });
  const change = () => account.ask("password", { password: old.field.value, newPassword: fresh.field.value }).then(() => true);
  const fields = [nameOf(account), old.row, fresh.row, hint(words.accounts.passwordRule), hint(words.password.elsewhere)];
  if (!(await openForm(words.password.change, fields, words.password.yes, change, "password-dialog"))) return;
  await openDialog(words.password.changed, (close) => [
    el("h2", {}, words.password.changed),
    el("p", {}, words.password.changedWhat),
    el("div", { class: "actions" }, button(words.password.close, () => close(), { class: "primary", autofocus: true, testid: "password-changed" })),
  ]);
}

async function addFactor(account) {
  const password = passwordField("current-password", { autofocus: true });
  const about = hint(words.factor.why);
  const propose = () => account.ask("factor", { password: password.field.value });
  const proposed = await openForm(words.factor.add, [about, nameOf(account), password.row], words.factor.continue, propose, "factor-dialog");
  const confirmed = proposed && (await confirmFactor(account, proposed));
  if (!confirmed) return;
  account.user.secondFactor = true;
  await showRecovery(confirmed.recoveryCodes);
}

function confirmFactor(account, { secret, address, picture }) {
  const { field, row } = codeField(words.factor.shown);
  const key = secret.replace(/.{4}(?=.)/g, "$& ");
  const scan = el("img", { class: "scan", src: picture, alt: words.factor.picture, testid: "scan" });
  const { openApp, open, elsewhere } = words.factor;
  // Nobody can scan the phone in their hand.
  const ways = touch.matches
    ? [el("a", { class: "button primary open-app", href: address }, open), el("details", {}, el("summary", {}, elsewhere), scan)]
    : [el("p", {}, words.factor.scan(el("a", { href: address }, openApp))), scan];
  const fields = [
    ...ways,
    hint(words.factor.key),
    el("p", { class: "secret", testid: "secret" }, key), row,
  ];
  return openForm(words.factor.addApp, fields, words.factor.turnOn, () => account.ask("factor/confirm", { code: field.value }), "confirm-dialog");
}

function showRecovery(codes) {
  return openDialog(words.factor.codes, (close) => [
    el("h2", {}, words.factor.codes),
    el("p", {}, words.factor.codesWhat),
    el("ul", { class: "recovery", testid: "recovery" }, codes.map((code) => el("li", {}, code))),
    el("div", { class: "actions" },
      button(words.factor.copy, ({ target }) => navigator.clipboard.writeText(codes.join("\n")).then(() => fill(target, words.factor.copied), () => fill(target, words.factor.notCopied)), { testid: "copy-codes" }),
      button(words.factor.kept, () => close(), { class: "primary", testid: "kept-codes" })),
  ], { testid: "recovery-dialog", closedby: "none", oncancel: (event) => event.preventDefault() }); // they are not shown again
}

async function dropFactor(account) {
  const password = passwordField("current-password", { autofocus: true });
  const code = codeField(words.factor.dropCode);
  const drop = () => account.ask("factor/drop", { password: password.field.value, code: code.field.value }).then(() => true);
  const about = hint(words.factor.dropWhy);
  if (await openForm(words.factor.drop, [about, nameOf(account), password.row, code.row], words.factor.turnOff, drop, "drop-dialog")) account.user.secondFactor = false;
}
