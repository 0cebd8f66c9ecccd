// The page: files, the camera, and the scores. What classifies is in classifier.js.
const find = (selector) => document.querySelector(selector);
const [view, photo, video, list, line] = ["#view", "#photo", "#video", "#scores", "#line"].map(find);
const MOST_LABELS = 5;
const PAUSE = 150; // milliseconds between two frames of the camera

let classifier;
try {
  classifier = await import("./classifier.js");
} catch {
  say("onnxruntime-web is missing: npm install onnxruntime-web in the folder of this page.", true);
  throw new Error("onnxruntime-web is missing");
}
const { NETWORKS, SIZE, RESIZE, load } = classifier;
const loaded = new Map(); // name -> promise of a network
let shown = null; // what was classified last: an image or the video
let turn = 0; // answers of earlier turns are dropped

view.style.setProperty("--seen", `${(100 * SIZE) / RESIZE}%`);
for (const [number, one] of NETWORKS.entries()) {
  const choice = element("label");
  const radio = Object.assign(element("input"), {
    type: "radio", name: "network", value: one.name, checked: number === 0,
  });
  radio.addEventListener("change", () => shown !== video && again());
  choice.append(radio, `${one.precision}, ${(one.bytes / 1e6).toFixed(1)} MB`);
  find("#networks").append(choice);
}
find("#networks").hidden = NETWORKS.length < 2;

find("#file").addEventListener("change", (event) => {
  open(event.target.files[0]);
  event.target.value = "";
});
for (const kind of ["dragenter", "dragover"])
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    view.classList.add("over");
  });
document.addEventListener("dragleave", () => view.classList.remove("over"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  view.classList.remove("over");
  open(event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => open(event.clipboardData.files[0]));
find("#camera").addEventListener("click", () => (video.srcObject ? stop() : start()));
try {
  await classify(null); // loads the first network
  say("Ready.");
  document.body.dataset.ready = "yes";
} catch (error) {
  say(`The network cannot be loaded: ${error.message}`, true);
}

/** Shows and classifies a file. */
async function open(file) {
  if (!file) return;
  stop();
  let image;
  try {
    image = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch {
    return say(`${file.name}: this browser cannot read it as an image.`, true);
  }
  URL.revokeObjectURL(photo.src);
  photo.src = URL.createObjectURL(file);
  shown = image;
  view.dataset.shows = "photo";
  await again(file.name);
}

async function again(name = "The image") {
  if (!shown) return;
  try {
    await classify(shown);
  } catch (error) {
    say(`${name}: ${error.message}`, true);
  }
}

/** Loads the chosen network if need be, and shows the scores of `source`. */
async function classify(source) {
  const name = find("#networks input:checked").value, mine = ++turn;
  if (!loaded.has(name)) {
    say("Loading the network ...");
    loaded.set(name, load(NETWORKS.find((one) => one.name === name)));
  }
  let run;
  try {
    run = await loaded.get(name);
  } catch (error) {
    loaded.delete(name);
    throw error;
  }
  if (!source) return;
  const before = performance.now();
  const labels = await run(source);
  if (mine !== turn) return;
  show(labels);
  say(`${name}: ${(performance.now() - before).toFixed(0)} ms with preprocessing, on one thread.`);
  Object.assign(list.dataset, { network: name, turn: mine });
}

function show(labels) {
  list.replaceChildren(
    ...labels.slice(0, MOST_LABELS).map(({ label, score }) => {
      const [row, title, bar, filled, figure] = ["li", "span", "div", "div", "output"].map(element);
      title.textContent = label;
      figure.textContent = `${(100 * score).toFixed(1)} %`;
      bar.className = "bar";
      filled.style.width = `${100 * score}%`;
      bar.append(filled);
      row.append(title, figure, bar);
      Object.assign(row.dataset, { label, score });
      return row;
    }),
  );
}

function element(tag) {
  return document.createElement(tag);
}

async function start() {
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    await video.play();
  } catch (error) {
    stop();
    return say(`The camera cannot be used: ${error.message}`, true);
  }
  shown = video;
  view.dataset.shows = "video";
  find("#camera").textContent = "Stop the camera";
  while (video.srcObject) {
    await again("The camera");
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

function stop() {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  if (shown === video) shown = null;
  if (view.dataset.shows === "video") delete view.dataset.shows;
  find("#camera").textContent = "Camera";
}

function say(text, wrong = false) {
  line.textContent = text;
  line.classList.toggle("wrong", wrong);
}
