import { Makemore } from "makemore-web";
import { nameOf } from "./names.js";

const world = document.querySelector("input");
const list = document.querySelector("ol");

/** Shows the eight villagers of the world whose name is typed in. */
async function showVillage() {
  const ids = Array.from({ length: 8 }, (_, i) => `${world.value}/villager/${i}`);
  const names = await Promise.all(ids.map((id) => nameOf(Makemore, id)));
  list.replaceChildren(
    ...names.map((name) => Object.assign(document.createElement("li"), { textContent: name })),
  );
}

world.addEventListener("change", showVillage);
await showVillage();
