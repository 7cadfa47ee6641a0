// The page of `ecotone review`: puts the parts together and keeps in step with the server.

import { Actions } from "./actions.js";
import { Offline, Outbox, Refused, get, post } from "./api.js";
import { Bar } from "./bar.js";
import { Grid } from "./cards.js";
import { Detail } from "./detail.js";
import { $, count } from "./dom.js";
import { listen, showHelp } from "./keys.js";
import { showLearning } from "./learning.js";
import { Matches } from "./matches.js";
import { Picker } from "./picker.js";
import { State } from "./state.js";
import * as status from "./status.js";
import { Viewer } from "./viewer.js";

const POLL = 2000; // milliseconds between two looks at what others do
const LOADED = 48; // cards that are asked for at once
const NAME = "ecotone.author";
const FILTERS = "ecotone.filters";
const WIDE = 1241; // pixels from which the filters are shown from the start

const state = new State();
let about = null; // the newest /api/state
let loading = false;
let announced = null; // fusions that were told of when the queue took their order
let behind = true; // the server's state changed since it was shown

const outbox = new Outbox({
  onanswer: (entry, answer) => actions.answered(entry, answer),
  onrefused: (entry, error) => actions.refused(entry, error),
  onchange: (waiting, online) => status.showLink(waiting, online, outbox?.locked),
});
const picker = new Picker();
const grid = new Grid(state, { onopen: () => enlarge(), onmore: () => more() });
const actions = new Actions(state, outbox, {
  picker, author, back, enlarge, burst: () => detail.burstIds(),
  similar: (id) => open({ queue: "similar", of: [id] }),
  site: (site) => open({ queue: "all", site }),
  reveal: (id) => grid.reveal(id),
  newClass: (label) => {
    if (about?.fixed_classes.length) {
      status.toast(`“${label}” is not among the classes in ecotone.toml: add it there to have it learned.`, "bad");
    }
  },
  stored: (answer, request) => {
    behind = true;
    bar();
    ending();
    if (matches.active && request.kind !== "label") matches.stored(answer, request);
  },
  redraw: (id) => {
    const most = Math.max(state.shown, state.ids.indexOf(id) + 1);
    grid.begin();
    while (state.shown < most && grid.more());
    state.setFocus(id, { scroll: true });
  },
  look: (request) => (matches.active ? matches.look(request) : () => {}),
  refused: (request, conflicts, force) => matches.refused(request, conflicts, force),
  refresh: async (ids) => state.take((await get("/api/cards", { id: ids.slice(0, 60) })).cards),
});
const detail = new Detail(state, actions);
const viewer = new Viewer({ alt: (card) => detail.alt(card), closed: () => back() });
const matches = new Matches(state, actions, { picture: (card) => grid.sharp.has(card.id) });
const toolbar = new Bar(state, actions, matches, { failed, groups: () => here()?.groups });

const bar = () => toolbar.draw();

/** What the server says of the queue that is shown. */
const here = () => about?.queues.find((q) => q.queue === state.queue.queue);

/** Put the focus where it was before a dialog. */
function back() {
  if (matches.active) matches.zooms[0].stage.focus();
  else grid.focused({ take: true });
}

/** The picture in focus as large as the window. */
function enlarge() {
  const card = state.cards.get(state.focus);
  if (card && !matches.active) viewer.open(card, detail.whole, detail.sharp);
}

function author() {
  const field = $("author");
  if (!field.value.trim()) {
    status.toast("Say your name first (top right): it is kept with every decision.", "bad");
    field.focus();
    return "";
  }
  return field.value.trim();
}

/** Open a queue from its beginning. */
async function open(queue) {
  matches.close();
  if (queue.queue === "matches") {
    state.queue = queue;
    state.ids = [];
    state.clearSelection();
    state.setFocus(null);
    grid.begin();
    await matches.open().catch(failed);
    location.hash = "queue=matches";
    head();
    back();
    return;
  }
  loading = true;
  const cards = $("cards");
  const slow = setTimeout(() => cards.classList.add("loading"), 150);
  cards.setAttribute("aria-busy", "true");
  try {
    const found = await get("/api/queue", { ...queue, n: LOADED });
    state.queue = queue;
    state.clearSelection();
    state.ids = found.ids;
    state.total = found.total;
    state.reasons = found.reasons;
    state.cards = new Map([...state.cards].filter(([id]) => state.pending.has(id)));
    state.labels.clear();
    state.take(found.cards);
    [state.version, state.epoch] = [found.version, found.epoch];
    grid.begin();
    state.setFocus(state.ids[0] ?? null, { take: true });
    cards.scrollTop = 0;
  } catch (error) {
    failed(error);
  } finally {
    loading = false;
    clearTimeout(slow);
    cards.classList.remove("loading");
    cards.removeAttribute("aria-busy");
  }
  const kept = Object.entries(state.queue).filter(([, v]) => v && v.length);
  location.hash = new URLSearchParams(kept).toString();
  head();
}

/** Show more cards: those that are here, else ask for them, else for the rest of the queue. */
async function more() {
  if (grid.more() || loading || !state.ids.length) return;
  loading = true;
  try {
    const wanted = state.ids.slice(state.shown, state.shown + LOADED);
    if (wanted.length) {
      state.take((await get("/api/cards", { id: wanted })).cards);
      state.ids = state.ids.filter((id, i) => i < state.shown || state.cards.has(id) || !wanted.includes(id));
    } else await following();
    grid.more();
  } catch (error) {
    failed(error);
  } finally {
    loading = false;
  }
  ending();
}

/** The part of the queue that follows what is here. */
async function following() {
  const here = new Set(state.ids);
  const open = state.ids.filter((id) => !state.cards.get(id)?.label).length;
  if (open >= state.total && state.ids.length >= state.total) return;
  const found = await get("/api/queue", { ...state.queue, skip: Math.max(open - 5, 0), n: LOADED });
  state.ids.push(...found.ids.filter((id) => !here.has(id)));
  Object.assign(state.reasons, found.reasons);
  state.take(found.cards.filter((c) => !here.has(c.id)));
}

/** After a fusion: what was seen stays in its place, what follows comes in the new order. */
async function reorder() {
  const found = await get("/api/queue", { ...state.queue, n: LOADED });
  const at = Math.max(state.ids.indexOf(state.focus) + 1, Math.min(grid.columns(), state.ids.length));
  const kept = state.ids.slice(0, at);
  const here = new Set(kept);
  const { focus } = state;
  state.ids = [...kept, ...found.ids.filter((id) => !here.has(id))];
  state.total = found.total;
  state.reasons = { ...state.reasons, ...found.reasons };
  state.take(found.cards);
  const again = kept.slice(0, 60);
  if (again.length) state.take((await get("/api/cards", { id: again })).cards);
  [state.version, state.epoch] = [found.version, found.epoch];
  grid.begin();
  while (state.shown < at && grid.more());
  if (focus) state.setFocus(focus, { scroll: true });
  head();
}

function failed(error) {
  if (error instanceof Offline) outbox.setOnline(false);
  else if (error instanceof Refused && error.status === 401) {
    outbox.locked = true;
    outbox.setOnline(false);
  } else if (error instanceof Refused) status.toast(error.message, "bad");
  else throw error;
}

/** Title, counts, buttons. */
function head() {
  const { queue } = state;
  const known = here();
  $("title").textContent = known?.title ?? { similar: "More like this" }[queue.queue] ?? "Pictures";
  if (about) {
    status.showQueues(about.queues, queue.queue, (q) => open({ queue: q }));
    status.showProgress(about);
    showLearning(about, learn);
    $("filter-button").hidden = matches.active;
    $("filters").hidden = matches.active || !filtersOpen();
    if (!matches.active) status.showFilters(about, queue, known?.show ?? "all", (filter) => open({ ...state.queue, ...filter }));
  }
  bar();
  ending();
}

/** Whether the filters are shown: as the person left them, else where there is room. */
function filtersOpen() {
  const kept = localStorage.getItem(FILTERS);
  return kept ? kept === "open" : window.innerWidth >= WIDE;
}

function toggleFilters() {
  localStorage.setItem(FILTERS, filtersOpen() ? "closed" : "open");
  head();
}

/** Whether a filter leaves out a part of the queue. */
const filtered = () => ["group", "name", "site", "start", "end", "show"].some((k) => state.queue[k]);

const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };

function ending() {
  if (matches.active) {
    say($("left"), `${count(matches.left)} left`);
    say($("end"), "");
    $("end").classList.remove("empty");
    $("cards").hidden = false;
    return;
  }
  const open = state.ids.filter((id) => !state.decided(id)).length;
  const decided = state.ids.length - open;
  const all = (state.queue.show || here()?.show) !== "open";
  say($("left"), all ? `${count(state.total)} in this queue` : `${count(Math.max(state.total - decided, 0))} left`);
  const text = !state.ids.length
    ? (filtered() ? "Nothing here fits the filter." : "Nothing is left here. Take another queue at the side.")
    : state.shown < state.total ? "" : open ? "That is all." : "All decided. Take another queue at the side.";
  say($("end"), text);
  $("end").classList.toggle("empty", !state.ids.length);
  $("cards").hidden = !state.ids.length;
}

async function learn() {
  try {
    await post("/api/learn", {});
    status.toast("Learning from your labels; the queue is put in order when it is done.");
    behind = true;
  } catch (error) {
    failed(error);
  }
}

/** What others did, and what the learning does. */
async function poll() {
  try {
    const found = await get("/api/changes", {
      version: state.version, epoch: state.epoch, author: $("author").value.trim(),
      mark: matches.active ? matches.mark : "",
    });
    outbox.locked = false;
    outbox.setOnline(true);
    if (found.version !== state.version) behind = true;
    const was = about ? about.learning.state + about.learning.message : "";
    const moved = found.epoch !== state.epoch && state.epoch >= 0;
    [actions.undoable, actions.redoable] = [found.undo, found.redo];
    if (found.learning.state + found.learning.message !== was) behind = true;
    if (found.machines !== about?.machines) behind = true;
    state.take(found.cards.filter((c) => state.cards.has(c.id)));
    state.version = found.version;
    if (found.matches && matches.active) matches.heard(found.matches);
    const busy = state.selected.size || document.querySelector("dialog[open]") || detail.editing;
    if (moved && matches.active) state.epoch = found.epoch;
    else if (moved && !busy) {
      await reorder();
      behind = true;
    } else if (found.all && !moved && state.ids.length) {
      state.take((await get("/api/cards", { id: state.ids.slice(0, 60) })).cards);
    }
    if (behind) await renew(moved);
    else bar();
  } catch (error) {
    failed(error);
  }
  setTimeout(poll, POLL);
}

async function renew(learned = false) {
  announced ??= about?.history.length ?? 0;
  behind = false;
  about = await get("/api/state");
  if (about.version < state.version) behind = true; // made a moment before: asked again next time
  const last = about.history[about.history.length - 1];
  if (learned && last && about.history.length > announced) {
    announced = about.history.length;
    status.toast(`Learned from ${count(last.labels)} labels: ${(100 * last.accuracy).toFixed(1)} % right. The queue is in a new order.`);
  }
  head();
  if (here()?.left && !state.ids.length && !loading && !matches.active && !filtered()) await open(state.queue);
}

function keyboard() {
  const step = (by) => (event) => {
    const from = state.focus;
    if (event.shiftKey && from) state.toggle(from, true);
    if (!state.move(by(), { take: true, keepAnchor: event.shiftKey }) && by() > 0) more();
    if (event.shiftKey && state.focus !== from) state.toggle(state.focus, true);
  };
  const [next, back] = [step(() => 1), step(() => -1)];
  const [down, up] = [step(() => grid.columns()), step(() => -grid.columns())];
  const select = () => state.focus && state.toggle(state.focus);
  const pairs = {
    s: () => matches.say("same"), d: () => matches.say("different"), u: () => matches.say("cannot tell"),
    w: () => matches.toggleWhole(), v: () => matches.reveal(), n: () => matches.step(1), p: () => matches.step(-1),
    ArrowRight: () => matches.step(1), ArrowLeft: () => matches.step(-1),
  };
  const always = {
    z: () => actions.undo(), y: () => actions.redo(), "Ctrl+z": () => actions.undo(),
    "Ctrl+y": () => actions.redo(), "Ctrl+Shift+z": () => actions.redo(), "?": showHelp,
  };
  const single = {
    Enter: () => actions.accept(), a: () => actions.accept(),
    c: () => actions.choose(), "/": () => actions.choose(),
    b: () => actions.special("blank"), h: () => actions.special("human"), u: () => actions.special("unknown"),
    n: next, p: back, ArrowRight: next, ArrowLeft: back, ArrowDown: down, ArrowUp: up,
    "Shift+ArrowRight": next, "Shift+ArrowLeft": back, "Shift+ArrowDown": down, "Shift+ArrowUp": up,
    " ": select, x: select, Escape: () => state.clearSelection(),
    "Ctrl+a": () => { state.ids.slice(0, state.shown).forEach((id) => state.selected.add(id)); state.tell("selection"); },
    e: () => actions.wholeBurst(), g: () => toolbar.wholeGroup(),
    w: () => detail.toggleWhole(), s: () => detail.reveal(), f: () => detail.startBox(false),
    d: () => detail.startBox(true), l: enlarge, m: () => state.focus && actions.similar(state.focus),
    Home: () => state.move(-state.ids.length, { take: true }),
    End: () => state.move(state.shown - 1 - state.ids.indexOf(state.focus), { take: true }),
    1: () => actions.nth(0), 2: () => actions.nth(1), 3: () => actions.nth(2), 4: () => actions.nth(3), 5: () => actions.nth(4),
  };
  listen(() => ({ ...always, ...(matches.active ? pairs : single) }));
}

async function begin() {
  const field = $("author");
  field.value = localStorage.getItem(NAME) ?? "";
  field.addEventListener("change", () => { localStorage.setItem(NAME, field.value.trim()); bar(); });
  $("help-button").addEventListener("click", showHelp);
  $("filter-button").addEventListener("click", toggleFilters);
  state.on("pair", ending);
  outbox.entries.forEach((e) => e.request.items && actions.mark(e.request.items));
  status.showLink(outbox.entries.length, true, false);
  keyboard();
  const asked = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const queue = asked.queue ? { ...asked, of: asked.of ? asked.of.split(",") : [] } : { queue: "next" };
  const opened = open(queue);
  try {
    about = await get("/api/state");
    grid.blurs = detail.blurs = about.blur;
    const own = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    if (!field.value && own) field.value = about.author;
  } catch (error) {
    failed(error);
  }
  await opened;
  behind = about === null;
  head();
  detail.begin().catch(failed);
  outbox.send();
  setTimeout(poll, 50);
}

begin();
