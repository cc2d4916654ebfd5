import { mount, unmount } from "svelte";
import Names from "./Names.svelte";
import words from "./words.js";

const target = document.getElementById("app");
const app = mount(Names, { target, props: { words: words.split("\n") } });
globalThis.unmount = () => unmount(app);
