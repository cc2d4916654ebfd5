/** The plots of what happens inside the model. */
import type { Diagnostics, Distribution } from "makemore-web";
import { beforeEach, expect, it } from "vitest";
import { find } from "../../../demo/src/dom";
import { few, InsidePlots } from "../../../demo/src/insidePlots";
import { openPage } from "./page";

beforeEach(() => openPage());

/** Four numbers, -1 to 1, of which half are in the first bin and half in the last one. */
const distribution = (std: number): Distribution => ({
  mean: 0,
  std,
  min: -1,
  max: 1,
  histogram: Array.from({ length: 50 }, (_, i) => (i === 0 || i === 49 ? 2 : 0)),
});

function look(step: number, saturation: number | undefined, updateToData: number): Diagnostics {
  return {
    step,
    layers: [
      { layer: "linear1", type: "Linear", activations: distribution(0.7), gradients: distribution(3e-4) },
      {
        layer: "tanh1",
        type: "Tanh",
        activations: distribution(0.5),
        gradients: distribution(2e-4),
        ...(saturation === undefined ? {} : { saturation }),
      },
    ],
    parameters: [
      { parameter: "linear1.weight", shape: [4, 3], updateToData },
      { parameter: "linear1.bias", shape: [3], updateToData: -1 },
    ],
  };
}

const figure = (name: string) => {
  const element = find(`inside-${name}`, HTMLElement);
  const lines = [...element.querySelectorAll("polyline")].map((line) =>
    (line.getAttribute("points") ?? "").split(" ").map((point) => point.split(",").map(Number)),
  );
  const label = element.querySelector("[role=img]")?.getAttribute("aria-label");
  const legend = [...element.querySelectorAll("li")].map(({ textContent }) => textContent);
  return { lines, label, legend, reference: element.querySelector(".reference") };
};

it("says before a training that there is nothing yet, and asks for nothing unless the box is ticked", () => {
  const plots = new InsidePlots();
  expect(plots.isAsked).toBe(false);
  find("inside-on", HTMLInputElement).checked = true;
  expect(plots.isAsked).toBe(true);
  for (const name of ["saturation", "activations", "gradients", "updates"]) {
    expect(figure(name).lines).toEqual([]);
    expect(figure(name).label).toMatch(/^No .* yet\.$/);
  }
});

it("draws saturation and updates over the steps, the last distributions, and the healthy update as a line", () => {
  const plots = new InsidePlots();
  plots.add([look(0, 0.5, -1), look(50, 0.25, -2)], 100);
  plots.add([look(100, 0, -3)], 100);
  const saturation = figure("saturation");
  // From left to right, and down to the axis.
  expect(saturation.lines).toEqual([
    [
      [56, 91],
      [222, 131.5],
      [388, 172],
    ],
  ]);
  expect(saturation.legend).toEqual(["tanh1 0%"]);
  expect(saturation.label).toBe("saturated by step, now: tanh1 0%");
  const updates = figure("updates");
  // Only of the weight; the last point is on the line of the healthy update.
  expect(updates.lines).toHaveLength(1);
  expect(updates.legend).toEqual(["linear1.weight −3"]);
  expect(Number(updates.reference?.getAttribute("y1"))).toBe(updates.lines[0]?.[2]?.[1]);
  // A model with tanhs shows these alone.
  expect(figure("activations").legend).toEqual(["tanh1 std 0.5"]);
  expect(figure("gradients").legend).toEqual(["tanh1 std 2.0e-4"]);
  const [shape = []] = figure("activations").lines;
  // The first and the last bin are as high as the plot, the others empty.
  expect(shape).toHaveLength(50);
  expect([shape[0]?.[1], shape[25]?.[1], shape[49]?.[1]]).toEqual([10, 172, 10]);
  plots.clear();
  expect(figure("saturation").lines).toEqual([]);
});

it("draws all layers of a model without tanhs, and says that none can saturate", () => {
  const plots = new InsidePlots();
  plots.add([look(0, undefined, -3), look(1, undefined, -3)], 2);
  expect(figure("saturation").label).toBe("This model has no tanh that could saturate.");
  expect(figure("activations").legend).toEqual(["linear1 std 0.7", "tanh1 std 0.5"]);
});

it("takes six of many layers, the first and the last among them", () => {
  expect(few(["a", "b"])).toEqual(["a", "b"]);
  expect(few(Array.from({ length: 11 }, (_, i) => i))).toEqual([0, 2, 4, 6, 8, 10]);
  expect(few(Array.from({ length: 9 }, (_, i) => i))).toHaveLength(6);
});
