// The scrubber: drag through the frames of a run. One module for three hosts: the demo
// (`app/assets/scrubber.js`), notebooks (the default export) and pages without a server (`still`).
//
// A run is {id, state, size, numbers: {auto_step, best_step, …}, frames: [[step, seconds, loss, psnr,
// psnr of the raw output, bytes of the average, bytes of the raw output], …]}, and may have before,
// truth (is there such a picture?), preview (a data URI) and compare (where the divider begins, in %).
// A host gives frames(run, from, say), the bytes of the frames from there on, and address(run, name)
// of "before" and "truth"; it may give status(run), [text, share of the work done], moved(step), and
// result(run), the address of what the run ends with where that is no frame.

const WIDTH = 600, HEIGHT = 150, FPS = 12, MAX_DECODED = 24e6; // curve units; pixels
const decibels = (value) => (value == null ? "" : `${value.toFixed(1)} dB`);
const setVisible = (node, on) => { if (node.hidden === on) node.hidden = !on; };
const setText = (node, text) => { if (node.textContent !== text) node.textContent = text; };
export const decode = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
const toBlob = (bytes) => new Blob([bytes], { type: "image/webp" });

export function mount(el, host) { // in an element with the markup of `scrubber.html` in it
  const part = (name) => el.querySelector(".dip-" + name), parts = (name) => [...el.querySelectorAll(".dip-" + name)];
  const section = el.querySelector(".dip"), canvas = part("frame"), pen = canvas.getContext("2d"), slider = part("slider");
  let run = { id: "", frames: [], state: "", numbers: {} }, generation = 0; // counts runs
  let order = [], blobs = []; // indices into `run.frames`, by step; {avg, raw} for each, as they arrive
  let decoded = new Map(); // "index:kind" → promise of a bitmap, the most recently used last
  let fetching = false, current = -1, kind = "avg", other = "before", follow = true, playing = 0, ended = false, looked = 0; // ended: the result is shown
  let announceTimer = 0, announcedState = "", announcedAt = 0;
  const rows = () => order.map((frame) => run.frames[frame]), level = (row) => row[kind === "avg" ? 3 : 4];

  async function fetchFrames() { // those that the run has and this page has not
    const asked = generation, missing = run.frames.slice(blobs.length);
    if (fetching || !missing.length) return;
    fetching = true;
    const bytes = await host.frames(run, blobs.length, say).catch(() => null);
    if (asked === generation) fetching = false;
    if (asked !== generation || !bytes) return; // without, the host gave up; the next update tries again
    let start = 0;
    const take = (length) => toBlob(bytes.slice(start, (start += length)));
    for (const row of missing) blobs.push({ avg: take(row[5]), raw: take(row[6]) });
    status(), refresh(), fetchFrames();
  }

  function bitmap(frame) { // a promise; those used last are kept
    const key = `${frame}:${kind}`;
    const found = decoded.get(key) ?? createImageBitmap(blobs[frame][kind]).catch(() => (decoded.delete(key), null));
    decoded.delete(key), decoded.set(key, found);
    const capacity = Math.max(24, Math.round(MAX_DECODED / (canvas.width * canvas.height)));
    for (const old of [...decoded.keys()].slice(0, -capacity)) decoded.delete(old);
    return found;
  }

  function paint(picture, shown) {
    if (canvas.width !== picture.width || canvas.height !== picture.height) [canvas.width, canvas.height] = [picture.width, picture.height];
    canvas.style.imageRendering = picture.width <= 128 ? "pixelated" : "";
    pen.drawImage(picture, 0, 0);
    canvas.dataset.shown = shown;
  }

  async function paintCurrent() {
    const asked = generation, frame = order[current], key = `${frame}:${kind}`;
    if (frame === undefined) return;
    const picture = await bitmap(frame);
    if (!picture || ended || asked !== generation || key !== `${order[current]}:${kind}`) return;
    paint(picture, `${run.id}:${key}`);
    canvas.dataset.step = run.frames[frame][0];
    for (const next of [1, -1, 2, -2, 3, 4]) if (order[current + next] !== undefined) bitmap(order[current + next]); // likely to come
  }

  async function showPreview() { // unless the visitor looks at an earlier step
    const asked = generation, { preview, state } = run, step = run.numbers.step;
    if (!preview || !follow || !["ready", "running"].includes(state)) return;
    const picture = await createImageBitmap(toBlob(decode(preview.split(",")[1])));
    if (asked !== generation || !follow || run.state !== state || run.preview !== preview) return; // replaced meanwhile
    paint(picture, state === "ready" ? "ready" : "preview");
    setText(part("tag-right"), state === "ready" ? "" : `Step ${step}`);
  }

  async function showResult() { // what the run ends with; until somebody looks at a frame
    const asked = ++looked, reply = await fetch(host.result(run)).catch(() => null);
    const picture = reply?.ok ? await reply.blob().then(createImageBitmap).catch(() => null) : null;
    if (asked !== looked) return; // somebody looks at a frame by now
    if (!picture) return say("The result could not be loaded. Check your connection.", true);
    setPlaying(0), (ended = true), paint(picture, (canvas.dataset.step = "result"));
    for (const name of ["now", "tag-right"]) setText(part(name), "Result");
    canvas.setAttribute("aria-label", ["Result", decibels(run.numbers.psnr)].filter(Boolean).join(", "));
  }

  function goTo(index, announced = true) {
    if (!order.length) return;
    (ended = false), looked++;
    current = Math.min(Math.max(index, 0), order.length - 1);
    if (+slider.value !== current) slider.value = current;
    label(announced);
    paintCurrent();
    host.moved?.(run.frames[order[current]][0]);
  }

  const announce = (text) => { (announcedAt = performance.now()), setText(part("announcement"), text.replaceAll("dB", "decibels")); };
  const say = (text, announced) => { setText(part("status"), text); if (announced) announce(text); };

  function label(announced) {
    const row = run.frames[order[current]];
    const text = [`step ${row[0]}`, decibels(level(row)), row[1] == null ? "" : `${row[1].toFixed(1)} s`].filter(Boolean).join(" · ");
    setText(part("now"), text), setText(part("tag-right"), `Step ${row[0]}`);
    slider.setAttribute("aria-valuetext", text.replace("dB", "decibels"));
    canvas.setAttribute("aria-label", `${part("which").hidden ? "Picture" : kind === "avg" ? "Moving average" : "Raw output"}, ${text}`);
    placeMark("now", row[0]), clearTimeout(announceTimer);
    if (!announced || el.getRootNode().activeElement === slider) return; // screen readers read its value text
    announceTimer = setTimeout(() => announce(text), 500);
  }

  function setPlaying(on) {
    clearInterval(playing), (playing = on);
    setText(part("play"), on ? "❚❚" : "▶"), part("play").setAttribute("aria-label", on ? "Pause" : "Play");
  }

  function play() {
    if (playing) return setPlaying(0);
    if (current >= order.length - 1) goTo(0);
    follow = false;
    setPlaying(setInterval(() => { goTo(current + 1, false); if (current >= order.length - 1) setPlaying(0); }, 1000 / FPS));
  }

  const indexOf = (step) => // of the nearest frame
    rows().reduce((near, row, index, all) => (Math.abs(row[0] - step) < Math.abs(all[near][0] - step) ? index : near), 0);

  const jumpTo = (index) => { setPlaying(0); follow = false; goTo(index); }; // because somebody wants to
  const press = (group, name) => { // one button of a group
    parts(group).forEach((button) => button.setAttribute("aria-pressed", button.dataset[group] === name));
    return name;
  };
  const lastStep = () => run.frames[order.at(-1)]?.[0] || 1;
  const across = (step) => ((WIDTH * Math.log1p(step)) / Math.log1p(lastStep())).toFixed(1);
  const placeMark = (name, step) => ["x1", "x2"].forEach((end) => part(`mark-${name}`).setAttribute(end, across(step)));

  function drawCurve() {
    const all = rows(), known = all.some((row) => row[3] != null), hasRaw = all.some((row) => row[4] != null);
    const value = (row, column) => (known ? row[column] : row[2] > 0 ? -Math.log10(row[2]) : null);
    const values = all.flatMap((row) => [value(row, 3), value(row, 4)]).filter((v) => v != null);
    const low = Math.min(...values), span = Math.max(Math.max(...values) - low, 1e-6);
    const down = (v) => (HEIGHT - 8 - ((v - low) / span) * (HEIGHT - 16)).toFixed(1);
    const line = (column) => all.map((row) => [row[0], value(row, column)]).filter(([, v]) => v != null)
      .map(([step, v]) => `${across(step)},${down(v)}`).join(" ");
    part("line-avg").setAttribute("points", line(3));
    part("line-raw").setAttribute("points", known ? line(4) : "");
    setText(part("axis-right"), `step ${lastStep()}, log scale`);
    const gaps = all.filter((row) => value(row, 3) == null).length;
    const name = known ? `PSNR, ${low.toFixed(0)} to ${(low + span).toFixed(0)} dB${hasRaw ? " · bold: moving average" : ""}` : "Closeness to the input (−log₁₀ of the loss)";
    setText(part("axis-name"), gaps && run.state === "done" ? `${values.length ? name : "No curve"} · ${gaps} of ${all.length} values missing` : name);
  }

  function drawMarks() {
    const all = rows(), known = all.filter((row) => level(row) != null), auto = run.numbers.auto_step;
    const best = known.length > 1 ? known.reduce((a, b) => (level(b) > level(a) ? b : a)) : null;
    const places = [["auto", "Automatic stop", auto == null ? null : all[indexOf(auto)]], ["best", "Best", best], ["last", "Last", all.at(-1) === best ? null : all.at(-1)]];
    setVisible(part("jump-result"), run.state === "done" && !!host.result?.(run));
    for (const [name, title, row] of places) {
      const button = part(`jump-${name}`), mark = part(`mark-${name}`), on = run.state === "done" && row != null;
      setVisible(button, on);
      if (mark) (mark.style.display = on ? "" : "none"), on && placeMark(name, row[0]);
      if (on) setText(button, `${title}: ${["step " + (button.dataset.step = row[0]), decibels(level(row))].filter(Boolean).join(", ")}`);
    }
  }

  function refresh() { // when frames have arrived
    const step = current >= 0 && order.length ? run.frames[order[current]][0] : null;
    order = blobs.map((_, frame) => frame).sort((a, b) => run.frames[a][0] - run.frames[b][0]);
    slider.max = Math.max(order.length - 1, 0);
    if (!order.length) return;
    drawCurve();
    drawMarks();
    if (follow && run.state === "done" && blobs.length >= run.frames.length) {
      follow = false;
      goTo(indexOf(run.numbers.auto_step ?? run.numbers.best_step ?? lastStep()), false);
      if (host.result?.(run)) showResult();
    } else if (follow || step === null) {
      slider.value = current = order.length - 1;
      label(false), run.preview || paintCurrent();
    } else if (!ended) goTo(indexOf(step), false);
  }

  function status(fresh = false) {
    const [text, share] = host.status?.(run) ?? ["", null], now = `${run.id}:${run.state}`;
    const late = ["running", "waiting"].includes(run.state) && performance.now() - announcedAt > 15000;
    say(text, announcedState && (fresh || now !== announcedState || late));
    announcedState = now;
    setVisible(part("bar"), share != null);
    part("bar-done").style.width = `${Math.min(100, 100 * (share ?? 0))}%`;
  }

  function newRun() {
    setPlaying(0);
    generation++, looked++;
    [blobs, order, decoded, current, follow, fetching, ended] = [[], [], new Map(), -1, true, false, false];
    (slider.max = slider.value = 0), setText(part("now"), ""), setText(part("tag-right"), "");
    parts("line").forEach((line) => line.setAttribute("points", ""));
    part("before").removeAttribute("src");
    setDivider(run.compare ?? 0), (kind = press("kind", run.kind ?? kind));
    other = press("other", run.before ?? true ? "before" : "truth");
  }

  function update(next) {
    if (!next?.state) return;
    const fresh = next.id !== run.id || (next.state === "ready" && next.preview !== run.preview);
    const newPreview = fresh || next.preview !== run.preview, before = next.before ?? true;
    run = { numbers: {}, frames: [], ...next };
    section.dataset.state = run.state;
    if (fresh) newRun();
    if (run.size) section.style.setProperty("--shape", run.size.join(" / ")), section.style.setProperty("--wide", run.size[0] / run.size[1]);
    setVisible(part("compare"), (section.dataset.compare = !!(before || run.truth)));
    setVisible(part("with"), !!(before && run.truth));
    setVisible(part("which"), run.frames.some((row) => row[6] > 0));
    if (part("which").hidden && run.frames.length) kind = press("kind", "avg");
    setVisible(part("files"), run.state === "done");
    loadOther(), status(fresh);
    if (newPreview) showPreview();
    fetchFrames();
    if (blobs.length >= run.frames.length && run.state === "done") refresh();
  }

  function loadOther() { // the picture to compare with
    if (!run.size || run.state === "ready" || section.dataset.compare === "false") return;
    const image = part("before"), source = host.address(run, other);
    if (image.getAttribute("src") !== source) image.src = source;
    setText(part("tag-left"), other === "before" ? "Input" : "Clean");
  }

  function setDivider(value) {
    const compare = part("compare-slider");
    if (+compare.value !== +value) compare.value = value;
    compare.setAttribute("aria-valuetext", `${Math.round(value)} %`);
    section.style.setProperty("--divider", `${value}%`);
    for (const name of ["before", "divider", "tag-left"]) setVisible(part(name), value > 0);
  }

  const onDrag = (node, move) => { // with mouse, pen or finger; `move` gets how far across, 0 to 1
    const drag = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = node.getBoundingClientRect();
      move(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
    };
    node.addEventListener("pointerdown", (event) => { node.setPointerCapture(event.pointerId); drag(event); });
    node.addEventListener("pointermove", drag);
  };
  onDrag(part("curve"), (share) => { if (order.length) jumpTo(indexOf(Math.expm1(share * Math.log1p(lastStep())))); });
  onDrag(part("view"), (share) => { if (section.dataset.compare === "true") setDivider(100 * share); });
  for (const node of el.querySelectorAll("button, input")) node.dataset.lmSuppressShortcuts = "true"; // JupyterLab's
  slider.addEventListener("input", () => jumpTo(+slider.value));
  part("play").addEventListener("click", play);
  part("compare-slider").addEventListener("input", (event) => setDivider(event.target.value));
  for (const button of parts("jump")) button.addEventListener("click", () => (button.dataset.step === "result" ? showResult() : jumpTo(indexOf(+button.dataset.step))));
  for (const button of parts("other")) button.addEventListener("click", () => { other = press("other", button.dataset.other); loadOther(); });
  for (const button of parts("kind")) button.addEventListener("click", () => {
    (kind = press("kind", button.dataset.kind)), (ended = false), looked++, order.length && (drawMarks(), label(true), paintCurrent());
  });
  part("save").addEventListener("click", () => canvas.toBlob((blob) => {
    const href = URL.createObjectURL(blob), download = `step-${canvas.dataset.step ?? 0}.png`;
    Object.assign(document.createElement("a"), { href, download }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000);
  }, "image/png"));
  return { update, goToStep: (step) => jumpTo(indexOf(step)), stop: () => setPlaying(0) };
}

export function still(el, run, bytes, moved) { // a run of which everything is here: in a page or a notebook
  const view = mount(el, { frames: async () => bytes, address: (run, name) => run[name], moved });
  view.update(run);
  return view;
}

if (window.frameElement?.parentElement?.className === "dip-embed") { // a page in a page, see `page.py`
  const root = document.documentElement, outside = frameElement.ownerDocument.documentElement;
  const follow = () => { root.style.colorScheme = getComputedStyle(frameElement).colorScheme.replace("normal", "light dark"); };
  root.classList.add("dip-embedded"), follow();
  frameElement.nextElementSibling.hidden = true; // the animation for sites that strip scripts
  new MutationObserver(follow).observe(outside, { attributes: true }); // its theme may change
  new ResizeObserver(() => { frameElement.style.height = `${document.body.offsetHeight}px`; }).observe(document.body);
}

export default { // the front end of `widget.py`, see anywidget.dev
  render({ model, el }) {
    let sent = null, timer = 0;
    const send = (step) => { model.set("step", (sent = step)); model.save_changes(); };
    el.innerHTML = model.get("markup");
    const pack = model.get("pack"), bytes = new Uint8Array(pack.buffer, pack.byteOffset, pack.byteLength);
    const wait = (step) => { clearTimeout(timer); timer = setTimeout(send, 300, step); }; // not during a drag: it is slow
    const view = still(el, model.get("run"), bytes, wait);
    const follow = () => { if (model.get("step") !== sent) view.goToStep(model.get("step")); }; model.on("change:step", follow);
    return () => { clearTimeout(timer), model.off("change:step", follow), view.stop(); };
  },
};
