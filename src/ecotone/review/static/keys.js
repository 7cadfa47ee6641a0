// The keyboard: one letter a decision, off while somebody types.

import { $, el } from "./dom.js";

export const KEYS = [
  ["Decide", [
    ["Enter or A", "accept what the model thinks"], ["1 … 5", "one of the likely classes"],
    ["C or /", "name the class by a few letters"], ["B", "blank"], ["H", "human"],
    ["U", "unknown: I cannot tell"], ["Z, Ctrl + Z", "undo"], ["Y, Ctrl + Y", "redo"]]],
  ["Go", [
    ["N, →", "next"], ["P, ←", "back"], ["↑ ↓", "a row up or down"], ["Home, End", "first, last shown"],
    ["M", "more like this"]]],
  ["Many at once", [
    ["Space or X", "select"], ["Shift + arrows", "select on the way"], ["Shift + click", "select up to there"],
    ["Ctrl + A", "select all shown"], ["Esc", "select nothing"], ["E", "the whole burst"],
    ["G", "the whole group, where there are groups"]]],
  ["Look", [
    ["L", "enlarge"], ["W", "whole picture"], ["S", "show people sharp"], ["F", "fix the box"],
    ["D", "draw another box"], ["+ − 0", "closer, farther, whole"], ["?", "this list"]]],
  ["Two individuals", [
    ["S", "the same"], ["D", "different"], ["U", "cannot tell"], ["W", "whole pictures"], ["V", "show people sharp"]]],
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
  const group = ([title, keys]) => el("section", {}, el("h3", {}, title), el("dl", {}, ...keys.map(([key, what]) => el("div", {},
    el("dt", {}, ...key.split(/(, | or | … )/).map((k, i) => (i % 2 ? k : el("kbd", {}, k)))), el("dd", {}, what)))));
  dialog.replaceChildren(
    el("div", { class: "viewer-head" }, el("h2", { id: "help-title" }, "Keys"),
      el("button", { type: "button", class: "primary", onclick: () => dialog.close() }, "Close")),
    el("div", { class: "groups" }, ...KEYS.map(group)),
    el("p", { class: "hint" }, "A decision is about the selection, else about the card in focus. Keys rest while you type."));
  dialog.showModal();
}
