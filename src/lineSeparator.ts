/** The line separators of Python's `str.splitlines`: the worker splits a text at them, so no word may have one. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: three of them separate lines.
export const LINE_SEPARATOR = /\r\n|[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/;
