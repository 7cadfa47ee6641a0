// The keyboard: one letter a decision, off while somebody types.

import { $, el } from "./dom.js";

export const KEYS = [
  ["Enter or A", "accept what the model thinks"],
  ["1 … 5", "one of the likely classes"],
  ["C or /", "name the class by a few letters"],
  ["B", "blank"], ["H", "human"], ["U", "unknown: I cannot tell"],
  ["N, →", "next"], ["P, ←", "back"], ["↑ ↓", "a row up or down"],
  ["Space or X", "select"], ["Shift + arrows", "select on the way"], ["Ctrl + A", "select all shown"],
  ["Esc", "select nothing"],
  ["E", "the whole burst"], ["G", "the whole group, where there are groups"],
  ["Z, Ctrl + Z", "undo"], ["Y, Ctrl + Y", "redo"],
  ["W", "whole picture"], ["S", "show people sharp"], ["F", "fix the box"],
  ["M", "more like this"], ["?", "this list"],
  ["S, D", "same or different, where two individuals stand side by side"],
];

const typing = (node) => node.closest?.("input, textarea, select, [contenteditable], dialog, .edit");

/** Listen; `now()` maps names of keys to what they do at the moment. */
export function listen(now) {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || typing(event.target)) return;
    const onButton = event.target.closest("button, a, summary");
    const control = event.ctrlKey || event.metaKey;
    if (event.altKey) return;
    let key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (onButton && (key === "Enter" || key === " ")) return;
    if (control) key = `Ctrl+${event.shiftKey ? "Shift+" : ""}${key}`;
    else if (event.shiftKey && key.startsWith("Arrow")) key = `Shift+${key}`;
    const does = now();
    if (!does[key]) return;
    if (event.repeat && !key.includes("Arrow") && !"np".includes(key)) return;
    event.preventDefault();
    does[key](event);
  });
}

/** The list of keys. */
export function showHelp() {
  const dialog = $("help");
  dialog.replaceChildren(
    el("h2", { id: "help-title" }, "Keys"),
    el("dl", {}, ...KEYS.flatMap(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])),
    el("p", { class: "buttons" }, el("button", { type: "button", class: "primary",
      onclick: () => dialog.close() }, "Close")));
  dialog.showModal();
}
