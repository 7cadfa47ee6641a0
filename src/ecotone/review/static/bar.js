// The buttons of decisions: what they are about, and what else can be done with a queue.

import { get } from "./api.js";
import { $, button, count, el, redraw } from "./dom.js";

const MOST = 5000; // detections of one decision

export class Bar {
  constructor(state, actions, matches, { failed, groups }) {
    Object.assign(this, { state, actions, matches, failed, groups });
    for (const what of ["selection", "focus", "pair"]) state.on(what, () => this.draw());
  }

  draw() {
    const { state, actions, matches } = this;
    const n = state.selected.size;
    const known = Boolean($("author").value);
    const [undo, redo] = [known && actions.undoable, known && actions.redoable].map(Boolean);
    const turning = () => [el("span", { class: "turn" },
      button("Undo", "Z", () => actions.undo(), { disabled: !undo }),
      button("Redo", "Y", () => actions.redo(), { disabled: !redo }))];
    if (matches.active) {
      redraw($("actions"), [undo, redo, matches.at, matches.pairs.length, matches.whole, matches.sharp],
        () => [...matches.buttons(), ...turning()]);
      return;
    }
    const none = { disabled: !state.focus && !n };
    redraw($("actions"), [undo, redo, n, none, this.grouped()], () => [
      button(n ? `Accept ${count(n)}` : "Accept", "⏎", () => actions.accept(), { class: "primary", ...none }),
      button("Class…", "C", () => actions.choose(), none),
      button("Blank", "B", () => actions.special("blank"), none),
      button("Human", "H", () => actions.special("human"), none),
      button("Unknown", "U", () => actions.special("unknown"), none),
      button("Burst…", "E", () => actions.wholeBurst(), none),
      this.grouped() && button("Whole group…", "G", () => this.wholeGroup(), { "data-key": "group" }),
      n > 0 && el("span", { class: "chosen", role: "status" }, `${count(n)} selected`),
      n > 0 && button("Select nothing", "Esc", () => state.clearSelection()),
      ...turning(),
    ]);
  }

  /** The group that is shown, or that the card in focus belongs to. */
  grouped() {
    if (!this.groups()) return "";
    const told = this.state.reasons[this.state.focus]?.match(/^(?:group|place) (\d+)$/);
    return this.state.queue.group || (told ? told[1] : "");
  }

  /** One decision for everything in a group that nobody has decided; it names a proposal as well. */
  async wholeGroup() {
    const group = this.grouped();
    if (!group) return;
    try {
      const found = await get("/api/queue", { queue: this.state.queue.queue, group, n: 0, most: MOST });
      await this.actions.choose(found.ids, "", `Class of all ${count(found.ids.length)} in group ${group}`, group);
    } catch (error) {
      this.failed(error);
    }
  }
}
