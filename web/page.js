() => {
  // A picture pasted anywhere on the page is as good as one dropped on the field.
  document.addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
    const field = document.querySelector("#file input[type=file]");
    if (!file || !field) return;
    const bag = new DataTransfer();
    bag.items.add(file);
    field.files = bag.files;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
  // Run is disabled while it runs, and Stop before and after: whoever was there goes to the other.
  window.dipFocus = (name, times = 40) => {
    const button = document.getElementById(name), now = document.activeElement;
    if (now && now !== document.body && now.id !== "run" && now.id !== "stop") return;
    if (button && !button.disabled) button.focus({ preventScroll: true });
    else if (times) setTimeout(() => window.dipFocus(name, times - 1), 50);
  };
}
