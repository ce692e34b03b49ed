// A video, from the moment that a search has found.
import {$, button, large, time} from "./dom.js";

const ANIMATED = /\.(gif|a?png|webp|avif)$/i;  // which are images to a browser, and play by themselves
const film = $("film");

film.onerror = () => {  // of no format that this browser plays, or not sent
  film.hidden = $("moments").hidden = true;
  $("large").hidden = $("unplayable").hidden = false;
};

// Show the video of a match, or none; true if there is one.
export function showFilm(match) {
  const isFilm = match !== null && match.seconds !== undefined && match.original !== undefined && !ANIMATED.test(match.path);
  const address = isFilm ? `${match.original}#t=${match.seconds}` : null;
  if (film.getAttribute("src") === address) return !film.hidden;
  film.hidden = $("moments").hidden = !isFilm;
  $("unplayable").hidden = true;
  if (!isFilm) {
    film.pause();
    film.removeAttribute("src");
    film.load();  // which ends what is being received
    return false;
  }
  film.poster = match.thumbnail ? large(match.thumbnail) : "";
  film.src = address;
  film.play().catch(() => {});  // which is told by its controls, or by onerror
  const moments = [match, ...match.moments ?? []].map(({seconds}) => seconds).sort((one, other) => one - other);
  $("moments").replaceChildren(...moments.map(seconds => button(time(seconds), () => {
    film.currentTime = seconds;
    film.play().catch(() => {});
  })));
  return true;
}
