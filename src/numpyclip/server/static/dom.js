// Elements of the page, and values as people read them.

export const $ = id => document.getElementById(id);

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

// The address of a thumbnail, enlarged.
export const large = thumbnail => thumbnail.replace(/side=\d+/, "side=1600");

export function button(text, onclick, className = "plain") {
  return element("button", {className, type: "button", textContent: text, onclick});
}

// Made once: for each date it would take longer than all else of a tile.
const DAY = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "long", year: "numeric"});
const MONTH = new Intl.DateTimeFormat("en-GB", {month: "long", year: "numeric"});
const SHORT_MONTH = new Intl.DateTimeFormat("en-GB", {month: "short"});

export const number = value => value.toLocaleString("en");
export const percent = p => `${p >= .995 && p < 1 ? ">99" : Math.round(100 * p)} %`;
export const plural = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;

// "2024-05-01T12:30:00" as "1 May 2024"; the year 1 stands for a date that is not known.
export function day(date) {
  if (!date || date.startsWith("0001-")) return "";
  return DAY.format(new Date(`${date.slice(0, 10)}T12:00`));
}

// "2024-05" as "May 2024", and as "May".
export const month = text => MONTH.format(new Date(`${text}-15T12:00`));
export const shortMonth = text => SHORT_MONTH.format(new Date(`${text}-15T12:00`));

// Seconds as "1:02:03" or "2:03".
export function time(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds % 60)];
  return `${hours ? `${hours}:${String(minutes).padStart(2, "0")}` : minutes}:${String(rest).padStart(2, "0")}`;
}

// Where in a picture, or when in a video, a search has found something; "" for the picture as models see it.
export function foundAt({part, seconds, cosine}) {
  if (!part) return "";
  if (seconds !== undefined) return cosine === undefined ? "video" : `at ${time(seconds)}`;
  const [side, number] = part.split("-");
  return {pad: "in the whole image", squash: "in the whole image, squashed", middle: "in the middle part"}[part] ??
    (number ? `in part ${number} from the ${side}` : `in the ${side} part`);
}

export function setStatus(text) { $("status").textContent = text; }

// Where a browser lets no page copy, as over plain HTTP, show the text for its reader to do so.
export async function copyText(text, button) {
  const label = button.dataset.label ??= button.textContent;
  let wasLeft = false;
  button.onblur = () => { wasLeft = true; button.textContent = label; };
  try { await navigator.clipboard.writeText(text); } catch {
    $("copy-text").value = text;
    $("copying").showModal();
    $("copy-text").select();
    return;
  }
  if (!wasLeft) button.textContent = "Copied";
}
