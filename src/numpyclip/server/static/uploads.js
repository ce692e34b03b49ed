// Searching with a file: chosen, dropped or pasted.
import {$} from "./dom.js";
import {send} from "./api.js";
import {query, startSearch} from "./query.js";
import {showNotice} from "./notices.js";
import {isOpen, shut} from "./detail.js";

function searchWith(file) {
  if (!file) return;
  const replaces = isOpen();
  if (replaces) shut();
  if (file.type && !file.type.startsWith("image/")) {
    showNotice(`${file.name} cannot be searched with`, "It is not an image file.");
    $("notice").focus();
    return;
  }
  const picture = {file, source: URL.createObjectURL(file), name: file.name || "the image"};
  picture.onbroken = image => drawByServer(picture, image);
  query.pictures = [picture];
  $("text").value = "";
  startSearch({replaces});
}

// A thumbnail of what this browser does not show, such as HEIC.
async function drawByServer(picture, image) {
  picture.onbroken = null;
  const form = new FormData();
  form.append("image", picture.file);
  try {
    const response = await send("thumbnail", {method: "POST", body: form});
    image.src = picture.source = URL.createObjectURL(await response.blob());
  } catch { /* the search says what is wrong with it */ }
}

$("pick").onclick = () => $("file").click();
$("file").onchange = () => { searchWith($("file").files[0]); $("file").value = ""; };

let dragged = 0;
const hasFile = event => [...(event.dataTransfer?.types || [])].includes("Files");
addEventListener("dragenter", event => { if (hasFile(event)) { dragged++; $("drop").hidden = false; event.preventDefault(); } });
addEventListener("dragover", event => { if (hasFile(event)) event.preventDefault(); });
addEventListener("dragleave", event => { if (hasFile(event) && --dragged <= 0) { dragged = 0; $("drop").hidden = true; } });
addEventListener("drop", event => {
  if (!hasFile(event)) return;
  event.preventDefault();
  dragged = 0;
  $("drop").hidden = true;
  searchWith(event.dataTransfer.files[0]);
});
addEventListener("paste", event => {
  const file = [...(event.clipboardData?.files || [])].find(file => file.type.startsWith("image/"));
  if (file) { event.preventDefault(); searchWith(file); }
});
