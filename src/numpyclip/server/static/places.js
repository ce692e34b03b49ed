// Where pictures were taken: cells of a degree on a plain grid of latitudes and longitudes, of which one is chosen.
import {$, element, plural} from "./dom.js";
import {request} from "./api.js";
import {filterParameters, setFilter} from "./query.js";
import {startSearch} from "./search.js";

export function searchAround(latitude, longitude, kilometres) {
  setFilter("around", `${latitude.toFixed(4)}, ${longitude.toFixed(4)}, ${kilometres}`);
}

function cell(place) {
  const {south, west, north, east, latitude, longitude, pictures} = place;
  const made = element("button", {type: "button", className: "cell", title: `${latitude.toFixed(2)}, ${longitude.toFixed(2)}`,
    ariaLabel: `${plural(pictures, "picture")} at ${latitude.toFixed(1)}, ${longitude.toFixed(1)}`,
    onclick() {
      setFilter("within", [south, west, north, east].join(", "));
      $("places").close();
      startSearch({focus: "results"});
    }}, `${pictures}`);
  made.style.left = `${(longitude + 180) / 3.6}%`;
  made.style.top = `${(90 - latitude) / 1.8}%`;
  return made;
}

$("map").onclick = async () => {
  const parameters = filterParameters();
  parameters.delete("within");
  parameters.delete("around");
  $("world").replaceChildren();
  $("places").showModal();
  try {
    const {places} = await request(`places?${parameters}`);
    $("world").replaceChildren(...places.map(cell));
    $("places-status").textContent = places.length ? "How many pictures were taken where, north above." : "No picture says where it was taken.";
  } catch (error) { $("places-status").textContent = error.message; }
};
