// Searches, each with its own entry in the browser's history: going back returns to the place and the rows loaded.
import {$, setStatus} from "./dom.js";
import {request} from "./api.js";
import {address, body, isEmpty, query, readAddress, restore, title} from "./query.js";
import {enter, queryOf, view} from "./views.js";
import {draw, focusTile, tiles} from "./grid.js";
import {showSelection} from "./selection.js";
import {drawChips} from "./chips.js";
import {hideNotice, notices, showError, showNothing, showWelcome, summary} from "./notices.js";
import {isOpen, showPicture, showSteps} from "./detail.js";
import {showTimeline} from "./timeline.js";
import {loadLibrary} from "./marks.js";

const PAGE = 60, MOST_ASKED = 1000;
let running = null;

// `replaces`: in place of the entry of an open picture. `focus`: "results" where what had the focus goes away.
addEventListener("newquery", ({detail: {focus, replaces}}) => {
  leave();
  const url = address(), files = [...view.query.pictures, ...query.pictures].some(({file}) => file);
  const isSame = url === (location.search || location.pathname) && !files;
  enter();
  history[replaces || isSame ? "replaceState" : "pushState"]({key: view.key}, "", url);
  run(focus);
});

function leave() {
  $("again").hidden = true;
  view.scroll = scrollY;
  view.focus = tiles().indexOf(document.activeElement);
}

function ask(n, cursor, shown) {
  return request("search", {method: "POST", body: body(n, view.query, cursor, shown), signal: running.signal});
}

async function run(focus) {
  running?.abort();
  running = new AbortController();
  const {signal} = running, mine = view, before = notices;
  document.title = title();
  drawChips();
  setStatus("Searching …");
  document.body.classList.add("busy");
  if (focus === "results" && !hasFocus()) $("grid").focus({preventScroll: true});
  Object.assign(mine, {answer: null, matches: [], loaded: 0, next: null});
  try {
    const answer = await ask(Math.min(MOST_ASKED, PAGE + (history.state?.place ?? 0)));
    if (signal.aborted) return;
    mine.answer = answer;
    add(mine, answer);
    show(before === notices);
    scrollTo(0, 0);
    if (!showPicture(history.state?.picture)) history.back();
  } catch (error) {
    if (signal.aborted || error.name === "AbortError") return;
    keepFocus(() => draw([]));
    setStatus("");
    showError(error, () => { loadLibrary(); run("results"); });
  } finally {
    if (!signal.aborted) {
      document.body.classList.remove("busy");
      if (focus === "results" && (hasFocus() || document.activeElement === document.body)) focusResults();
      watchEnd();
    }
  }
}

// Draw the view.
function show(changesNotice = true) {
  if (changesNotice) hideNotice();
  showTimeline(view.answer);
  keepFocus(() => drawFrom(0));
  if (!changesNotice) return;
  if (!view.matches.length) showNothing(); else if (view.answer.order === "date" && isPlain()) showWelcome(view.answer);
}

function drawFrom(start) {
  draw(view.matches, start, view.answer.order === "date");
  showSelection();
  setStatus(summary(view));
}

const isPlain = () => isEmpty() && address() === location.pathname;

const hasFocus = () => [$("grid"), $("notice")].some(part => part.contains(document.activeElement));

// The focus does not fall to the body when the tile that has it goes away.
function keepFocus(change) {
  const had = hasFocus();
  change();
  if (had && (document.activeElement === document.body || !document.activeElement)) focusResults();
}

function focusResults() {
  if (!focusTile(0)) ($("notice").hidden ? $("grid") : $("notice")).focus({preventScroll: true});
}

// Add what was found to a view, but of near duplicates, where they are named, only the first; count those.
function add(mine, {matches, next}) {
  const byID = new Map(mine.matches.map(match => [match.id, match]));
  for (const match of matches) {
    const {id, like = id} = match;
    if (like !== id && byID.has(like)) byID.get(like).alike = (byID.get(like).alike ?? 0) + 1;
    else if (!byID.has(id)) byID.set(id, match);
  }
  Object.assign(mine, {matches: [...byID.values()], loaded: mine.loaded + matches.length, next});
}

async function loadMore() {
  const mine = view, {next: cursor, matches: {length: start}} = mine, {signal} = running;
  if (!cursor || document.body.classList.contains("busy")) return;
  document.body.classList.add("busy");
  try {
    add(mine, await ask(2 * PAGE, cursor, mine.matches));
    if (view !== mine) return;
    const wasAsked = document.activeElement === $("again");
    drawFrom(start);
    $("again").hidden = true;
    if (wasAsked) focusTile(Math.min(start, mine.matches.length - 1));
  } catch {
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
  if (isOpen()) showSteps();
}

function goTo({key, picture}) {
  if (key !== view.key) {
    leave();
    running.abort();
    document.body.classList.remove("busy");
    const known = queryOf(key);
    if (known) restore(known); else readAddress();
    enter(key);
    showPicture();
    if (view.answer) {
      document.title = title();
      drawChips();
      show();
      scrollTo(0, view.scroll);
      if (!focusTile(view.focus, {preventScroll: true})) $("text").focus({preventScroll: true});
      running = new AbortController();
      watchEnd();
    } else run();
  }
  showPicture(picture);
}

export function startHistory() {
  history.scrollRestoration = "manual";
  readAddress();
  enter(history.state?.key);
  history.replaceState({...history.state, key: view.key}, "", address());
  addEventListener("popstate", event => goTo(event.state ?? {}));
  $("again").onclick = loadMore;
  addEventListener("nearend", loadMore);
  run();
}
