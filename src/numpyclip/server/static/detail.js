// One picture, enlarged, with what is known of it. It has its own entry in the browser's history: going back closes it.
import {$, copyText, day, element, foundAt, large, number, percent} from "./dom.js";
import {request} from "./api.js";
import {query, setFilter, startSearch} from "./query.js";
import {view} from "./views.js";
import {describe, focusTile, tiles} from "./grid.js";
import {showFilm} from "./film.js";
import {showMarks} from "./marks.js";
import {takeClick} from "./selection.js";

const detail = $("detail");
let shown = -1;

export const isOpen = () => detail.open;
const match = () => view.matches[shown];

function open(n) {
  if (!view.matches[n]) return;
  const wasOpen = detail.open;
  fill(n);
  history[wasOpen ? "replaceState" : "pushState"]({key: view.key, picture: match().id, place: n}, "");
}

export const step = by => open(shown + by);

// Show the picture of an entry in the history, or none; false if it was not found.
export function showPicture(id) {
  const n = view.matches.findIndex(match => match.id === id);
  if (n >= 0) fill(n);
  else if (detail.open) {
    shut();
    focusTile(shown);
  }
  return n >= 0 || id === undefined;
}

// Close it, without regard to the history.
export function shut() {
  detail.close();
  showFilm(null);
}

function close() { if (detail.open) history.back(); }

// Offer the pictures beside the one that is shown; there may be more of them to load.
export function showSteps() {
  $("previous").disabled = shown === 0;
  $("next").disabled = shown === view.matches.length - 1;
  if (shown > view.matches.length - 20) dispatchEvent(new Event("nearend"));
}

function fill(n) {
  shown = n;
  const {name, thumbnail, original} = match();
  $("name").textContent = name;
  $("large").hidden = showFilm(match()) || !thumbnail;
  $("large").src = thumbnail ? large(thumbnail) : "data:,";
  $("large").alt = describe(match());
  for (const [id, address] of [["original", original], ["download", `${original}?download=1`]]) {
    $(id).hidden = !original;
    if (original) $(id).href = address;
  }
  $("known").replaceChildren(...Object.entries(facts(match())).filter(([, value]) => value).flatMap(
    ([key, value]) => [element("dt", {textContent: key}), element("dd", {textContent: value})]));
  $("around").hidden = match().latitude === undefined;
  nameTown(match());
  showMarks(match());
  showSteps();
  if (!detail.open) detail.showModal();
  else if (document.activeElement?.disabled || document.activeElement === document.body) $("shut").focus();
}

// A line is kept for the name of a town, which may take seconds.
async function nameTown({latitude, longitude}) {
  const line = [...$("known").querySelectorAll("dt")].find(({textContent}) => textContent === "Town")?.nextSibling;
  if (!line) return;
  const [place] = await request(`places?names=1&around=${latitude},${longitude},0.05`).then(({places}) => places, () => []);
  line.textContent = place ? place.name ?? "none near" : "unknown";
}

function facts(match) {
  return {
    Found: match.cosine === undefined ? "" : foundAt(match),
    Shows: match.tag,
    Match: match.probability === undefined ? "" : `${percent(match.probability)} probable`,
    Similarity: match.cosine === undefined ? "" : match.cosine.toFixed(3),
    Date: day(match.date) && `${day(match.date)}, ${match.date.slice(11)}`,
    Size: match.width ? `${number(match.width)} × ${number(match.height)} pixels` : "",
    Place: match.latitude === undefined ? "" : `${match.latitude.toFixed(5)}, ${match.longitude.toFixed(5)}`,
    Town: match.latitude !== undefined && document.body.classList.contains("has-towns") ? "…" : "",
    Camera: match.camera,
    Lens: match.lens,
    File: match.path,
    "Near duplicates": match.alike ? `${match.alike} left out` : "",
    Copies: (match.copies || []).join("\n"),
  };
}

// Of a video its moment is meant.
function asTerm({key, part, seconds, thumbnail, name}) {
  return {id: seconds === undefined ? key : `${key}@${part}`, source: thumbnail || "data:,", name};
}

function searchWith(pictures, text) {
  query.pictures = pictures;
  $("text").value = text;
  shut();
  focusTile(shown, {preventScroll: true});  // where going back returns to
  startSearch({focus: "results", replaces: true});
}

$("grid").onclick = event => {
  const n = tiles().indexOf(event.target.closest(".tile"));
  if (n >= 0 && !takeClick(n, event)) open(n);
};
$("shut").onclick = close;
detail.onclick = event => { if (event.target === detail) close(); };
detail.oncancel = event => { event.preventDefault(); close(); };
// Escape may close it unasked; the event of one that is closed comes late, when it may be open again.
detail.onclose = () => { if (!detail.open && history.state?.picture) history.back(); };
$("previous").onclick = () => step(-1);
$("next").onclick = () => step(1);
$("copy").onclick = () => copyText(match().path, $("copy"));
$("around").onclick = () => {
  const {latitude, longitude} = match();
  setFilter("within", "");
  setFilter("around", `${latitude.toFixed(4)}, ${longitude.toFixed(4)}, 5`);
  searchWith([], "");
};
$("like").onclick = () => searchWith([asTerm(match())], "");
$("add").onclick = () => searchWith([...query.pictures, asTerm(match())], $("text").value);
