/** Renders the page at build time, so that the package is imported outside a browser too. */
export const prerender = true;
