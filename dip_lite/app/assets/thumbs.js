// Examples, or long runs: `props.value` is the name of the one chosen. In a group with `data-toggle`
// a button that is pressed again chooses none.
const root = (window.gradio_config?.root ?? location.origin).replace(/\/$/, "");
const buttons = [...element.querySelectorAll("button")];
const mark = (name) => buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.name === name));
for (const button of buttons) {
  const picture = button.querySelector("img");
  picture.src = `${root}/dip/${picture.dataset.source}`;
  button.addEventListener("click", () => {
    const isPressed = button.getAttribute("aria-pressed") === "true", isToggle = "toggle" in button.parentElement.dataset;
    if (isToggle && matchMedia("(max-width: 860px)").matches) document.getElementById("viewer")?.scrollIntoView(); // far above
    props.value = isPressed && isToggle ? "" : button.dataset.name;
    mark(props.value);
    trigger("select", { name: props.value });
  });
}
watch("value", () => mark(props.value));
