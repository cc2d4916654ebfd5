import { svelte } from "@sveltejs/vite-plugin-svelte";
import vue from "@vitejs/plugin-vue";

/** The frameworks' own plugins; the package needs none. One page per recipe. */
export default {
  plugins: [vue(), svelte()],
  build: { rolldownOptions: { input: ["react.html", "vue.html", "svelte.html", "element.html"] } },
};
