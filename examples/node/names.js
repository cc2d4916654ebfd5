// Trains on a list of towns in a worker thread, then prints ten towns that are not on it.
import { readFile, writeFile } from "node:fs/promises";
import mm from "makemore-web";

const towns = await readFile(new URL("towns.txt", import.meta.url), "utf8");
await mm.train(towns, { seed: 1 });
for (const town of await mm.sample(10, { novel: true, seed: 1 })) console.log(town);
await writeFile("towns.onnx", await mm.exportONNX());
