// Several pictures at once: chosen by clicks, ranges with Shift, or the key x.
import {$, button, copyText, element, plural, setStatus} from "./dom.js";
import {request} from "./api.js";
import {mark} from "./marks.js";
import {tiles} from "./grid.js";
import {view} from "./search.js";

const chosen = new Map();  // matches by ID
let isChoosing = false, last = -1;

export const isChosen = id => chosen.has(id);

// Take a click on a picture; false if it is to be opened.
export function takeClick(n, event) {
  if (!isChoosing && !event.ctrlKey && !event.metaKey) return false;
  setChoosing(true);
  if (event.shiftKey && last >= 0) for (let i = Math.min(n, last); i <= Math.max(n, last); i++) set(i, true);
  else toggle(n);
  last = n;
  return true;
}

export function toggle(n) {
  setChoosing(true);
  set(n, !chosen.has(view.matches[n].id));
}

function set(n, isOn) {
  const match = view.matches[n];
  if (!match) return;
  if (isOn) chosen.set(match.id, match); else chosen.delete(match.id);
  show();
}

function setChoosing(isOn) {
  isChoosing = isOn;
  $("choose").ariaPressed = isOn;
  if (!isOn) chosen.clear();
  show();
}

// Draw what is chosen, also in a grid that is drawn anew.
export function show() {
  document.body.classList.toggle("choosing", isChoosing);
  tiles().forEach((tile, n) => {
    if (isChoosing) tile.ariaPressed = chosen.has(view.matches[n]?.id); else tile.removeAttribute("aria-pressed");
  });
  $("bar").hidden = !chosen.size;
  $("count").textContent = `${plural(chosen.size, "picture")} selected`;
}

const all = () => [...chosen.values()];

function download() {
  const form = element("form", {method: "post", action: "download", hidden: true},
    element("input", {name: "ids", value: all().map(({key}) => key).join(",")}));
  document.body.append(form);
  form.submit();
  form.remove();
}

async function say(text, work) {
  try {
    await work();
    setStatus(text);
  } catch (error) { setStatus(error.message); }
}

// Ask for the name of a tag or an album.
function askName(kind, text) {
  $("name-label").textContent = text;
  $("names").replaceChildren(...[...document.querySelector(`[data-filter=${kind}]`).options].slice(1).map(({value}) => element("option", {value})));
  $("new-name").value = "";
  $("ask-name").returnValue = "";
  $("ask-name").onclose = () => {
    const name = $("new-name").value.trim();
    if ($("ask-name").returnValue === "add" && name) say(`${plural(chosen.size, "picture")}: ${kind} ${name}`, () => mark(all(), kind, name));
  };
  $("ask-name").showModal();
}

async function classify() {
  const labels = [...new Set($("words").value.split("\n").map(word => word.trim()).filter(Boolean))];
  $("unsorted").textContent = "";
  try {
    const matches = all();
    const {predictions} = await request("classify", {method: "POST", body: JSON.stringify({ids: matches.map(({key}) => key), labels, template: "a photo of a {}"})});
    $("sorted").replaceChildren(...labels.map(label => {
      const those = matches.filter((_, n) => predictions[n][0].label === label);
      return element("li", {}, `${label}: ${plural(those.length, "picture")} `, ...those.length ? [
        button("Select these", () => {
          chosen.clear();
          for (const match of those) chosen.set(match.id, match);
          show();
          $("classes").close();
        }),
        button("Tag these", () => say(`${plural(those.length, "picture")}: tag ${label}`, () => mark(those, "tag", label))),
      ] : []);
    }));
  } catch (error) { $("unsorted").textContent = error.message; }
}

$("choose").onclick = () => setChoosing(!isChoosing);
$("none").onclick = () => { setChoosing(false); $("choose").focus(); };
$("save").onclick = download;
$("paths").onclick = () => copyText(all().map(({path}) => path).join("\n"), $("paths"));
$("love").onclick = () => say(`${plural(chosen.size, "favourite")}`, () => mark(all(), "favourite"));
$("label").onclick = () => askName("tag", "Tag for the selected pictures");
$("file-under").onclick = () => askName("album", "Album for the selected pictures");
$("sort").onclick = () => { $("sorted").replaceChildren(); $("classes").showModal(); };
$("classify").onclick = classify;
for (const close of document.querySelectorAll("[data-close]")) close.onclick = () => close.closest("dialog").close();
