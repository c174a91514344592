// Light and dark, the menu on narrow screens, unfolding for print, and the search. Pages are whole without it.
"use strict";
const root = document.documentElement;
const stored = { get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
                 set: t => { try { localStorage.setItem("theme", t); } catch { /* a file may not store */ } } };
const button = document.getElementById("theme");
function paint(theme) { root.dataset.theme = theme; button.textContent = theme === "dark" ? "Light" : "Dark"; }
const wishes = matchMedia("(prefers-color-scheme: dark)");
paint(stored.get() || (wishes.matches ? "dark" : "light"));
wishes.addEventListener("change", () => { if (!stored.get()) paint(wishes.matches ? "dark" : "light"); });
button.hidden = false;
button.addEventListener("click", () => { const t = root.dataset.theme === "dark" ? "light" : "dark"; stored.set(t); paint(t); });

root.classList.add("scripted");
const menu = document.querySelector(".menu"), contents = document.getElementById("contents");
menu.addEventListener("click", e => { e.preventDefault(); if (root.classList.toggle("open")) contents.querySelector("a").focus(); });
contents.addEventListener("click", e => { if (e.target.closest("a")) root.classList.remove("open"); });
const here = contents.querySelector(".here");
if (here && here.offsetTop > contents.clientHeight - 80) contents.scrollTop = here.offsetTop - 80;

function unfold() { const at = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let d = at && at.closest("details"); d; d = d.parentElement.closest("details")) d.open = true; }
unfold(); addEventListener("hashchange", unfold);
let folded = [];
addEventListener("beforeprint", () => { folded = [...document.querySelectorAll("main details:not([open])")]; folded.forEach(d => { d.open = true; }); });
addEventListener("afterprint", () => folded.forEach(d => { d.open = false; }));

const box = document.getElementById("search"), found = document.getElementById("found");
box.form.hidden = false;
box.form.addEventListener("submit", e => { e.preventDefault(); const first = found.querySelector("a"); if (first) location.href = first.href; });
function load(then) {
  if (window.SEARCH) return then();
  const s = document.createElement("script"); s.src = "static/search.js"; s.onload = then; document.head.append(s);
}
function look() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  found.replaceChildren();
  if (!words.length) return;
  const hits = [];
  for (const s of window.SEARCH) {
    const head = (s.h + " " + s.p).toLowerCase(), text = s.t.toLowerCase();
    if (!words.every(w => head.includes(w) || text.includes(w))) continue;
    const whole = text.includes(words.join(" ")) ? .5 : 0;
    hits.push([words.filter(w => s.h.toLowerCase().includes(w)).length + whole, s, Math.max(0, text.indexOf(words[0]))]);
  }
  hits.sort((a, b) => b[0] - a[0]);
  for (const [, s, at] of hits.slice(0, 30)) found.append(line(s, at));
  if (!hits.length) { const li = document.createElement("li"), t = document.createElement("span"); t.textContent = "Nothing found."; li.append(t); found.append(li); }
}
function line(s, at) {
  const li = document.createElement("li"), a = document.createElement("a"), small = document.createElement("small");
  a.href = s.u.replace(/#(.*)/, (_, h) => "#" + encodeURIComponent(h)); a.textContent = s.h;
  small.textContent = (s.h === s.p ? "" : s.p + " · ") + s.t.slice(Math.max(0, at - 40), at + 80);
  a.append(small); li.append(a); return li;
}
box.addEventListener("input", () => load(look));
box.addEventListener("keydown", e => { if (e.key === "Escape") { box.value = ""; found.replaceChildren(); } });
document.addEventListener("click", e => { if (!e.target.closest(".search")) found.replaceChildren(); });
document.addEventListener("keydown", e => {
  if (e.key === "/" && !/input|textarea/i.test(document.activeElement.tagName)) { e.preventDefault(); box.focus(); }
  if (e.key === "Escape") root.classList.remove("open"); });
