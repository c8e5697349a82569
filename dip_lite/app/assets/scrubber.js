// The demo as a host of the scrubber. `props.value` is what `DemoRun.state_dict` returns.

const root = (window.gradio_config?.root ?? location.origin).replace(/\/$/, "");
const version = (run, name) => (run.version ? `${name.includes("?") ? "&" : "?"}v=${run.version}` : ""); // browsers cache the examples
const address = (run, name) => `${root}/dip/${run.id}/${name}${version(run, name)}`;

async function frames(run, from, say) { // tries again after a delay that doubles each time
  const size = run.frames.slice(from).reduce((sum, row) => sum + row[5] + row[6], 0);
  for (let left = 7; run.id === props.value.id; left--) {
    const reply = await fetch(address(run, `frames?from=${from}&to=${run.frames.length}`)).catch(() => null);
    const bytes = await reply?.arrayBuffer().catch(() => null);
    if (reply?.ok && bytes?.byteLength === size) return bytes;
    say(`The frames could not be loaded. Check your connection.${left ? " Trying again …" : ""}`, left === 7 || !left);
    if (!left) break;
    await new Promise((done) => setTimeout(done, Math.min(8000, 250 * 2 ** (8 - left))));
  }
}

const result = (run) => (run.numbers.fused ? address(run, "result.png") : ""); // not what the network made: no frame
function status(run) { // a sentence, and how much of the run is done
  const n = run.numbers, join = (...texts) => texts.filter(Boolean).join(" · ");
  if (run.caption) return [run.caption];
  if (run.state === "ready") return [run.note || "Press Run to start."];
  if (run.state === "preparing") return [join(run.notice, "Preparing the network …")];
  const next = (run.position ?? 1) <= 1 ? "You are next" : `You are number ${run.position} in the queue`;
  if (run.state === "waiting") return [run.notice ? `${next}. ${run.notice}` : `${next}. Longest wait: ${Math.ceil(run.wait)} s.`];
  if (run.state === "running") {
    const elapsed = run.elapsed ?? n.seconds; // by the clock
    const share = Math.max(elapsed / run.time_limit, run.steps ? n.step / run.steps : 0);
    const left = share > 0.02 ? Math.max(0, elapsed / share - elapsed) : run.time_limit;
    const quality = n.psnr != null ? `${n.psnr.toFixed(1)} dB` : n.loss != null ? `loss ${n.loss.toPrecision(3)}` : "";
    return [join(`Step ${n.step} · ${Math.round(elapsed)} s elapsed, at most ${Math.ceil(left)} s left`, quality, run.notice), share];
  }
  const quality = n.psnr != null ? `: ${n.psnr.toFixed(2)} dB${n.ssim != null ? `, SSIM ${n.ssim.toFixed(3)}` : ""}` : "";
  const reasons = { steady: "stopped automatically", seconds: "time limit reached", steps: "all steps done" };
  const reason = reasons[run.stop_reason.split(":")[0]] ?? run.stop_reason; // `Snapshot.stop_reason`, for visitors
  return [join(`Result: step ${n.best_step} of ${n.step}${n.fused ? ", fused with a classical method" : ""}${quality}`, reason, run.note, run.notice)];
}

import(`${root}/dip/example/${props.module}`).then(({ mount }) => {
  const { update } = mount(element, { address, frames, status, result });
  const show = () => {
    update(props.value);
    for (const link of element.querySelectorAll(".dip-file[data-file]")) link.hidden = Boolean(props.value.caption), link.href = address(props.value, link.dataset.file);
  };
  watch("value", show), show();
}, () => { element.textContent = "The viewer could not be loaded: reload the page."; });
