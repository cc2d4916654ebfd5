/**
 * The demo: one `AppState`, and a panel for each section of the page. The panels know that state
 * and the words, but not each other.
 */

import { AppState } from "./appState";
import { find, ignoreUnofferedPresses } from "./dom";
import { FilePanel } from "./filePanel";
import { KeptPanel } from "./keptPanel";
import { type BuiltInList, LISTS } from "./lists";
import { preparedFor } from "./prepared";
import { SamplePanel } from "./samplePanel";
import { SharePanel } from "./sharePanel";
import { SurprisePanel } from "./surprisePanel";
import { TrainPanel } from "./trainPanel";
import { TreePanel } from "./treePanel";
import { WordsPanel } from "./wordsPanel";

ignoreUnofferedPresses();
const app = new AppState();
const words = new WordsPanel();
const typed = find("typed", HTMLInputElement);
new TrainPanel(app, words);
new SamplePanel(app, words);
new SurprisePanel(app, typed);
new TreePanel(app, typed);
new FilePanel(app, words);
new KeptPanel(app, words);

/** The list that the model was trained on in this visit; the page offers no small model for it. */
let learnt: BuiltInList | undefined;
let asked: BuiltInList | undefined;
app.watch((change) => {
  if (change === "asked") asked = words.chosen;
  if (change === "begun") learnt = asked;
  if (change === "opened") learnt = undefined;
});
words.watch((chosen) => app.offer(chosen && chosen !== learnt ? preparedFor(chosen.id) : undefined));

const share = new SharePanel(words);
/** What the page's address asks for, or the first list. */
async function begin(): Promise<void> {
  const { list, words: own } = share.read();
  if (own === undefined) await words.show(list ?? LISTS[0]);
  else words.take(own, "From the link.");
}
addEventListener("hashchange", () => void begin());
await begin();
