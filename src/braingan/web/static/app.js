"use strict";
// The slider of a run's epochs; the keys and the clock of the reading test; what a range shows of its value.

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
  if (of.dataset.shows) {
    document.getElementById(of.dataset.shows).value = of.value;
  }
  if (of.dataset.slides) {
    const slider = document.getElementById(of.dataset.slides);
    if (of.value !== "") slider.value = of.value;
  }
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
    if ("12345".includes(event.key) && event.key.length === 1) {
      document.getElementById("confidence-" + event.key).checked = true;
    } else if (letter === "r") {
      document.getElementById("real").click();
    } else if (letter === "g") {
      document.getElementById("generated").click();
    }
  });
}
