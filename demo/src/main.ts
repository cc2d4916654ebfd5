/**
 * The demo: one session, and a panel for each section of the page. The panels know the session
 * and the words, not one another.
 */
import { find, ignoreUnofferedPresses } from "./dom";
import { FilePanel } from "./filePanel";
import { SamplePanel } from "./samplePanel";
import { Session } from "./session";
import { SurprisePanel } from "./surprisePanel";
import { TrainPanel } from "./trainPanel";
import { TreePanel } from "./treePanel";
import { WordsPanel } from "./wordsPanel";

ignoreUnofferedPresses();
const session = new Session();
const words = new WordsPanel();
const typed = find("typed", HTMLInputElement);
new TrainPanel(session, words);
new SamplePanel(session);
new SurprisePanel(session, typed);
new TreePanel(session, typed);
new FilePanel(session, words);
await words.showNames();
