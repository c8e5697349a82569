// The mask painter: strokes over a picture. `props.picture` is the data URI of the picture,
// `props.value` that of the drawing, a PNG with white strokes on black.

const part = (name) => element.querySelector(".brush-" + name);
const canvas = part("canvas"), pen = canvas.getContext("2d"), picture = part("picture");
let strokes = [], current = null, cursor = null;

function start() {
  strokes = [];
  current = null;
  if (props.value) props.value = "";
  picture.onload = () => {
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
    cursor = [canvas.width / 2, canvas.height / 2];
    redraw();
    canvas.dataset.ready = "yes";
  };
  delete canvas.dataset.ready;
  if (props.picture) picture.src = props.picture;
}

function draw(target, color) {
  target.strokeStyle = color;
  target.lineCap = target.lineJoin = "round";
  for (const { width, points } of current ? [...strokes, current] : strokes) {
    target.lineWidth = width;
    target.beginPath();
    target.moveTo(points[0][0] + 0.01, points[0][1]); // so that a single point leaves a dot
    for (const point of points) target.lineTo(...point);
    target.stroke();
  }
}

function redraw() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  draw(pen, "#e0245e");
}

function submit() { // gives the drawing to the next run
  const mask = document.createElement("canvas");
  mask.width = canvas.width;
  mask.height = canvas.height;
  const ink = mask.getContext("2d");
  ink.fillStyle = "#000";
  ink.fillRect(0, 0, mask.width, mask.height);
  draw(ink, "#fff");
  props.value = strokes.length ? mask.toDataURL("image/png") : "";
  part("status").textContent = strokes.length
    ? `${strokes.length} stroke${strokes.length > 1 ? "s" : ""} painted.` : "Paint over the area to fill in.";
}

const position = (event) => {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
};
// the brush size is in pixels of the screen, whatever the picture's size
const width = () => (+part("size").value * canvas.width) / Math.max(canvas.getBoundingClientRect().width, 1);

canvas.addEventListener("pointerdown", (event) => {
  if (!canvas.width) return;
  canvas.setPointerCapture(event.pointerId);
  current = { width: width(), points: [position(event)] };
  redraw();
});
canvas.addEventListener("pointermove", (event) => {
  if (!current) return;
  current.points.push(position(event));
  redraw();
});
const endStroke = () => {
  if (!current) return;
  strokes.push(current);
  current = null;
  redraw();
  submit();
};
canvas.addEventListener("pointerup", endStroke);
canvas.addEventListener("pointercancel", endStroke);

function showCursor(on) {
  const box = canvas.getBoundingClientRect(), mark = part("cursor");
  mark.hidden = !on;
  if (!on || !cursor) return;
  const size = +part("size").value;
  mark.style.width = mark.style.height = `${size}px`;
  mark.style.left = `${(cursor[0] / canvas.width) * box.width - size / 2}px`;
  mark.style.top = `${(cursor[1] / canvas.height) * box.height - size / 2}px`;
}
canvas.addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const move = moves[event.key], step = width() * 0.6;
  if (move && cursor) {
    cursor = [Math.min(canvas.width, Math.max(0, cursor[0] + move[0] * step)), Math.min(canvas.height, Math.max(0, cursor[1] + move[1] * step))];
  } else if ((event.key === " " || event.key === "Enter") && cursor) {
    current = { width: width(), points: [[...cursor]] };
    endStroke();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    strokes = [];
    redraw();
    submit();
  } else return;
  event.preventDefault();
  showCursor(true);
});
canvas.addEventListener("focus", () => showCursor(canvas.matches(":focus-visible")));
canvas.addEventListener("blur", () => showCursor(false));
part("undo").addEventListener("click", () => { strokes.pop(); redraw(); submit(); });
part("clear").addEventListener("click", () => { strokes = []; redraw(); submit(); });

watch("picture", start);
start();
