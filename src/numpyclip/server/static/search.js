// Searches, each with its own entry in the browser's history: going back returns to the place and the rows loaded.
import {$, setStatus} from "./dom.js";
import {request} from "./api.js";
import {address, body, isEmpty, query, readAddress, restore, snapshot, title} from "./query.js";
import {draw, focusTile, tiles} from "./grid.js";
import {drawChips} from "./chips.js";
import {hideNotice, notices, showError, showNothing, showWelcome, summary} from "./notices.js";
import {showPicture} from "./detail.js";
import {showTimeline} from "./timeline.js";

const PAGE = 60, MOST_VIEWS = 30;
const views = new Map();  // by the key of an entry in the history, the oldest first
let running = null;
export let view = null;

function makeView(key = crypto.getRandomValues(new Uint32Array(2)).join("-")) {
  const made = {key, query: snapshot(), matches: [], loaded: 0, next: null, answer: null, scroll: 0, focus: -1};
  views.set(key, made);
  if (views.size > MOST_VIEWS) views.delete(views.keys().next().value);
  return made;
}

// `replaces`: in place of the entry of an open picture. `focus`: "results" where what had the focus goes away.
export function startSearch({focus = null, replaces = false} = {}) {
  leave();
  const url = address(), files = [...view.query.pictures, ...query.pictures].some(({file}) => file);
  const isSame = url === (location.search || location.pathname) && !files;
  view = makeView();
  history[replaces || isSame ? "replaceState" : "pushState"]({key: view.key}, "", url);
  return run(focus);
}

export const searchAgain = () => run("results");

function leave() {
  if (view === null) return;
  view.scroll = scrollY;
  view.focus = tiles().indexOf(document.activeElement);
}

async function run(focus) {
  running?.abort();
  running = new AbortController();
  const {signal} = running, mine = view, before = notices;
  document.title = title();
  drawChips();
  setStatus("Searching …");
  document.body.classList.add("busy");
  if (focus === "results" && !(tiles().includes(document.activeElement) || $("notice").contains(document.activeElement))) $("grid").focus({preventScroll: true});
  try {
    const answer = await request("search", {method: "POST", body: body(PAGE), signal});
    if (signal.aborted) return;
    Object.assign(mine, {answer, matches: withFound([], answer.matches), loaded: answer.matches.length, next: answer.next});
    show(mine, before === notices);
    scrollTo(0, 0);
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    Object.assign(mine, {answer: null, matches: [], next: null});
    keepFocus(() => draw([]));
    showError(error);
  } finally {
    if (!signal.aborted) {
      document.body.classList.remove("busy");
      if (focus === "results") focusResults();
      watchEnd();
    }
  }
}

function show(shown, changesNotice = true) {
  if (changesNotice) hideNotice();
  showTimeline(shown.answer.order === "date");
  keepFocus(() => draw(shown.matches));
  if (!changesNotice) return setStatus(summary(shown));
  if (!shown.matches.length) showNothing(); else if (shown.answer.order === "date" && isPlain()) showWelcome(shown.answer);
  setStatus(summary(shown));
}

const isPlain = () => isEmpty() && address() === location.pathname;

// The focus does not fall to the body when the tile that has it goes away.
function keepFocus(change) {
  const had = $("grid").contains(document.activeElement) || $("notice").contains(document.activeElement);
  change();
  if (had && (document.activeElement === document.body || !document.activeElement)) focusResults();
}

function focusResults() {
  if (!focusTile(0)) ($("notice").hidden ? $("grid") : $("notice")).focus({preventScroll: true});
}

// Add what was found to what is shown, but of near duplicates, where they are named, only the first; count those.
function withFound(shown, found) {
  const byID = new Map(shown.map(match => [match.id, match]));
  for (const match of found) {
    const {id, like = id} = match;
    if (like !== id && byID.has(like)) byID.get(like).alike = (byID.get(like).alike ?? 0) + 1;
    else if (!byID.has(id)) byID.set(id, match);
  }
  return [...byID.values()];
}

async function loadMore() {
  const mine = view, cursor = mine?.next;
  if (!cursor || document.body.classList.contains("busy")) return;
  document.body.classList.add("busy");
  const {signal} = running;
  try {
    const answer = await request("search", {method: "POST", body: body(2 * PAGE, cursor, mine.matches), signal});
    const start = mine.matches.length;
    mine.next = answer.next;
    mine.loaded += answer.matches.length;
    mine.matches = withFound(mine.matches, answer.matches);
    if (view !== mine) return;
    draw(mine.matches, start);
    setStatus(summary(mine));
    $("again").hidden = true;
  } catch (error) {
    if (!signal.aborted) { $("again").hidden = false; return; }
  } finally {
    if (!signal.aborted) document.body.classList.remove("busy");
  }
  watchEnd();
}

const end = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) loadMore(); }, {rootMargin: "1200px"});

function watchEnd() {
  end.unobserve($("more"));
  end.observe($("more"));  // tells at once whether it is near
}

function goTo({key, picture} = {}) {
  if (view === null || key !== view.key) {
    leave();
    running?.abort();
    document.body.classList.remove("busy");
    const known = views.get(key);
    if (known) restore(known.query); else readAddress();
    view = known ?? makeView(key);
    showPicture(null);
    if (view.answer) {
      document.title = title();
      drawChips();
      show(view);
      scrollTo(0, view.scroll);
      if (!focusTile(view.focus, {preventScroll: true})) $("text").focus({preventScroll: true});
      running = new AbortController();
      watchEnd();
    } else run();
  }
  showPicture(picture ?? null);
}

export function startHistory() {
  history.scrollRestoration = "manual";
  readAddress();
  view = makeView();
  history.replaceState({key: view.key}, "", address());
  addEventListener("popstate", event => goTo(event.state ?? {}));
  $("again").onclick = loadMore;
  run();
}
