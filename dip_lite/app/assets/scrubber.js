// The scrubber: the page holds all frames of a run, so dragging needs no request. `props.value` is
// what `DemoRun.state_dict` returns: {id, state, frames: [[step, seconds, loss, psnr, psnr of the raw
// output, bytes of the average, bytes of the raw output], …], numbers, preview, …}.

const part = (name) => element.querySelector(".dip-" + name);
const parts = (name) => [...element.querySelectorAll(".dip-" + name)];
const canvas = part("frame"), pen = canvas.getContext("2d"), slider = part("slider");
const WIDTH = 600, HEIGHT = 150, FPS = 12, MAX_DECODED = 24e6; // curve units; pixels

let run = { id: "", frames: [], state: "", numbers: {} };
let order = []; // indices into `run.frames`, by step
let blobs = []; // {avg, raw} for each of `run.frames`, as they arrive
let fetching = false, failures = 0, retryTimer = 0, current = -1, kind = "avg", other = "before", follow = true, playing = 0;
let decoded = new Map(); // "index:kind" → bitmap, the most recently used last

const root = () => (window.gradio_config?.root ?? location.origin).replace(/\/$/, "");
const address = (name) => { // the example's has a version, because browsers cache it
  const version = run.version ? `${name.includes("?") ? "&" : "?"}v=${run.version}` : "";
  return `${root()}/dip/${run.id}/${name}${version}`;
};
const decibels = (value) => (value == null ? "" : `${value.toFixed(1)} dB`);
const setVisible = (node, on) => { if (node.hidden === on) node.hidden = !on; };
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };

// --- frames

async function fetchFrames() {
  if (fetching || retryTimer || blobs.length >= run.frames.length) return;
  fetching = true;
  const { id, frames } = run, from = blobs.length;
  try {
    const reply = await fetch(address(`frames?from=${from}&to=${frames.length}`));
    if (!reply.ok) throw new Error(reply.status);
    const bytes = await reply.arrayBuffer();
    const rows = frames.slice(from);
    if (bytes.byteLength !== rows.reduce((sum, row) => sum + row[5] + row[6], 0)) throw new Error("incomplete");
    if (id === run.id) splitFrames(bytes, rows);
    failures = 0;
  } catch (error) {
    if (id === run.id) return retryLater();
  } finally {
    fetching = false;
  }
  refresh();
  fetchFrames();
}

function retryLater() { // after a delay that doubles each time
  const attempts = 8;
  failures++;
  setText(part("status"), `The frames could not be loaded. Check your connection.${failures < attempts ? " Trying again …" : ""}`);
  if (failures === 1 || failures === attempts) announce(part("status").textContent);
  if (failures < attempts) retryTimer = setTimeout(() => { retryTimer = 0; status(); fetchFrames(); }, Math.min(8000, 250 * 2 ** failures));
}

function splitFrames(bytes, rows) {
  let start = 0;
  for (const row of rows) {
    const [avg, raw] = [row[5], row[6]].map((length) => {
      const piece = new Blob([bytes.slice(start, start + length)], { type: "image/webp" });
      start += length;
      return piece;
    });
    blobs.push({ avg, raw });
  }
}

async function bitmap(frame, which) {
  const key = `${frame}:${which}`;
  let found = decoded.get(key);
  if (!found) {
    const now = decoded, blob = blobs[frame]?.[which];
    if (!blob) return null;
    found = createImageBitmap(blob);
    found.then((picture) => { if (now.get(key) === found) now.set(key, picture); }, () => now.delete(key));
  }
  decoded.delete(key);
  decoded.set(key, found);
  const capacity = Math.max(24, MAX_DECODED / (canvas.width * canvas.height));
  for (const old of decoded.keys()) {
    if (decoded.size <= capacity) break;
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

function paintCurrent() {
  const frame = order[current];
  if (frame === undefined) return;
  const key = `${frame}:${kind}`, ready = decoded.get(key);
  if (ready instanceof ImageBitmap) return showFrame(ready, key);
  const id = run.id;
  bitmap(frame, kind).then((picture) => {
    if (picture && id === run.id && key === `${order[current]}:${kind}`) showFrame(picture, key);
  });
}

function showFrame(picture, key) {
  paint(picture);
  canvas.dataset.shown = `${run.id}:${key}`;
  canvas.dataset.step = run.frames[order[current]][0];
  for (const next of [1, -1, 2, -2, 3, 4]) { // decode what is likely to come next
    const frame = order[current + next];
    if (frame !== undefined) bitmap(frame, kind);
  }
}

// --- moving through the steps

function goTo(index, announced = true) {
  if (!order.length) return;
  current = Math.min(Math.max(index, 0), order.length - 1);
  if (+slider.value !== current) slider.value = current;
  label(announced);
  paintCurrent();
}

let announceTimer = 0, announcedState = "", announcedAt = 0;
function announce(text) { // to screen readers
  announcedAt = performance.now();
  setText(part("announcement"), text.replaceAll("dB", "decibels"));
}

function label(announced) {
  const row = run.frames[order[current]];
  const level = kind === "avg" ? row[3] : row[4];
  const text = [`step ${row[0]}`, decibels(level), `${row[1].toFixed(1)} s`].filter(Boolean).join(" · ");
  setText(part("now"), text);
  setText(part("tag-right"), `Step ${row[0]}`);
  slider.setAttribute("aria-valuetext", text.replace("dB", "decibels"));
  canvas.setAttribute("aria-label", `${kind === "avg" ? "Moving average" : "Raw output"}, ${text}`);
  placeMark(part("mark-now"), row[0]);
  if (!announced) return;
  clearTimeout(announceTimer);
  if (document.activeElement === slider) return; // screen readers read its value text
  announceTimer = setTimeout(() => announce(text), 500);
}

function play() {
  if (playing) return pause();
  if (current >= order.length - 1) goTo(0);
  follow = false;
  setText(part("play"), "❚❚");
  part("play").setAttribute("aria-label", "Pause");
  let last = performance.now();
  const tick = (now) => {
    if (!playing) return;
    if (now - last >= 1000 / FPS) {
      last = now;
      goTo(current + 1, false);
      if (current >= order.length - 1) return pause();
    }
    playing = requestAnimationFrame(tick);
  };
  playing = requestAnimationFrame(tick);
}

function pause() {
  cancelAnimationFrame(playing);
  playing = 0;
  setText(part("play"), "▶");
  part("play").setAttribute("aria-label", "Play");
}

const indexOf = (step) => {
  let best = 0;
  order.forEach((frame, index) => {
    if (Math.abs(run.frames[frame][0] - step) < Math.abs(run.frames[order[best]][0] - step)) best = index;
  });
  return best;
};

function setKind(name) {
  kind = name;
  for (const button of parts("kind")) button.setAttribute("aria-pressed", button.dataset.kind === name);
}

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
  const rows = order.map((frame) => run.frames[frame]);
  const known = rows.some((row) => row[3] != null);
  const value = (row, column) => (known ? row[column] : row[2] > 0 ? -Math.log10(row[2]) : null);
  const all = rows.flatMap((row) => (known ? [row[3], row[4]] : [value(row, 2)])).filter((v) => v != null);
  const low = Math.min(...all), high = Math.max(...all), span = Math.max(high - low, 1e-6);
  const line = (column) => rows.filter((row) => value(row, column) != null)
    .map((row) => `${across(row[0]).toFixed(1)},${(HEIGHT - 8 - ((value(row, column) - low) / span) * (HEIGHT - 16)).toFixed(1)}`)
    .join(" ");
  part("line-avg").setAttribute("points", line(3));
  part("line-raw").setAttribute("points", known ? line(4) : "");
  setText(part("axis-left"), "step 0");
  setText(part("axis-right"), rows.length ? `step ${rows.at(-1)[0]}` : "");
  setText(part("axis-name"), known
    ? `PSNR, ${low.toFixed(0)} to ${high.toFixed(0)} dB${rows.some((row) => row[4] != null) ? " · bold: moving average" : ""}`
    : "Fit to the input (loss, log scale)");
}

function drawMarks() {
  const auto = run.numbers.auto_step ?? null, rows = order.map((frame) => run.frames[frame]);
  const known = rows.filter((row) => row[3] != null);
  const best = known.length > 1 ? known.reduce((a, b) => (b[3] > a[3] ? b : a)) : null;
  const over = run.state === "done";
  const jump = (name, step, text) => {
    setVisible(part(`jump-${name}`), over && step != null);
    if (part(`mark-${name}`)) part(`mark-${name}`).style.display = over && step != null ? "" : "none";
    if (step == null) return;
    if (part(`mark-${name}`)) placeMark(part(`mark-${name}`), step);
    part(`jump-${name}`).dataset.step = step;
    setText(part(`jump-${name}`), text);
  };
  const autoRow = auto == null ? null : rows[indexOf(auto)];
  jump("auto", auto, `Automatic stop: step ${auto}${autoRow?.[3] != null ? ", " + decibels(autoRow[3]) : ""}`);
  jump("best", best?.[0] ?? null, best ? `Best: step ${best[0]}, ${decibels(best[3])}` : "");
  const end = rows.at(-1)?.[0] ?? null;
  jump("last", end === best?.[0] ? null : end, rows.length ? `Last: step ${rows.at(-1)[0]}${rows.at(-1)[3] != null ? ", " + decibels(rows.at(-1)[3]) : ""}` : "");
}

// --- updates from the server

function sort() {
  order = blobs.map((_, frame) => frame).sort((a, b) => run.frames[a][0] - run.frames[b][0]);
  slider.max = Math.max(order.length - 1, 0);
}

function refresh() { // when frames have arrived
  const step = current >= 0 && order.length ? run.frames[order[current]][0] : null;
  sort();
  if (!order.length) return;
  drawCurve();
  drawMarks();
  const over = run.state === "done" && blobs.length >= run.frames.length;
  if (over && follow) { follow = false; goTo(indexOf(run.numbers.auto_step ?? run.numbers.best_step ?? 1e9), false); }
  else if (follow || step === null) { current = order.length - 1; slider.value = current; label(false); if (!run.preview) paintCurrent(); }
  else goTo(indexOf(step), false);
}

async function decode(uri) {
  const bytes = Uint8Array.from(atob(uri.split(",")[1]), (letter) => letter.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], { type: "image/webp" }));
}

let lastPreview = "";
async function showPreview() { // unless the visitor looks at an earlier step
  if (!run.preview || run.preview === lastPreview || !follow) return;
  const preview = lastPreview = run.preview, picture = await decode(preview);
  if (follow && run.state === "running" && run.preview === preview) {
    paint(picture);
    canvas.dataset.shown = "preview";
    setText(part("tag-right"), `Step ${run.numbers.step}`);
  }
}

function status(fresh = false) {
  const n = run.numbers, texts = [];
  if (run.state === "ready") texts.push(run.note || "Press Run to start.");
  if (run.state === "waiting") {
    const position = run.position ?? 1, next = position <= 1 ? "You are next" : `You are number ${position} in the queue`;
    texts.push(`${next}. Longest wait: ${Math.ceil(run.wait)} s.`);
  }
  if (run.state === "preparing") texts.push("Preparing the network …");
  if (run.state === "running") {
    const elapsed = run.elapsed ?? n.seconds; // by the clock
    const share = Math.max(elapsed / run.time_limit, run.steps ? n.step / run.steps : 0);
    const left = share > 0.02 ? Math.max(0, elapsed / share - elapsed) : run.time_limit;
    texts.push(`Step ${n.step} · ${Math.round(elapsed)} s elapsed, at most ${Math.ceil(left)} s left`);
    texts.push(n.psnr != null ? decibels(n.psnr) : n.loss != null ? `loss ${n.loss.toPrecision(3)}` : "");
    part("bar-done").style.width = `${Math.min(100, 100 * share)}%`;
  }
  if (run.state === "done" && run.id !== "example") {
    const quality = n.psnr != null ? `: ${n.psnr.toFixed(2)} dB${n.ssim != null ? `, SSIM ${n.ssim.toFixed(3)}` : ""}` : "";
    const fused = n.fused ? ", fused with a classical denoiser" : "";
    texts.push(`Result: step ${n.best_step} of ${n.step}${fused}${quality}`, describe(run.stop_reason), run.note);
  }
  if (run.id === "example") texts.push("Example: a noisy cat, fitted by an untrained network. Drag the slider: structure comes first, noise last.");
  const text = texts.filter(Boolean).join(" · "), now = `${run.id}:${run.state}`;
  setText(part("status"), text);
  setVisible(part("bar"), run.state === "running");
  const often = run.state === "running" || run.state === "waiting";
  if (announcedState && (fresh || now !== announcedState || (often && performance.now() - announcedAt > 15000))) announce(text);
  announcedState = now;
}

function describe(reason) { // `Snapshot.stop_reason`, for visitors
  if (reason.startsWith("steady")) return "stopped automatically";
  if (reason.startsWith("seconds")) return "time limit reached";
  if (reason.startsWith("steps")) return "all steps done";
  return reason;
}

function newRun() {
  pause();
  clearTimeout(retryTimer);
  retryTimer = failures = 0;
  blobs = [];
  order = [];
  decoded = new Map();
  current = -1;
  follow = true;
  lastPreview = "";
  slider.max = slider.value = 0;
  setText(part("now"), "");
  setText(part("tag-right"), "");
  for (const line of parts("line")) line.setAttribute("points", "");
  part("before").removeAttribute("src");
  part("before").dataset.of = "";
  setDivider(run.id === "example" ? 50 : 0);
  setOther("before");
}

function update() {
  const next = props.value;
  if (!next || !next.state) return;
  const fresh = next.id !== run.id || (next.state === "ready" && next.preview !== run.preview);
  run = { numbers: {}, frames: [], ...next };
  element.querySelector(".dip").dataset.state = run.state;
  if (fresh) newRun();
  if (run.size) {
    const [width, height] = run.size, style = element.querySelector(".dip").style;
    style.setProperty("--shape", `${width} / ${height}`);
    style.setProperty("--wide", width / height);
  }
  setVisible(part("with"), !!run.truth);
  const hasRaw = run.frames.some((row) => row[6] > 0);
  setVisible(part("which"), hasRaw);
  if (!hasRaw && run.frames.length) setKind("avg");
  setVisible(part("files"), run.state === "done");
  for (const file of parts("file")) if (file.dataset.file) {
    setVisible(file, run.id !== "example");
    file.href = address(file.dataset.file);
  }
  if (run.size && run.state !== "ready") loadBefore();
  status(fresh);
  if (run.state === "ready") showReady();
  showPreview();
  fetchFrames();
  if (blobs.length >= run.frames.length && run.state === "done") refresh();
}

async function showReady() { // a picture that no run has used yet
  const { preview } = run, picture = await decode(preview);
  if (run.state !== "ready" || run.preview !== preview) return; // replaced meanwhile
  paint(picture);
  canvas.dataset.shown = "ready";
}

// --- before and after

function loadBefore() {
  const image = part("before"), of = `${run.id}:${other}`;
  if (image.dataset.of === of) return;
  image.dataset.of = of;
  image.src = address(other);
  setText(part("tag-left"), other === "before" ? "Input" : "Clean");
}

function setDivider(value) {
  const compare = part("compare-slider");
  if (+compare.value !== +value) compare.value = value;
  compare.setAttribute("aria-valuetext", `${Math.round(value)} % input`);
  element.querySelector(".dip").style.setProperty("--divider", `${value}%`);
  for (const name of ["before", "divider", "tag-left"]) setVisible(part(name), value > 0);
}

function setOther(name) {
  other = name;
  for (const button of parts("other")) button.setAttribute("aria-pressed", button.dataset.other === name);
  if (run.size && run.state !== "ready") loadBefore();
}

// --- events

slider.addEventListener("input", () => { pause(); follow = false; goTo(+slider.value); });
part("play").addEventListener("click", play);
part("compare-slider").addEventListener("input", (event) => setDivider(event.target.value));
for (const button of parts("jump")) {
  button.addEventListener("click", () => { pause(); follow = false; goTo(indexOf(+button.dataset.step)); });
}
for (const button of parts("kind")) {
  button.addEventListener("click", () => {
    setKind(button.dataset.kind);
    if (order.length) { label(true); paintCurrent(); }
  });
}
for (const button of parts("other")) button.addEventListener("click", () => setOther(button.dataset.other));

const curve = part("curve");
const drag = (event) => {
  if (!order.length || (event.type === "pointermove" && !event.buttons)) return;
  const box = curve.getBoundingClientRect(), last = run.frames[order.at(-1)][0];
  pause();
  follow = false;
  goTo(indexOf(Math.expm1(((event.clientX - box.left) / box.width) * Math.log1p(last))));
};
curve.addEventListener("pointerdown", (event) => { curve.setPointerCapture(event.pointerId); drag(event); });
curve.addEventListener("pointermove", drag);

const view = part("view");
const moveDivider = (event) => {
  if (event.type === "pointermove" && !event.buttons) return;
  const box = canvas.getBoundingClientRect();
  setDivider(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
};
view.addEventListener("pointerdown", (event) => { view.setPointerCapture(event.pointerId); moveDivider(event); });
view.addEventListener("pointermove", moveDivider);

part("save").addEventListener("click", () => canvas.toBlob((blob) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = `step-${canvas.dataset.step ?? 0}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}, "image/png"));

watch("value", update);
update();
