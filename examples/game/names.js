// Names for a game's characters. The same id always gets the same name, so a save file needs no names.

/** The sound of this game's people: a few dozen names that the author made up. */
const NAMES = `
aelar aelith aerin alarie alenna amarel anarith aranel arelith ariel aurelin belanor belith caelan caelith
calarel celarin celebrin daelin elanor elarian elarith elenna elorin elowen erevan erianna faelar faelith
faenor galanor galathil galenna halarin halenith ilarin ilenna ilorel ithilen laelith lanarel larethian
lathariel lorenna lorian lutharel maelith marenel melarin mirael miriel naelin nalarel nimrodel orelith
parenna quelenna raelith sarenith sariel silarin silvanel taelith tharel thalanil thelarin uriel valanor
varenith vaelin yavanna yraelin zaelith`
  .trim()
  .split(/\s+/);

let model;

/** Returns the name of a character. `id` is any text that no other character has. */
export async function nameOf(Makemore, id) {
  model ??= train(Makemore);
  const [name] = await (await model).sample(1, { seed: id, minLength: 4, maxLength: 9, novel: NAMES });
  return name[0].toUpperCase() + name.slice(1);
}

/** Trains once, for about a second. The seed and the backend are fixed, so that every player gets the same names. */
async function train(Makemore) {
  const maker = new Makemore({ backend: "wasm" });
  await maker.train(NAMES, { model: { embedding: 8, hidden: 32 }, steps: 400, seed: 1 });
  return maker;
}
