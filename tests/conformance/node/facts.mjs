// Facts about the simulator: named functions with assertions, held one by one.

/** How many facts held, and what was wrong with the others. */
export class Tally {
  passed = 0;
  failures = [];

  /** Holds an area's facts; a failed one stops nobody. */
  async hold(area, facts, simulator) {
    const before = this.passed;
    for (const [name, fact] of Object.entries(facts)) {
      try {
        await fact(simulator);
        this.passed += 1;
      } catch (error) {
        this.failures.push(`${area}: ${name}: ${describe(error)}`);
      } finally {
        await simulator.settle();
      }
    }
    console.log(`${area}: ${this.passed - before} of ${Object.keys(facts).length} facts hold`);
  }
}

/** What failed and where in the facts. */
function describe(error) {
  const place =
    String(error.stack)
      .match(/areas\/[a-z]+\.mjs:\d+/g)
      ?.at(-1) ?? "elsewhere";
  return `${error.constructor.name} ${String(error.message).slice(0, 600)}\n    ${place}`;
}
