// The layer that finds applications, in another language, judged over its pipes:
//
//     qstack conform --exec "node examples/pipe/front.mjs" --profile front-end
//
// Every noun that reaches applications carries the number of its flow.  The applications are the judge's: what is
// handed to one of them stands in `passed`, and what it answers leaves the layer without passing through here.

import { createInterface } from "node:readline";

const layers = new Map();

function give({ layer, noun }) {
  const flow = noun.flow ?? noun.session ?? noun.purpose;
  const takes = layers.get(layer).get(flow)?.includes(noun.noun);
  if (!takes) return { refused: "remote", why: `no application for flow ${flow}` };
  return { out: [], passed: [{ flow, noun }] };
}

const answers = {
  hello: () => ({ protocol: 1, features: [] }),
  layer: ({ layer, applications }) => {
    layers.set(layer, new Map(applications.map(({ flow, handles }) => [flow, handles])));
    return { handles: [...new Set(applications.flatMap(({ handles }) => handles))] };
  },
  give,
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  process.stdout.write(JSON.stringify({ re: question.re, ...answers[question.do](question) }) + "\n");
}
