/**
 * Uses the package as every consumer does: train, sample, export, load, then a few steps on the other engines, so that
 * each file of the package is fetched. Assigns the result to the global variable `outcome`, which the test reads.
 *
 * @param {typeof import("../../src").Makemore} Makemore
 * @param {string} words one word per line
 * @param {{ element?: boolean }} [options] whether the app imports the element as well
 */
export async function scenario(Makemore, words, { element = false } = {}) {
  const outcome = await run(Makemore, words, element).catch((error) => ({ error: `${error}` }));
  Object.assign(globalThis, { outcome });
}

/**
 * @param {typeof import("../../src").Makemore} Makemore
 * @param {string} words
 * @param {boolean} withElement
 */
async function run(Makemore, words, withElement) {
  const model = { embedding: 10, hidden: 32 };
  const maker = new Makemore();
  let step = 0;
  const { losses, backend } = await maker.train(words, {
    model,
    steps: 200,
    onProgress: (progress) => {
      step = progress.step;
    },
  });
  const samples = await maker.sample(5, { seed: 1 });
  const file = await maker.exportONNX();
  maker.dispose();

  const loaded = new Makemore();
  await loaded.load(file);
  const again = await loaded.sample(5, { seed: 1 });
  loaded.dispose();

  const oneClass = withElement ? await sharesClass(Makemore) : true;

  const reference = new Makemore({ backend: "tfjs" });
  const tfjs = await reference.train(words, { model, steps: 3 });
  reference.dispose();

  const gpu = new Makemore({ backend: "webgpu" });
  const { notices } = await gpu.train(words, { model, steps: 3 });
  gpu.dispose();
  return {
    step,
    losses: [...losses],
    backend,
    samples,
    again,
    bytes: file.length,
    oneClass,
    tfjs: { device: tfjs.device, losses: [...tfjs.losses] },
    webgpu: { notices },
  };
}

/**
 * Returns whether the element is defined and uses the app's `Makemore`, because a bundler must not copy the main file.
 *
 * @param {typeof import("../../src").Makemore} Makemore
 */
async function sharesClass(Makemore) {
  const element = document.createElement("makemore-words");
  document.body.append(element);
  await new Promise((resolve) => setTimeout(resolve));
  const shares = element.makemore instanceof Makemore;
  element.remove();
  return shares;
}
