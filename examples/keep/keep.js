import { Makemore } from "makemore-web";
import towns from "./towns.txt?raw";

const status = document.querySelector("[role=status]");

/** Returns the model of the last visit, or trains a new one and saves it meanwhile. */
async function openModel() {
  const saved = await Makemore.saved();
  if (saved.some(({ name }) => name === "towns")) {
    status.textContent = "Kept from your last visit.";
    return Makemore.open("towns");
  }
  const maker = new Makemore();
  await maker.train(towns, {
    saveAs: "towns",
    onProgress: ({ step, steps }) => {
      status.textContent = `Training: ${step} of ${steps} steps`;
    },
  });
  status.textContent = "Trained, and saved in this browser.";
  return maker;
}

const maker = await openModel();
// Its words were saved beside it, so `novel` works after a reload.
document.querySelector("output").textContent = (await maker.sample(10, { novel: true })).join(", ");
document.querySelector("button").addEventListener("click", () => Makemore.remove("towns"));
