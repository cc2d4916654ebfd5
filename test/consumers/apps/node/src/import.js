// A server that renders pages imports the package, and may make a Makemore.
const names = () => Object.getOwnPropertyNames(globalThis).sort().join();
const before = names();
const { default: mm, Makemore } = await import("makemore-web");
new Makemore();
const { getActiveResourcesInfo = () => [] } = process;
const resources = getActiveResourcesInfo().filter((name) => /Worker|MessagePort/.test(name));
console.log(JSON.stringify({ same: names() === before, model: mm.model ?? null, resources }));
