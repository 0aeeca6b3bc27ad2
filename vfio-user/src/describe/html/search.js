const search = document.getElementById("search");
const count = document.getElementById("count");
const registers = [...document.querySelectorAll(".reg")].map((card) => ({
  card,
  text: card.textContent.toLowerCase(),
  item: document.querySelector(`nav a[href="#${card.id}"]`)?.parentElement,
}));
const groups = [...document.querySelectorAll(".bar, .block")];

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const { card, text, item } of registers) {
    const found = words.every((word) => text.includes(word));
    card.hidden = !found;
    if (item) item.hidden = !found;
    shown += found;
  }
  for (const group of groups) {
    group.hidden = words.length > 0 && !group.querySelector(".reg:not([hidden])");
  }
  count.value = words.length ? `${shown} of ${registers.length} entries` : "";
}

search.addEventListener("input", show);
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && document.activeElement === search) {
    search.value = "";
    show();
    search.blur();
  }
});
addEventListener("hashchange", () => {
  document.getElementById("menu").checked = false;
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && !target.offsetParent) {
    search.value = "";
    show();
    target.scrollIntoView();
  }
});
