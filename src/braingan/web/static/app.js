"use strict";
// The slider of a run's epochs; wishes; what fails after loading; the keys and the clock of the reading test.

document.addEventListener("input", (event) => {
  const of = event.target;
  if (of.dataset.epochs) {
    const epochs = of.dataset.epochs.split(",");
    const epoch = epochs[Number(of.value)];
    const image = document.getElementById("grown");
    image.src = of.dataset.base + epoch + ".png";
    image.alt = "slices of the same latents after epoch " + epoch;
    document.getElementById("epoch").textContent = epoch;
    of.setAttribute("aria-valuetext", "epoch " + epoch);
  }
  const wish = of.closest(".wish");
  if (wish) {
    const [any, slider, number] = ["[type=checkbox]", "[type=range]", "[name]"].map((one) => wish.querySelector(one));
    if (of === slider) number.value = of.value;
    if (of === any) number.value = any.checked || !slider ? "" : slider.value;
    if (of === number && slider && number.value !== "") slider.value = number.value;
    any.checked = number.value === "";
    if (slider) slider.setAttribute("aria-valuetext", number.value || "any");
  }
});

// While slices are made, a button keeps the focus, and what it would ask for is dropped.
const making = (event, busy) => {
  if (event.target.getAttribute("hx-target") !== "#made") return;
  event.target.querySelectorAll("button").forEach((of) => { of.setAttribute("aria-disabled", busy); });
  if (busy) document.getElementById("summary").textContent = "The slices are being made.";
};
document.addEventListener("htmx:beforeRequest", (event) => making(event, true));
document.addEventListener("htmx:afterRequest", (event) => making(event, false));

// htmx puts no failure in place: it is said here, until something works again.
const trouble = document.getElementById("trouble");
let worked = new Date();
const failed = (event) => {
  const { status, responseText } = event.detail.xhr;
  const said = new DOMParser().parseFromString(responseText || "", "text/html");
  const sentence = (said.querySelector(".said") || (status === 403 && said.body) || {}).textContent;
  const why = sentence || (status ? "The server answers with " + status + "." : "The server does not answer.");
  trouble.textContent = "Not up to date since " + worked.toLocaleTimeString() + ": " + why;
  const summary = document.getElementById("summary");
  if (summary && event.target.getAttribute("hx-target") === "#made") summary.textContent = "";
};
document.addEventListener("htmx:responseError", failed);
document.addEventListener("htmx:sendError", failed);
document.addEventListener("htmx:afterRequest", (event) => {
  if (!event.detail.successful) return;
  worked = new Date();
  trouble.textContent = "";
});

// Rows stay as they are where someone wants them to.
document.addEventListener("htmx:beforeRequest", (event) => {
  const still = document.getElementById("still");
  if (event.target.id === "rows" && still && still.checked) event.preventDefault();
});

const reading = document.getElementById("reading");
if (reading) {
  const picture = reading.parentElement.querySelector("img");
  const answers = [document.getElementById("real"), document.getElementById("generated")];
  let begun = Infinity;
  // The clock runs, and answers are taken, from when the slice is seen: not of a second press for the slice before it.
  const seen = () => {
    begun = performance.now();
    setTimeout(() => answers.forEach((of) => { of.disabled = false; }), 200);
  };
  answers.forEach((of) => { of.disabled = true; });
  if (picture.complete && picture.naturalWidth) seen();
  else picture.addEventListener("load", seen);
  picture.addEventListener("error", () => { picture.alt = "The slice could not be loaded: load the page again."; });
  const keys = document.getElementById("keys");
  keys.checked = sessionStorage.getItem("keys") !== "off";
  keys.addEventListener("change", () => sessionStorage.setItem("keys", keys.checked ? "on" : "off"));
  reading.addEventListener("submit", () => {
    document.getElementById("seconds").value = ((performance.now() - begun) / 1000).toFixed(2);
  });
  document.addEventListener("keydown", (event) => {
    // A key that is held down answers one slice, not those that follow.
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !keys.checked) return;
    // By its place where the keyboard writes another alphabet.
    const latin = /^[a-z]$/i.test(event.key);
    const letter = latin ? event.key.toLowerCase() : { KeyR: "r", KeyG: "g" }[event.code];
    const place = event.key.length === 1 && /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
    const digit = /^[0-9]$/.test(event.key) ? event.key : place ? place[1] : "";
    const confidence = document.getElementById("confidence-" + digit);
    if (confidence) {
      confidence.checked = true;
    } else if (letter === "r") {
      document.getElementById("real").click();
    } else if (letter === "g") {
      document.getElementById("generated").click();
    }
  });
}
