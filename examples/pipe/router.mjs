// A router in another language, judged over its pipes:
//
//     qstack conform --exec "node examples/pipe/router.mjs" --profile router
//
// Every line of standard input is a question, every line of standard output the answer with the same `re`.
// The questions stand in specs/conformance/conformance.md.

import { createInterface } from "node:readline";

const routers = new Map();

// Fewest links first; of equals the lowest numbers. A chain of Werner pairs multiplies (4 F - 1) / 3.
function route(view, source, target, wanted) {
  const beside = new Map(view.names.map((_, node) => [node, []]));
  for (const edge of view.edges) {
    beside.get(edge.a).push([edge.b, edge]);
    beside.get(edge.b).push([edge.a, edge]);
  }
  for (const links of beside.values()) links.sort(([a], [b]) => a - b);
  const before = new Map([[source, null]]);
  for (const node of before.keys()) {
    for (const [next, edge] of beside.get(node)) if (!before.has(next)) before.set(next, [node, edge]);
  }
  if (!before.has(target)) return { no_route: `nothing joins ${view.names[source]} and ${view.names[target]}` };
  const path = [target];
  const fidelities = [];
  while (path[0] !== source) {
    const [node, edge] = before.get(path[0]);
    path.unshift(node);
    fidelities.unshift(Math.max(...edge.rows.map(([, , fidelity]) => fidelity)));
  }
  let werner = fidelities.reduce((product, fidelity) => (product * (4 * fidelity - 1)) / 3, 1);
  for (const node of path.slice(1, -1)) werner *= view.swap_factors[node];
  const expected = (1 + 3 * werner) / 4;
  if (expected < wanted) return { no_route: `the best route reaches ${expected.toFixed(3)}, not ${wanted}`, path };
  return { path, fidelities, expected };
}

const answers = {
  hello: () => ({ protocol: 1, features: [] }),
  router: ({ router, view }) => {
    routers.set(router, view);
    return {};
  },
  route: ({ router, source, target, min_fidelity }) => route(routers.get(router), source, target, min_fidelity),
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  process.stdout.write(JSON.stringify({ re: question.re, ...answers[question.do](question) }) + "\n");
}
