// What a person can do: every decision goes through the outbox, is marked as on its way, and counts
// as stored when the server has said so.

import { newKey } from "./api.js";
import { $, el, name, tell, time } from "./dom.js";
import { toast } from "./status.js";

export const SPECIAL = { blank: "blank", human: "human", unknown: "unknown", vehicle: "vehicle" };

/** What was stored, for those who listen to the page. */
function storedWords({ items }) {
  const names = [...new Set(items.map((i) => i.label || i.special))];
  return `${names.slice(0, 3).join(", ")}${names.length > 3 ? " and others" : ""}${items.length > 1 ? ` on ${items.length}` : ""}`;
}

export class Actions {
  constructor(state, outbox, hooks) {
    this.state = state;
    this.outbox = outbox;
    this.hooks = hooks; // picker, author(), similar(id), site(site), reveal(id), burst()
    this.undoable = 0;
    this.redoable = 0;
  }

  /** The name of who decides; asks for it when there is none. */
  author() {
    return this.hooks.author();
  }

  /** One label for everything that is meant. */
  label(choice, ids = this.state.targets(), group = "") {
    this.labels(ids.map((id) => [id, choice]), group);
  }

  /** A label for each: pairs of id and choice. group: that they are all of. */
  labels(pairs, group = "") {
    const author = this.author();
    if (!author || !pairs.length) return;
    const { state } = this;
    const items = pairs.map(([id, choice]) => ({
      id, label: choice.label ?? "", scientific: choice.scientific ?? "", vernacular: choice.vernacular ?? "",
      special: choice.special ?? "", seen: state.seen(id),
    }));
    this.mark(items);
    this.outbox.add({ key: newKey(), author, kind: "label", items, queue: state.queue.queue, group });
    state.clearSelection();
    if (pairs.some(([id]) => id === state.focus)) state.advance();
  }

  /** Show what is on its way, also of an earlier page. */
  mark(items) {
    for (const item of items) this.state.pending.set(item.id, item.label || item.special);
    this.state.tell("cards", items.map((i) => i.id));
  }

  /** Say yes to what the model thinks of each. */
  accept() {
    const pairs = this.state.targets()
      .map((id) => [id, this.state.cards.get(id)?.top[0]])
      .filter(([, best]) => best).map(([id, best]) => [id, { label: best.label }]);
    if (!pairs.length) toast("No model has said anything about this one: press C to name it.");
    this.labels(pairs);
  }

  special(kind) {
    this.label({ special: kind });
  }

  /** The n-th of the likely classes of the card in focus. */
  nth(n) {
    const best = this.state.cards.get(this.state.focus)?.top[n];
    if (best) this.label({ label: best.label });
  }

  async choose(ids = this.state.targets(), first = "", title = "", group = "") {
    if (!ids.length) return;
    const what = ids.length === 1 ? "Class of this one" : `Class of these ${ids.length}`;
    const choice = await this.hooks.picker.ask(title || what, first);
    this.hooks.back();
    if (!choice) return;
    if (!choice.local && !choice.special) this.hooks.newClass(choice.label);
    this.label(choice.special ? { special: choice.special } : choice, ids, group);
  }

  wholeBurst(ids = this.hooks.burst()) {
    if (ids.length) this.choose(ids);
  }

  undo() {
    this.turn("undo");
  }

  redo() {
    this.turn("redo");
  }

  turn(kind) {
    const author = this.author();
    if (author) this.outbox.add({ key: newKey(), author, kind });
  }

  box(id, bbox, add) {
    const author = this.author();
    if (author) this.outbox.add({ key: newKey(), author, kind: "box", id, bbox, add });
  }

  /** The same individual or not; word: "same", "different" or "cannot tell"; seen: number of the
   * word that was shown. */
  match(id, other, word, seen) {
    const author = this.author();
    if (author) this.outbox.add({ key: newKey(), author, kind: "match", id, other, word, seen });
  }

  /** The picture in focus as large as the window. */
  enlarge() {
    this.hooks.enlarge();
  }

  /** Put the focus back on the cards. */
  back() {
    this.hooks.back();
  }

  similar(id) {
    this.hooks.similar(id);
  }

  site(site) {
    this.hooks.site(site);
  }

  reveal(id) {
    this.hooks.reveal(id);
  }

  /** The server has stored a decision. */
  answered(entry, answer) {
    const { request } = entry;
    const { state } = this;
    const ids = (request.items ?? []).map((i) => i.id);
    ids.forEach((id) => state.pending.delete(id));
    state.take(answer.cards);
    if (ids.length) state.tell("cards", ids);
    this.undoable = answer.undo;
    this.redoable = answer.redo;
    if (request.kind === "label") tell(`Stored: ${storedWords(request)}`);
    if (request.kind === "match") tell(`Stored: ${request.word}`);
    if (request.kind === "undo" || request.kind === "redo") this.turned(request.kind, answer);
    if (request.kind === "box" && answer.made) this.boxed(request, answer);
    this.hooks.stored(answer, request);
  }

  turned(kind, answer) {
    if (answer.nothing) {
      toast(kind === "undo" ? "Nothing of yours is left to undo." : "Nothing to redo.");
      return;
    }
    const { target } = answer;
    const what = target.kind === "label" ? `${target.names.join(", ")} on ${target.count}`
      : { box: "a box", match: "a pair" }[target.kind];
    toast(`${kind === "undo" ? "Undone" : "Done again"}: ${what}`);
    const id = target.detections.find((d) => this.state.ids.includes(d));
    if (id) this.state.setFocus(id, { scroll: true });
  }

  boxed(request, answer) {
    const { state } = this;
    const at = state.ids.indexOf(request.id);
    if (at >= 0) {
      if (request.add) state.ids.splice(at + 1, 0, answer.made);
      else state.ids[at] = answer.made;
      this.hooks.redraw(answer.made);
    }
    toast(request.add ? "Box added; models see it after the next ecotone embed."
      : "Box stored; models see it after the next ecotone embed.");
  }

  /** The server has refused: others were faster, or it cannot be. */
  refused(entry, error) {
    const { request } = entry;
    const ids = (request.items ?? []).map((i) => i.id);
    ids.forEach((id) => this.state.pending.delete(id));
    this.state.tell("cards", ids);
    if (error.body.conflicts?.length) this.conflict(request, error.body.conflicts);
    else {
      this.hooks.refused(request);
      toast(`Not stored: ${error.message}`, "bad");
    }
  }

  /** Show what others have said meanwhile; nothing is overwritten without a word. */
  async conflict(request, conflicts) {
    const theirs = new Map(conflicts.map((c) => [c.detection, c]));
    const dialog = $("conflict");
    const pair = request.kind === "match";
    const mine = request.items?.find((i) => theirs.has(i.id));
    const rows = conflicts.slice(0, 6).map((c) => el("li", {},
      name(c.author || "somebody"), " said ", el("b", {}, name(c.label)), ", ", time(c.created)));
    if (conflicts.length > 6) rows.push(el("li", {}, `and ${conflicts.length - 6} more`));
    const answer = (value) => () => dialog.close(value);
    dialog.replaceChildren(
      el("h2", { id: "conflict-title" }, "Somebody else was here"),
      el("p", {}, "You said ", el("b", {}, name(pair ? request.word : mine?.label || mine?.special || "")), "; meanwhile:"),
      el("ul", {}, ...rows),
      el("p", { class: "buttons" },
        el("button", { type: "button", class: "primary", onclick: answer("theirs") }, "Leave theirs"),
        el("button", { type: "button", onclick: answer("mine") }, "Say mine too"),
      ),
      el("p", { class: "hint" }, pair ? "Both stay on record, and the pair comes again at the end."
        : "Both stay on record, and the picture is in “People disagree”."));
    const leave = pair ? this.hooks.look(request) : null;
    dialog.returnValue = "theirs";
    if (!dialog.open) dialog.showModal();
    await new Promise((resolve) => { dialog.addEventListener("close", resolve, { once: true }); });
    const force = dialog.returnValue === "mine";
    if (pair) {
      if (force) this.outbox.add({ ...request, key: newKey(), force });
      this.hooks.refused(request, conflicts, force);
      leave();
      this.hooks.back();
      return;
    }
    const items = request.items.filter((i) => force || !theirs.has(i.id));
    if (items.length) {
      this.mark(items);
      this.outbox.add({ ...request, key: newKey(), items, force });
    }
    this.hooks.refresh(conflicts.map((c) => c.detection));
    this.hooks.back();
  }
}
