// Several pictures at once: chosen by clicks, ranges with Shift, or the key x.
import {$, button, copyText, element, plural, setStatus} from "./dom.js";
import {post} from "./api.js";
import {mark} from "./marks.js";
import {options} from "./query.js";
import {tiles} from "./grid.js";
import {view} from "./views.js";

const chosen = new Map();  // matches by key
let isChoosing = false, last = null;  // the match from which a range goes

// Take a click on a picture; false if it is to be opened.
export function takeClick(n, event) {
  if (!isChoosing && !event.ctrlKey && !event.metaKey) return false;
  const start = event.shiftKey ? view.matches.indexOf(last) : -1;
  if (start < 0) toggle(n); else choose(view.matches.slice(Math.min(n, start), Math.max(n, start) + 1));
  last = view.matches[n];
  return true;
}

export function toggle(n) {
  if (!view.matches[n]) return;  // of a search that is not answered yet
  last = view.matches[n];
  if (chosen.delete(last.key)) setChoosing(true); else choose([last]);
}

function choose(matches) {
  for (const match of matches) chosen.set(match.key, match);
  setChoosing(true);
}

function setChoosing(isOn) {
  isChoosing = isOn;
  if (!isOn) chosen.clear();
  showSelection();
}

// Draw what is chosen, also in a grid that is drawn anew.
export function showSelection() {
  document.body.classList.toggle("choosing", isChoosing);
  $("choose").ariaPressed = isChoosing;
  tiles().forEach((tile, n) => {
    if (isChoosing) tile.ariaPressed = chosen.has(view.matches[n]?.key); else tile.removeAttribute("aria-pressed");
  });
  $("bar").hidden = !chosen.size;
  $("count").textContent = `${plural(chosen.size, "image")} selected`;
}

const all = () => [...chosen.values()];

// In a tab of its own, which goes away unless there is an error to show.
function download() {
  const form = element("form", {method: "post", action: "download", target: "_blank", hidden: true},
    element("input", {name: "ids", value: all().map(({key}) => key).join(",")}));
  document.body.append(form);
  form.submit();
  form.remove();
}

// Mark pictures, and report how many or the error in the status.
async function markAll(textOf, matches, kind, name) {
  try {
    setStatus(textOf(await mark(matches, kind, name)));
  } catch (error) { setStatus(error.message); }
}

// The marks of what is chosen, by the words for each.
function marksOfChosen() {
  const found = new Map();
  for (const {marks} of all().filter(({marks}) => marks)) {
    if (marks.favourite) found.set("favourite", ["favourite"]);
    if (marks.rating) found.set("rating", ["rating"]);
    for (const kind of ["tag", "album"]) for (const name of marks[`${kind}s`]) found.set(`${kind} ${name}`, [kind, name]);
  }
  return found;
}

// Draw the dialog in which all that is chosen is rated, and marks are removed.
function drawMarks() {
  $("removable").replaceChildren(...[...marksOfChosen()].map(([words, [kind, name]]) => button(`Remove ${words}`, () => change(kind, name, true))));
}

async function change(kind, name, remove = false) {
  try {
    const count = await mark(all(), kind, name, remove);
    $("changed").textContent = `${plural(count, "image")}: ${remove ? "no " : ""}${kind}${name === undefined ? "" : ` ${name}`}`;
  } catch (error) { $("changed").textContent = error.message; }
  drawMarks();
  if (!$("changing").contains(document.activeElement)) $("stars").firstChild.focus();
}

// Ask for the name of a tag or an album.
function askName(kind, text) {
  $("name-label").textContent = text;
  $("names").replaceChildren(...options(kind).map(value => element("option", {value})));
  $("new-name").value = "";
  $("ask-name").returnValue = "";
  $("ask-name").onclose = () => {
    const name = $("new-name").value.trim();
    if ($("ask-name").returnValue === "add" && name) markAll(count => `${plural(count, "image")}: ${kind} ${name}`, all(), kind, name);
  };
  $("ask-name").showModal();
}

async function classify() {
  const labels = [...new Set($("words").value.split("\n").map(word => word.trim()).filter(Boolean))];
  $("classes-error").textContent = "";
  try {
    const matches = all();
    const {predictions} = await post("classify", {ids: matches.map(({key}) => key), labels, template: "a photo of a {}"});
    $("classified").replaceChildren(...labels.map(label => {
      const those = matches.filter((_, n) => predictions[n][0].label === label);
      return element("li", {}, `${label}: ${plural(those.length, "image")} `, ...those.length ? [
        button("Select these", () => {
          chosen.clear();
          choose(those);
          $("classes").close();
        }),
        button("Tag these", () => markAll(count => `${plural(count, "image")}: tag ${label}`, those, "tag", label)),
      ] : []);
    }));
  } catch (error) { $("classes-error").textContent = error.message; }
}

$("choose").onclick = () => setChoosing(!isChoosing);
$("clear-selection").onclick = () => { setChoosing(false); $("choose").focus(); };
$("download-selected").onclick = download;
$("copy-paths").onclick = () => copyText(all().map(({path}) => path).join("\n"), $("copy-paths"));
$("add-favourite").onclick = () => markAll(count => plural(count, "favourite"), all(), "favourite");
$("add-tag").onclick = () => askName("tag", "Tag for the selected images");
$("add-album").onclick = () => askName("album", "Album for the selected images");
$("choose-all").onclick = () => choose(view.matches);
$("stars").replaceChildren(...["1", "2", "3", "4", "5"].map(stars => button(`${stars} ★`, () => change("rating", stars))));
$("change-marks").onclick = () => { $("changed").textContent = ""; drawMarks(); $("changing").showModal(); };
$("open-classes").onclick = () => { $("classified").replaceChildren(); $("classes").showModal(); };
$("classify").onclick = classify;
for (const close of document.querySelectorAll("[data-close]")) close.onclick = () => close.closest("dialog").close();
