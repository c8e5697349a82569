// The brush: strokes over a picture, handed on as a black PNG in which they are white.
// `props.picture` is a data URI to draw on, `props.value` the drawing, a data URI too.

const part = (name) => element.querySelector(".brush-" + name);
const canvas = part("canvas"), pen = canvas.getContext("2d"), picture = part("picture");
let strokes = [], current = null, tip = null;

function start() {
  strokes = [];
  current = null;
  if (props.value) props.value = "";
  picture.onload = () => {
    canvas.width = picture.naturalWidth;
    canvas.height = picture.naturalHeight;
    tip = [canvas.width / 2, canvas.height / 2];
    redraw();
    canvas.dataset.ready = "yes";
  };
  delete canvas.dataset.ready;
  if (props.picture) picture.src = props.picture;
}

function trace(target, colour) {
  target.strokeStyle = target.fillStyle = colour;
  target.lineCap = target.lineJoin = "round";
  for (const { width, points } of current ? [...strokes, current] : strokes) {
    target.lineWidth = width;
    target.beginPath();
    target.moveTo(...points[0]);
    for (const point of points) target.lineTo(...point);
    target.lineTo(points[0][0] + 0.01, points[0][1]);
    if (points.length > 1) { target.beginPath(); target.moveTo(...points[0]); for (const point of points) target.lineTo(...point); }
    target.stroke();
  }
}

function redraw() {
  pen.clearRect(0, 0, canvas.width, canvas.height);
  trace(pen, "#e0245e");
}

function hand() { // the drawing to the server's next run
  const sheet = document.createElement("canvas");
  sheet.width = canvas.width;
  sheet.height = canvas.height;
  const ink = sheet.getContext("2d");
  ink.fillStyle = "#000";
  ink.fillRect(0, 0, sheet.width, sheet.height);
  trace(ink, "#fff");
  props.value = strokes.length ? sheet.toDataURL("image/png") : "";
  part("told").textContent = strokes.length
    ? `${strokes.length} stroke${strokes.length > 1 ? "s" : ""} drawn.` : "Draw over what is to be filled in.";
}

const at = (event) => {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
};
// the range goes by what is seen, whatever the picture's size
const width = () => (+part("size").value * canvas.width) / Math.max(canvas.getBoundingClientRect().width, 1);

canvas.addEventListener("pointerdown", (event) => {
  if (!canvas.width) return;
  canvas.setPointerCapture(event.pointerId);
  current = { width: width(), points: [at(event)] };
  redraw();
});
canvas.addEventListener("pointermove", (event) => {
  if (!current) return;
  current.points.push(at(event));
  redraw();
});
const lift = () => {
  if (!current) return;
  strokes.push(current);
  current = null;
  redraw();
  hand();
};
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);

function showTip(on) {
  const box = canvas.getBoundingClientRect(), mark = part("tip");
  mark.hidden = !on;
  if (!on || !tip) return;
  const size = +part("size").value;
  mark.style.width = mark.style.height = `${size}px`;
  mark.style.left = `${(tip[0] / canvas.width) * box.width - size / 2}px`;
  mark.style.top = `${(tip[1] / canvas.height) * box.height - size / 2}px`;
}
canvas.addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const move = moves[event.key], step = width() * 0.6;
  if (move && tip) {
    tip = [Math.min(canvas.width, Math.max(0, tip[0] + move[0] * step)), Math.min(canvas.height, Math.max(0, tip[1] + move[1] * step))];
  } else if ((event.key === " " || event.key === "Enter") && tip) {
    current = { width: width(), points: [[...tip]] };
    lift();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    strokes = [];
    redraw();
    hand();
  } else return;
  event.preventDefault();
  showTip(true);
});
canvas.addEventListener("focus", () => showTip(canvas.matches(":focus-visible")));
canvas.addEventListener("blur", () => showTip(false));
part("undo").addEventListener("click", () => { strokes.pop(); redraw(); hand(); });
part("clear").addEventListener("click", () => { strokes = []; redraw(); hand(); });

watch("picture", start);
start();
