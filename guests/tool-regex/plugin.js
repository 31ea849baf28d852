// Finds what matches a regular expression: a tool in JavaScript, for models.
//
// Computes only: the component imports nothing. A pattern that takes forever is stopped by the host.

const MATCHES_MAX = 100;

const parameters = {
  type: "object",
  properties: {
    text: { type: "string", description: "The text to search." },
    pattern: { type: "string", description: "A regular expression, as JavaScript writes it, without slashes." },
    ignore_case: { type: "boolean", description: "Whether capitals do not matter. False when left out." },
  },
  required: ["text", "pattern"],
};

const failure = (text) => ({ content: { tag: "text", val: text }, isError: true });

function search(text, pattern, flags) {
  const found = [];
  for (const match of text.matchAll(new RegExp(pattern, flags))) {
    if (found.length === MATCHES_MAX) break;
    found.push({ at: match.index, text: match[0], groups: match.slice(1).map((group) => group ?? null) });
  }
  return found;
}

export const tools = {
  definitions() {
    const description = "Finds every match of a regular expression in a text, with its place and groups.";
    const traits = { readOnly: true, idempotent: true };
    return [{ name: "find_matches", description, parameters: JSON.stringify(parameters), traits }];
  },

  call(call) {
    const { text, pattern, ignore_case } = JSON.parse(call.arguments);
    if (typeof text !== "string" || typeof pattern !== "string") {
      return failure("expected text and pattern, both strings");
    }
    try {
      const matches = search(text, pattern, ignore_case ? "giu" : "gu");
      return { content: { tag: "structured", val: JSON.stringify({ matches }) }, isError: false };
    } catch (error) {
      return failure(`the pattern cannot be used: ${error.message}`);
    }
  },
};
