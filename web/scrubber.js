// The scrubber: all frames of a run lie in the page, so that dragging asks nobody for anything.
// `props.value` is what `Live.told` says: {id, state, frames: [[step, seconds, loss, psnr, psnr of
// the raw output, bytes of the average, bytes of the raw output], …], numbers, live, …}.

const part = (name) => element.querySelector(".dip-" + name);
const parts = (name) => [...element.querySelectorAll(".dip-" + name)];
const canvas = part("frame"), pen = canvas.getContext("2d"), slider = part("slider");
const WIDTH = 600, HEIGHT = 150, RATE = 12, ROOM = 24e6; // units; frames a second; pixels decoded

let run = { id: "", frames: [], state: "", numbers: {} };
let order = []; // the frames' places in `run.frames`, by step
let blobs = []; // by place: {avg, raw}, as they arrive
let asking = false, failures = 0, again = 0, wanted = -1, kind = "avg", other = "before", follow = true, playing = 0;
let decoded = new Map(); // "place:kind" → bitmap, the most recently used last
let points = { avg: [], raw: [] };

const root = () => (window.gradio_config?.root ?? location.origin).replace(/\/$/, "");
const address = (name) => { // the example's with its version, as browsers remember it
  const version = run.version ? `${name.includes("?") ? "&" : "?"}v=${run.version}` : "";
  return `${root()}/dip/${run.id}/${name}${version}`;
};
const decibels = (value) => (value == null ? "" : `${value.toFixed(1)} dB`);
const show = (node, on) => { if (node.hidden === on) node.hidden = !on; };
const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };

// --- frames

async function fetchFrames() {
  if (asking || again || blobs.length >= run.frames.length) return;
  asking = true;
  const { id, frames } = run, from = blobs.length;
  try {
    const reply = await fetch(address(`frames?from=${from}&to=${frames.length}`));
    if (!reply.ok) throw new Error(reply.status);
    const bytes = await reply.arrayBuffer();
    const rows = frames.slice(from);
    if (bytes.byteLength !== rows.reduce((sum, row) => sum + row[5] + row[6], 0)) throw new Error("cut off");
    if (id === run.id) cutUp(bytes, rows);
    failures = 0;
  } catch (error) {
    if (id === run.id) return later();
  } finally {
    asking = false;
  }
  refresh();
  fetchFrames();
}

function later() { // once more, after a while that doubles
  const most = 8;
  failures++;
  write(part("status"), `The frames did not arrive: is the connection there? ${failures < most ? "Trying again …" : ""}`);
  if (failures === 1 || failures === most) speak(part("status").textContent);
  if (failures < most) again = setTimeout(() => { again = 0; status(); fetchFrames(); }, Math.min(8000, 250 * 2 ** failures));
}

function cutUp(bytes, rows) {
  let at = 0;
  for (const row of rows) {
    const [avg, raw] = [row[5], row[6]].map((length) => {
      const piece = new Blob([bytes.slice(at, at + length)], { type: "image/webp" });
      at += length;
      return piece;
    });
    blobs.push({ avg, raw });
  }
}

async function bitmap(place, which) {
  const key = `${place}:${which}`;
  let found = decoded.get(key);
  if (!found) {
    const now = decoded, blob = blobs[place]?.[which];
    if (!blob) return null;
    found = createImageBitmap(blob);
    found.then((picture) => { if (now.get(key) === found) now.set(key, picture); }, () => now.delete(key));
  }
  decoded.delete(key);
  decoded.set(key, found);
  const most = Math.max(24, ROOM / (canvas.width * canvas.height));
  for (const old of decoded.keys()) {
    if (decoded.size <= most) break;
    decoded.delete(old);
  }
  return found;
}

function paint(picture) {
  if (canvas.width !== picture.width || canvas.height !== picture.height) {
    canvas.width = picture.width;
    canvas.height = picture.height;
  }
  pen.drawImage(picture, 0, 0);
}

function paintWanted() {
  const place = order[wanted];
  if (place === undefined) return;
  const key = `${place}:${kind}`, ready = decoded.get(key);
  if (ready instanceof ImageBitmap) return shown(ready, key);
  const id = run.id;
  bitmap(place, kind).then((picture) => {
    if (picture && id === run.id && key === `${order[wanted]}:${kind}`) shown(picture, key);
  });
}

function shown(picture, key) {
  paint(picture);
  canvas.dataset.shown = `${run.id}:${key}`;
  canvas.dataset.step = run.frames[order[wanted]][0];
  for (const next of [1, -1, 2, -2, 3, 4]) { // those that will be asked for next
    const place = order[wanted + next];
    if (place !== undefined) bitmap(place, kind);
  }
}

// --- moving in time

function go(index, told = true) {
  if (!order.length) return;
  wanted = Math.min(Math.max(index, 0), order.length - 1);
  if (+slider.value !== wanted) slider.value = wanted;
  label(told);
  paintWanted();
}

let speaking = 0, announced = "", spokenAt = 0;
function speak(text) { // to those who hear the page
  spokenAt = performance.now();
  write(part("spoken"), text.replaceAll("dB", "decibels"));
}

function label(told) {
  const row = run.frames[order[wanted]];
  const level = kind === "avg" ? row[3] : row[4];
  const text = [`step ${row[0]}`, decibels(level), `${row[1].toFixed(1)} s`].filter(Boolean).join(" · ");
  write(part("now"), text);
  write(part("tag-right"), `step ${row[0]}`);
  slider.setAttribute("aria-valuetext", text.replace("dB", "decibels"));
  canvas.setAttribute("aria-label", `The ${kind === "avg" ? "moving average" : "raw output"} at ${text}`);
  placeMark(part("mark-now"), row[0]);
  if (!told) return;
  clearTimeout(speaking);
  if (document.activeElement === slider) return; // which says it itself
  speaking = setTimeout(() => speak(text), 500);
}

function play() {
  if (playing) return pause();
  if (wanted >= order.length - 1) go(0);
  follow = false;
  write(part("play"), "❚❚");
  part("play").setAttribute("aria-label", "Pause");
  let last = performance.now();
  const tick = (now) => {
    if (!playing) return;
    if (now - last >= 1000 / RATE) {
      last = now;
      go(wanted + 1, false);
      if (wanted >= order.length - 1) return pause();
    }
    playing = requestAnimationFrame(tick);
  };
  playing = requestAnimationFrame(tick);
}

function pause() {
  cancelAnimationFrame(playing);
  playing = 0;
  write(part("play"), "▶");
  part("play").setAttribute("aria-label", "Play from the first step to the last");
}

const indexOf = (step) => {
  let best = 0;
  order.forEach((place, index) => {
    if (Math.abs(run.frames[place][0] - step) < Math.abs(run.frames[order[best]][0] - step)) best = index;
  });
  return best;
};

// --- the curve

const across = (step) => {
  const last = run.frames[order.at(-1)]?.[0] || 1;
  return (WIDTH * Math.log1p(step)) / Math.log1p(last);
};

function placeMark(mark, step) {
  const x = across(step).toFixed(1);
  mark.setAttribute("x1", x);
  mark.setAttribute("x2", x);
}

function drawCurve() {
  const rows = order.map((place) => run.frames[place]);
  const known = rows.some((row) => row[3] != null);
  const value = (row, column) => (known ? row[column] : row[2] > 0 ? -Math.log10(row[2]) : null);
  const all = rows.flatMap((row) => (known ? [row[3], row[4]] : [value(row, 2)])).filter((v) => v != null);
  const low = Math.min(...all), high = Math.max(...all), span = Math.max(high - low, 1e-6);
  const line = (column) => rows.filter((row) => value(row, column) != null)
    .map((row) => `${across(row[0]).toFixed(1)},${(HEIGHT - 8 - ((value(row, column) - low) / span) * (HEIGHT - 16)).toFixed(1)}`)
    .join(" ");
  part("line-avg").setAttribute("points", line(3));
  part("line-raw").setAttribute("points", known ? line(4) : "");
  write(part("axis-left"), "step 0");
  write(part("axis-right"), rows.length ? `step ${rows.at(-1)[0]}` : "");
  write(part("axis-name"), known
    ? `PSNR to the clean picture, ${low.toFixed(0)} to ${high.toFixed(0)} dB · bold: average`
    : "how near to its target the network is, log scale");
}

function drawMarks() {
  const auto = run.numbers.auto ?? null, rows = order.map((place) => run.frames[place]);
  const known = rows.filter((row) => row[3] != null);
  const best = known.length > 1 ? known.reduce((a, b) => (b[3] > a[3] ? b : a)) : null;
  const over = run.state === "done";
  const jump = (name, step, text) => {
    show(part(`jump-${name}`), over && step != null);
    if (part(`mark-${name}`)) part(`mark-${name}`).style.display = over && step != null ? "" : "none";
    if (step == null) return;
    if (part(`mark-${name}`)) placeMark(part(`mark-${name}`), step);
    part(`jump-${name}`).dataset.step = step;
    write(part(`jump-${name}`), text);
  };
  const autoRow = auto == null ? null : rows[indexOf(auto)];
  jump("auto", auto, `automatic stop: step ${auto}${autoRow?.[3] != null ? ", " + decibels(autoRow[3]) : ""}`);
  jump("best", best?.[0] ?? null, best ? `best: step ${best[0]}, ${decibels(best[3])}` : "");
  const end = rows.at(-1)?.[0] ?? null;
  jump("last", end === best?.[0] ? null : end, rows.length ? `last: step ${rows.at(-1)[0]}${rows.at(-1)[3] != null ? ", " + decibels(rows.at(-1)[3]) : ""}` : "");
}

// --- what the server says

function sort() {
  order = blobs.map((_, place) => place).sort((a, b) => run.frames[a][0] - run.frames[b][0]);
  slider.max = Math.max(order.length - 1, 0);
}

function refresh() { // after frames came
  const step = wanted >= 0 && order.length ? run.frames[order[wanted]][0] : null;
  sort();
  if (!order.length) return;
  drawCurve();
  drawMarks();
  const over = run.state === "done" && blobs.length >= run.frames.length;
  if (over && follow) { follow = false; go(indexOf(run.numbers.auto ?? run.numbers.taken ?? 1e9), false); }
  else if (follow || step === null) { wanted = order.length - 1; slider.value = wanted; label(false); if (!run.live) paintWanted(); }
  else go(indexOf(step), false);
}

let eye = "";
async function look() { // the live picture, if nobody looks back in time
  if (!run.live || run.live === eye || !follow) return;
  const now = eye = run.live;
  const bytes = Uint8Array.from(atob(eye.split(",")[1]), (letter) => letter.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], { type: "image/webp" }));
  if (follow && run.state === "running" && run.live === now) {
    paint(picture);
    canvas.dataset.shown = "live";
    write(part("tag-right"), `step ${run.numbers.step}`);
  }
}

function status(fresh = false) {
  const n = run.numbers, told = [];
  if (run.state === "ready") told.push(run.note || "Ready when you are: press Run.");
  if (run.state === "waiting") {
    const place = run.place ?? 1, next = place <= 1 ? "You are next" : `You are number ${place} in the line`;
    told.push(`${next}; at most ${Math.ceil(run.wait)} s to wait.`);
  }
  if (run.state === "preparing") told.push("Setting the network up …");
  if (run.state === "running") {
    const spent = run.spent ?? n.seconds; // by the clock
    const share = Math.max(spent / run.budget, run.asked ? n.step / run.asked : 0);
    const left = share > 0.02 ? Math.max(0, spent / share - spent) : run.budget;
    told.push(`Learning: step ${n.step}, ${Math.round(spent)} s, at most ${Math.ceil(left)} s to go`);
    told.push(n.psnr != null ? decibels(n.psnr) : n.loss != null ? `loss ${n.loss.toPrecision(3)}` : "");
    part("bar-done").style.width = `${Math.min(100, 100 * share)}%`;
  }
  if (run.state === "done" && run.id !== "example") {
    const quality = n.psnr != null ? `: ${n.psnr.toFixed(2)} dB${n.ssim != null ? `, SSIM ${n.ssim.toFixed(3)}` : ""}` : "";
    told.push(`Took step ${n.taken} of ${n.step}${quality}`, because(run.why), run.note);
  }
  if (run.id === "example") told.push("A noisy cat, and what a network with random weights made of it. Drag the slider: structure comes first, noise last.");
  const text = told.filter(Boolean).join(" · "), now = `${run.id}:${run.state}`;
  write(part("status"), text);
  show(part("bar"), run.state === "running");
  const often = run.state === "running" || run.state === "waiting";
  if (announced && (fresh || now !== announced || (often && performance.now() - spokenAt > 15000))) speak(text);
  announced = now;
}

function because(why) { // as `fit` says it, in words for people
  if (why.startsWith("steady")) return "it stopped by itself, as the output was calmest there";
  if (why.startsWith("seconds")) return "the time was up";
  if (why.startsWith("steps")) return "all steps were made";
  return why;
}

function newRun() {
  pause();
  clearTimeout(again);
  again = failures = 0;
  blobs = [];
  order = [];
  decoded = new Map();
  wanted = -1;
  follow = true;
  eye = "";
  slider.max = slider.value = 0;
  write(part("now"), "");
  write(part("tag-right"), "");
  for (const line of parts("line")) line.setAttribute("points", "");
  part("before").removeAttribute("src");
  part("before").dataset.of = "";
  setCut(run.id === "example" ? 50 : 0);
  setOther("before");
}

function hear() {
  const told = props.value;
  if (!told || !told.state) return;
  const fresh = told.id !== run.id || (told.state === "ready" && told.live !== run.live);
  run = { numbers: {}, frames: [], ...told };
  element.querySelector(".dip").dataset.state = run.state;
  if (fresh) newRun();
  if (run.size) {
    const [width, height] = run.size, style = element.querySelector(".dip").style;
    style.setProperty("--shape", `${width} / ${height}`);
    style.setProperty("--wide", width / height);
  }
  show(part("with"), !!run.truth);
  show(part("files"), run.state === "done");
  for (const file of parts("file")) if (file.dataset.file) {
    show(file, run.id !== "example");
    file.href = address(file.dataset.file);
  }
  if (run.size && run.state !== "ready") loadBefore();
  status(fresh);
  if (run.state === "ready") still();
  look();
  fetchFrames();
  if (blobs.length >= run.frames.length && run.state === "done") refresh();
}

async function still() { // a picture that nothing has been made of yet
  const { live } = run, bytes = Uint8Array.from(atob(live.split(",")[1]), (letter) => letter.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], { type: "image/webp" }));
  if (run.state !== "ready" || run.live !== live) return; // another came meanwhile
  paint(picture);
  canvas.dataset.shown = "ready";
}

// --- before and after

function loadBefore() {
  const image = part("before"), of = `${run.id}:${other}`;
  if (image.dataset.of === of) return;
  image.dataset.of = of;
  image.src = address(other);
  write(part("tag-left"), other === "before" ? "input" : "clean");
}

function setCut(value) {
  const cutter = part("cutter");
  if (+cutter.value !== +value) cutter.value = value;
  cutter.setAttribute("aria-valuetext", `${Math.round(value)} % input`);
  element.querySelector(".dip").style.setProperty("--cut", `${value}%`);
  for (const name of ["before", "cut", "tag-left"]) show(part(name), value > 0);
}

function setOther(name) {
  other = name;
  for (const button of parts("other")) button.setAttribute("aria-pressed", button.dataset.other === name);
  if (run.size && run.state !== "ready") loadBefore();
}

// --- what the visitor does

slider.addEventListener("input", () => { pause(); follow = false; go(+slider.value); });
part("play").addEventListener("click", play);
part("cutter").addEventListener("input", (event) => setCut(event.target.value));
for (const button of parts("jump")) {
  button.addEventListener("click", () => { pause(); follow = false; go(indexOf(+button.dataset.step)); });
}
for (const button of parts("kind")) {
  button.addEventListener("click", () => {
    kind = button.dataset.kind;
    for (const each of parts("kind")) each.setAttribute("aria-pressed", each === button);
    if (order.length) { label(true); paintWanted(); }
  });
}
for (const button of parts("other")) button.addEventListener("click", () => setOther(button.dataset.other));

const curve = part("curve");
const drag = (event) => {
  if (!order.length || (event.type === "pointermove" && !event.buttons)) return;
  const box = curve.getBoundingClientRect(), last = run.frames[order.at(-1)][0];
  pause();
  follow = false;
  go(indexOf(Math.expm1(((event.clientX - box.left) / box.width) * Math.log1p(last))));
};
curve.addEventListener("pointerdown", (event) => { curve.setPointerCapture(event.pointerId); drag(event); });
curve.addEventListener("pointermove", drag);

const view = part("view");
const slide = (event) => {
  if (event.type === "pointermove" && !event.buttons) return;
  const box = canvas.getBoundingClientRect();
  setCut(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
};
view.addEventListener("pointerdown", (event) => { view.setPointerCapture(event.pointerId); slide(event); });
view.addEventListener("pointermove", slide);

part("save").addEventListener("click", () => canvas.toBlob((blob) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `step-${canvas.dataset.step ?? 0}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}, "image/png"));

watch("value", hear);
hear();
