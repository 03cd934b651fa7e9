"use strict";
// Dark or light, as this browser's system has it, or as was chosen here; set before anything is drawn.

const root = document.documentElement;
const dark = () => (root.dataset.scheme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
if (localStorage.getItem("scheme")) root.dataset.scheme = localStorage.getItem("scheme");

document.addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("scheme");
  const name = () => { button.textContent = dark() ? "Light page" : "Dark page"; };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.scheme = dark() ? "light" : "dark";
    localStorage.setItem("scheme", root.dataset.scheme);
    name();
  });
  name();
});
