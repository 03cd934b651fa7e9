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
  const begun = performance.now();
  const keys = document.getElementById("keys");
  keys.checked = sessionStorage.getItem("keys") !== "off";
  keys.addEventListener("change", () => sessionStorage.setItem("keys", keys.checked ? "on" : "off"));
  reading.addEventListener("submit", () => {
    document.getElementById("seconds").value = ((performance.now() - begun) / 1000).toFixed(2);
  });
  document.addEventListener("keydown", (event) => {
    // A key that is held down answers one slice, not those that follow.
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !keys.checked) return;
    if ("12345".includes(event.key) && event.key.length === 1) {
      document.getElementById("confidence-" + event.key).checked = true;
    } else if (event.key === "r" || event.key === "R") {
      document.getElementById("real").click();
    } else if (event.key === "g" || event.key === "G") {
      document.getElementById("generated").click();
    }
  });
}
