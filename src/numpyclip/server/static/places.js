// Where pictures were taken: cells on a plain grid of latitudes and longitudes, of which one is chosen.
import {$, button, element, plural} from "./dom.js";
import {request} from "./api.js";
import {filterParameters, setFilter, startSearch} from "./query.js";

const SIDE = 26;  // pixels of a cell and what is beside it

function choose(name, value) {
  setFilter(name === "within" ? "around" : "within", "");
  setFilter(name, value);
  $("places").close();
  startSearch({focus: "results"});
}

const within = ({south, west, north, east}) => choose("within", [south, west, north, east].join(", "));

// Join places that are in one square of the map: their cells would cover each other.
function squares(places) {
  const step = 180 / Math.floor($("world").clientWidth / 2 / SIDE), found = new Map();
  for (const place of places) {
    const x = Math.floor((place.west + 180) / step), y = Math.floor((place.south + 90) / step);
    const square = found.get(`${x} ${y}`) ?? {...place, pictures: 0, x: (x + .5) * step, y: (y + .5) * step};
    square.pictures += place.pictures;
    for (const side of ["south", "west"]) square[side] = Math.min(square[side], place[side]);
    for (const side of ["north", "east"]) square[side] = Math.max(square[side], place[side]);
    found.set(`${x} ${y}`, square);
  }
  return [...found.values()];
}

function cell(square) {
  const {latitude, longitude, pictures, x, y} = square;
  const count = pictures.toLocaleString("en", {notation: "compact", maximumFractionDigits: 0});
  const where = `${latitude.toFixed(1)}, ${longitude.toFixed(1)}`;
  const made = element("button", {type: "button", className: "cell", title: `${plural(pictures, "image")} at ${where}`,
    ariaLabel: `${count} ${pictures === 1 ? "image" : "images"} at ${where}`, onclick: () => within(square)}, count);
  made.style.left = `${x / 3.6}%`;
  made.style.bottom = `${y / 1.8}%`;
  return made;
}

function list(places, onclick) {
  $("towns").replaceChildren(...places.map(place => element("li", {},
    button(`${place.name}: ${plural(place.pictures, "image")}`, () => onclick(place)))));
}

function parameters(more) {
  const all = filterParameters();
  all.delete("within");
  all.delete("around");
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  return all;
}

let running = null;  // the one request whose answer is shown

function ask(path, more) {
  running?.abort();
  running = new AbortController();
  return request(`${path}?${parameters(more)}`, {signal: running.signal});
}

function showError({name, message}) { if (name !== "AbortError") $("places-status").textContent = message; }

$("map").onclick = async () => {
  $("world").replaceChildren();
  list([]);
  $("find-town").hidden = true;
  $("places-status").textContent = "Loading …";
  $("places").showModal();
  try {
    const {places} = await ask("places", {});
    $("world").replaceChildren(...squares(places).map(cell));
    $("places-status").textContent = places.length
      ? "How many images were taken where, north above."
      : "No image says where it was taken.";
    if (places.length && document.body.classList.contains("has-towns")) await showNames($("places-status").textContent);
  } catch (error) { showError(error); }
};

// Names of towns, if the server has them: they take longer than the places.
async function showNames(text) {
  $("places-status").textContent = `${text} Names are loading …`;
  const {places} = await ask("places", {names: 1});
  list(places.filter(({name}) => name), within);
  $("find-town").hidden = false;
  $("places-status").textContent = text;
}

$("find-town").onsubmit = async event => {
  event.preventDefault();
  try {
    const {towns} = await ask("towns", {name: $("town").value});
    list(towns, ({around}) => choose("around", around.join(", ")));
    $("places-status").textContent = plural(towns.length, "town");
  } catch (error) { showError(error); }
};
