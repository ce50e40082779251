const pollMS = 25;

/** Looks until look returns something truthy, and returns it; throws after limitMS with what was seen last. */
export async function eventually(what, limitMS, look) {
  const deadline = Date.now() + limitMS;
  for (;;) {
    let seen;
    const found = await look((text) => { seen = text; });
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${limitMS} ms; last seen: ${seen}`);
    await new Promise((resolve) => setTimeout(resolve, pollMS));
  }
}
