// A link scheduler in another language, judged over its pipes:
//
//     qstack conform --exec "node examples/pipe/scheduler.mjs" --profile scheduler
//
// Every priority gets its turns: of eight successes seven serve the highest priority that waits, one serves the lowest.
// Both ends of a link ask the same question, so the answer is a function of queue and turn, and nothing is remembered.

import { createInterface } from "node:readline";

function choose(queue, turn) {
  const priorities = queue.map(({ priority }) => priority);
  const wanted = turn % 8 === 7 ? Math.min(...priorities) : Math.max(...priorities);
  return priorities.indexOf(wanted); // of equals the oldest
}

const answers = {
  hello: () => ({ protocol: 1, features: [] }),
  scheduler: () => ({}),
  choose: ({ queue, turn }) => ({ index: choose(queue, turn) }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  process.stdout.write(JSON.stringify({ re: question.re, ...answers[question.do](question) }) + "\n");
}
