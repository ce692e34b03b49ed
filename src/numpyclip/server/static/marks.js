// What a person says of pictures: favourites, ratings, tags and albums.
import {$} from "./dom.js";
import {request} from "./api.js";
import {setOptions} from "./query.js";

const NOTHING = {favourite: false, rating: 0, tags: [], albums: []};
export const marksOf = match => match.marks ?? NOTHING;

// Say something of pictures, or take it back.
export async function mark(matches, kind, name, remove = false) {
  const ids = matches.map(({key}) => key);
  const body = JSON.stringify({ids, kind, remove, ...(name === undefined ? {} : {name})});
  const {marks} = await request("marks", {method: "POST", body});
  for (const match of matches) match.marks = marks[match.id];
  if (kind === "tag" || kind === "album") await loadLibrary();
}

// Tell which folders, cameras and so on there are.
export async function loadLibrary() {
  try {
    const {folders, cameras, lenses, tags, albums, originals, marks} = await request("library");
    document.body.classList.toggle("no-originals", !originals);
    document.body.classList.toggle("no-marks", !marks);
    for (const [name, values] of Object.entries({folder: folders, camera: cameras, lens: lenses, tag: tags, album: albums})) setOptions(name, values);
  } catch { /* the search shows errors */ }
}

let current = null;

export function showMarks(match) {
  current = match;
  const {favourite, rating, tags, albums} = marksOf(match);
  $("favourite").ariaPressed = favourite;
  $("rating").value = rating;
  $("tags").value = tags.join(", ");
  $("albums").value = albums.join(", ");
  $("unsaid").textContent = "";
}

async function change(work) {
  const match = current;
  $("unsaid").textContent = "";
  try { await work(match); } catch (error) {
    $("unsaid").textContent = error.message;
    return;
  }
  if (match === current) showMarks(match);
}

async function setNames(match, kind, old, text) {
  const names = [...new Set(text.split(",").map(name => name.trim()).filter(Boolean))];
  for (const name of old.filter(name => !names.includes(name))) await mark([match], kind, name, true);
  for (const name of names.filter(name => !old.includes(name))) await mark([match], kind, name);
}

$("favourite").onclick = () => change(match => mark([match], "favourite", undefined, marksOf(match).favourite));
$("rating").onchange = event => {
  const stars = event.target.value;
  change(match => stars === "0" ? mark([match], "rating", undefined, true) : mark([match], "rating", stars));
};
$("tags").onchange = event => change(match => setNames(match, "tag", marksOf(match).tags, event.target.value));
$("albums").onchange = event => change(match => setNames(match, "album", marksOf(match).albums, event.target.value));
