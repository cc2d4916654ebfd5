/** Rendered at build time, so that the package is imported outside a page too. */
export const prerender = true;
