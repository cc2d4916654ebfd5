/**
 * The demo: one `AppState`, and a panel for each section of the page. The panels know that state
 * and the words, not one another.
 */

import { AppState } from "./appState";
import { find, ignoreUnofferedPresses } from "./dom";
import { FilePanel } from "./filePanel";
import { LISTS } from "./lists";
import { preparedFor } from "./prepared";
import { SamplePanel } from "./samplePanel";
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
words.watch((chosen) => app.offer(chosen && preparedFor(chosen.id)));
await words.show(LISTS[0]);
