// Marks of pictures: favourites, ratings, tags and albums.
import {$} from "./dom.js";
import {post, request} from "./api.js";
import {folderNames} from "./folders.js";
import {options, setOptions} from "./query.js";
import {setMarks} from "./views.js";

const NOTHING = {favourite: false, rating: 0, tags: [], albums: []};
const marksOf = match => match.marks ?? NOTHING;

// Set a mark of pictures, or remove it; return of how many, which leaves out what the index has no longer.
export async function mark(matches, kind, name, remove = false) {
  const {marks} = await post("marks", {ids: matches.map(({key}) => key), kind, name, remove});
  setMarks(marks);
  if (kind === "tag" || kind === "album") await loadLibrary();
  return Object.keys(marks).length;
}

// Load the folders, cameras and so on to filter by, and which functions the server has.
export async function loadLibrary() {
  try {
    const library = await request("library"), {folders: folder, cameras: camera, lenses: lens, tags: tag, albums: album} = library;
    document.body.classList.toggle("no-originals", !library.originals);
    document.body.classList.toggle("no-marks", !library.marks);
    document.body.classList.toggle("has-towns", library.towns);
    for (const [name, values] of Object.entries({folder, camera, lens, tag, album})) {
      setOptions(name, values, name === "folder" ? folderNames(values) : values);
    }
  } catch { /* the search shows errors */ }
}

let current = null;

export function showMarks(match) {
  const isSame = match === current;  // where what is being typed stays
  current = match;
  const {favourite, rating, tags, albums} = marksOf(match);
  $("favourite").ariaPressed = favourite;
  for (const [id, value] of Object.entries({rating, tags: tags.join(", "), albums: albums.join(", ")})) {
    if (!isSame || document.activeElement !== $(id)) $(id).value = value;
  }
  $("marks-error").textContent = "";
}

let changes = Promise.resolve();  // one after the other: the last one counts

function change(work) {
  const match = current;
  $("marks-error").textContent = "";
  changes = changes.then(() => work(match)).then(
    () => { if (match === current) showMarks(match); },
    error => { if (match === current) $("marks-error").textContent = error.message; });
}

// The names in a text with commas between them; names that are known may have commas themselves, those of the picture first.
function split(text, known) {
  const pieces = text.split(",").map(piece => piece.trim()), names = new Set();
  while (pieces.length) {
    const name = known.find(name => name.split(",").every((piece, n) => piece.trim() === pieces[n])) ?? pieces[0];
    names.add(name);
    pieces.splice(0, name.split(",").length);
  }
  names.delete("");
  return [...names];
}

async function setNames(match, kind, text) {
  const old = marksOf(match)[`${kind}s`];
  const names = split(text, [old, options(kind)].flatMap(known => [...known].sort((one, other) => other.length - one.length)));
  for (const name of old.filter(name => !names.includes(name))) await mark([match], kind, name, true);
  for (const name of names.filter(name => !old.includes(name))) await mark([match], kind, name);
}

$("favourite").onclick = () => change(match => mark([match], "favourite", undefined, marksOf(match).favourite));
$("rating").onchange = event => {
  const stars = event.target.value;
  change(match => stars === "0" ? mark([match], "rating", undefined, true) : mark([match], "rating", stars));
};
for (const kind of ["tag", "album"]) {
  $(`${kind}s`).onchange = event => {
    const text = event.target.value;
    change(match => setNames(match, kind, text));
  };
}
