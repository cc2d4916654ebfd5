/**
 * What every consumer does with the package: train, sample, export and load, then a few steps on
 * tfjs, so that each file of the package is fetched. The result is left on the global object as
 * `outcome`, for the test that drives the page.
 *
 * @param {typeof import("../../src").Makemore} Makemore
 * @param {string} words one word per line
 */
export async function scenario(Makemore, words) {
  const outcome = await run(Makemore, words).catch((error) => ({ error: `${error}` }));
  Object.assign(globalThis, { outcome });
}

/**
 * @param {typeof import("../../src").Makemore} Makemore
 * @param {string} words
 */
async function run(Makemore, words) {
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

  const reference = new Makemore({ backend: "tfjs" });
  const tfjs = await reference.train(words, { model, steps: 3 });
  reference.dispose();
  return {
    step,
    losses: [...losses],
    backend,
    samples,
    again,
    bytes: file.length,
    tfjs: { device: tfjs.device, losses: [...tfjs.losses] },
  };
}
