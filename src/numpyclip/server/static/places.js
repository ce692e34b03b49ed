// Where pictures were taken: cells of a degree on a plain grid of latitudes and longitudes, of which one is chosen.
import {$, button, element, plural} from "./dom.js";
import {request} from "./api.js";
import {filterParameters, setFilter} from "./query.js";
import {startSearch} from "./search.js";

export function searchAround(latitude, longitude, kilometres) {
  setFilter("around", `${latitude.toFixed(4)}, ${longitude.toFixed(4)}, ${kilometres}`);
}

function choose(name, value) {
  setFilter(name === "within" ? "around" : "within", "");
  setFilter(name, value);
  $("places").close();
  startSearch({focus: "results"});
}

const within = ({south, west, north, east}) => choose("within", [south, west, north, east].join(", "));

function cell(place) {
  const {latitude, longitude, pictures} = place;
  const made = element("button", {type: "button", className: "cell", title: `${latitude.toFixed(2)}, ${longitude.toFixed(2)}`,
    ariaLabel: `${plural(pictures, "picture")} at ${latitude.toFixed(1)}, ${longitude.toFixed(1)}`,
    onclick: () => within(place)}, `${pictures}`);
  made.style.left = `${(longitude + 180) / 3.6}%`;
  made.style.top = `${(90 - latitude) / 1.8}%`;
  return made;
}

function list(places, onclick) {
  $("towns").replaceChildren(...places.map(place => element("li", {}, button(`${place.name}: ${plural(place.pictures, "picture")}`, () => onclick(place)))));
}

function parameters(more) {
  const all = filterParameters();
  all.delete("within");
  all.delete("around");
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  return all;
}

$("map").onclick = async () => {
  $("world").replaceChildren();
  list([]);
  $("find-town").hidden = true;
  $("places").showModal();
  try {
    const {places} = await request(`places?${parameters({})}`);
    $("world").replaceChildren(...places.map(cell));
    $("places-status").textContent = places.length ? "How many pictures were taken where, north above." : "No picture says where it was taken.";
    if (places.length) await showNames();
  } catch (error) { $("places-status").textContent = error.message; }
};

// Names of towns, if the server has them: they take longer than the places.
async function showNames() {
  const {places} = await request(`places?${parameters({names: 1})}`);
  list(places.filter(({name}) => name), within);
  $("find-town").hidden = !("name" in places[0]);
}

$("find-town").onsubmit = async event => {
  event.preventDefault();
  try {
    const {towns} = await request(`towns?${parameters({name: $("town").value})}`);
    list(towns, ({around}) => choose("around", around.join(", ")));
    $("places-status").textContent = plural(towns.length, "town");
  } catch (error) { $("places-status").textContent = error.message; }
};
