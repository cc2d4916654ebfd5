import { createApp } from "vue";
import Names from "./Names.vue";
import words from "./words.js";

const app = createApp(Names, { words: words.split("\n") });
app.mount("#app");
globalThis.unmount = () => app.unmount();
