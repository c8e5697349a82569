() => {
  // A picture can be pasted anywhere on the page.
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((found) => found.type.startsWith("image/"));
    const field = document.querySelector("#file input[type=file]");
    if (!file || !field) return;
    const transfer = new DataTransfer();
    transfer.items.add(file);
    field.files = transfer.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // A button that is disabled loses the focus: Run passes it to Stop, and Stop back to Run.
  window.dipFocus = (name, times = 40) => {
    const button = document.getElementById(name), now = document.activeElement;
    if (now && now !== document.body && now.id !== "run" && now.id !== "stop") return;
    if (button && !button.disabled) button.focus({ preventScroll: true });
    else if (times) setTimeout(() => window.dipFocus(name, times - 1), 50);
  };
}
