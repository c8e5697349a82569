() => {
  // A picture can be pasted or dropped anywhere on the page, also when there is one already. The
  // field that shows a picture takes no other, so it goes into a hidden one.
  const field = () => document.querySelector("#file input[type=file]") ?? document.querySelector("#next-file input[type=file]");
  const give = (files) => {
    const [file, input] = [files?.[0], field()];
    if (!file || !input) return;
    const transfer = new DataTransfer();
    transfer.items.add(file);
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  };
  document.addEventListener("paste", (event) => give([...(event.clipboardData?.files ?? [])].filter((found) => found.type.startsWith("image/"))));
  document.addEventListener("click", (event) => { if (event.target.closest("#choose")) field()?.click(); });
  const isElsewhere = (event) => event.dataTransfer?.types.includes("Files") && !event.target.closest?.(".file-field:has(input[type=file]), .file-field:not(#file)");
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) document.body.classList.add("dropping");
    if (isElsewhere(event)) event.preventDefault();
  });
  for (const name of ["dragleave", "drop"]) document.addEventListener(name, () => document.body.classList.remove("dropping"), true);
  document.addEventListener("drop", (event) => {
    if (!isElsewhere(event)) return; // a field that is empty takes it itself
    event.preventDefault();
    give(event.dataTransfer.files);
  });
  // A button that is disabled loses the focus: Run passes it to Stop, and Stop back to Run.
  window.dipFocus = (name, times = 40) => {
    const button = document.getElementById(name), now = document.activeElement;
    if (name === "stop" && times === 40 && matchMedia("(max-width: 860px)").matches) document.getElementById("viewer")?.scrollIntoView(); // far above
    if (now && now !== document.body && now.id !== "run" && now.id !== "stop") return;
    if (button && !button.disabled) button.focus({ preventScroll: true });
    else if (times) setTimeout(() => window.dipFocus(name, times - 1), 50);
  };
}
