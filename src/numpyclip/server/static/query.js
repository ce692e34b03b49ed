// The query: words, pictures (of the index, or files), and filters.
import {$, day, element, month} from "./dom.js";

const MOST_SHOWN = 10_000;  // that a request may name
const LAST_MONTH = "9999-12";  // with which all begins

// Pictures are {id, source, name} or {file, source, name}; browsing begins with the month `from`, such as "2024-05".
export const query = {pictures: [], from: ""};

// Run the query; `search.js` listens, and says what options there are.
// Only a jump to a month has one.
export function startSearch({from = "", ...options} = {}) {
  query.from = from;
  dispatchEvent(new CustomEvent("newquery", {detail: options}));
}

const controls = () => [...$("form").querySelectorAll("[data-filter]")];
const controlOf = name => controls().find(control => control.dataset.filter === name);
export const filters = () => controls().map(control => [control.dataset.filter, control.value]).filter(([, value]) => value);
const words = () => $("text").value.trim();
export const isEmpty = () => !words() && !query.pictures.length;

export function setFilter(name, value) {
  const control = controlOf(name);
  if (value && control.options && ![...control.options].some(option => option.value === value)) {
    control.append(element("option", {value, textContent: value}));
  }
  control.value = value;
}

// The values that a filter offers.
export const options = name => [...controlOf(name).options].slice(1).map(({value}) => value);

export function setOptions(name, values, texts) {
  const control = controlOf(name);
  const chosen = control.value;
  control.replaceChildren(control.options[0], ...values.map((value, n) => element("option", {value, title: value, textContent: texts[n]})));
  setFilter(name, chosen);
}

export function clear() {
  $("text").value = "";
  query.pictures = [];
  query.from = "";
  for (const control of controls()) control.value = "";
}

// The body of a request for a query; `cursor` stands for the words and pictures of the first one, of which `shown` are left.
export function body(n, {text, from, pictures, filters}, cursor, shown = []) {
  const form = new FormData();
  if (cursor) form.append("cursor", cursor);
  else {
    if (text.trim()) form.append("query", text);
    for (const {id, file} of pictures) {
      if (file) form.append("image", file); else form.append("near", id);
    }
  }
  for (const [name, value] of filters) form.append(name, value);
  if (from && from < LAST_MONTH && !text.trim() && !pictures.length) form.append("until", following(from));
  if (form.get("group") && shown.length) form.append("shown", shown.slice(-MOST_SHOWN).map(({id}) => id).join(","));
  form.append("n", n);
  form.append("tags", "1");
  return form;
}

// The month after one: what is older than it begins with the month itself.
function following(month) {
  const [year, number] = month.split("-").map(Number);
  return number === 12 ? `${String(year + 1).padStart(4, "0")}-01` : `${month.slice(0, 4)}-${String(number + 1).padStart(2, "0")}`;
}

// The URL of this search, without files that were dropped.
export function address() {
  const parameters = new URLSearchParams();
  if (words()) parameters.set("q", $("text").value);
  for (const {id} of query.pictures) if (id !== undefined) parameters.append("near", id);
  for (const [name, value] of filters()) parameters.set(name, value);
  if (query.from && isEmpty()) parameters.set("from", query.from);
  return `${parameters}` ? `?${parameters}` : location.pathname;
}

const indexed = id => ({id, source: `thumbnails/${id.replace("@", "?t=")}`, name: `image ${parseInt(id)}`});

export function readAddress() {
  const parameters = new URLSearchParams(location.search);
  restore({
    text: parameters.get("q") || "",
    from: /^\d{4}-(0[1-9]|1[0-2])$/.test(parameters.get("from") || "") ? parameters.get("from") : "",
    pictures: parameters.getAll("near").filter(id => /^\d+(-[0-9a-f]{12})?(@[\d.]+)?$/.test(id)).map(indexed),
    filters: controls().map(({dataset: {filter}}) => [filter, parameters.get(filter) || ""]),
  });
}

export const snapshot = () => ({text: $("text").value, from: query.from, pictures: [...query.pictures], filters: filters()});

export function restore({text, from, pictures, filters}) {
  clear();
  $("text").value = text;
  query.pictures = [...pictures];
  query.from = from;
  for (const [name, value] of filters) setFilter(name, value);
}

// The filters without words, for what tells of all pictures that they select.
export const filterParameters = (chosen = filters()) => new URLSearchParams(chosen.filter(([name]) => name !== "group"));

// A filter as its label and its option tell it; long options have all of it as a title.
function wordsOf({labels, value, type, selectedOptions}) {
  const option = selectedOptions?.[0];
  return `${labels[0].firstChild.data.trim()} ${option ? option.title || option.text : type === "date" ? day(value) : value}`;
}

export function title() {
  const found = [
    words(),
    query.pictures.length ? `like ${query.pictures.map(({name}) => name).join(", ")}` : "",
    query.from && isEmpty() ? `from ${month(query.from)} back` : "",
    ...controls().filter(({value}) => value).map(wordsOf),
  ].filter(Boolean).join(", ");
  return found ? `${found} – NumPyCLIP` : "NumPyCLIP";
}
