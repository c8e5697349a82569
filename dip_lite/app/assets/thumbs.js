// The examples: `props.value` is the name of the one chosen.
const root = (window.gradio_config?.root ?? location.origin).replace(/\/$/, "");
const buttons = [...element.querySelectorAll("button")];
const mark = (name) => buttons.forEach((button) => button.setAttribute("aria-pressed", button.dataset.name === name));
for (const button of buttons) {
  button.querySelector("img").src = `${root}/dip/example/thumb-${button.dataset.name}`;
  button.addEventListener("click", () => {
    props.value = button.dataset.name;
    mark(button.dataset.name);
    trigger("select", { name: button.dataset.name });
  });
}
watch("value", () => mark(props.value));
