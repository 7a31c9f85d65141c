// A medium in JavaScript, judged over its pipes:
//
//     qstack conform --exec "node examples/pipe/medium.mjs" --profile medium
//
// The owner of all quantum state of a network: every pair is three correlators (<XX>, -<YY>, <ZZ>) in the frame of its
// Bell index, a swap multiplies them, and a bit is drawn when it is measured.  Attempts that both ends make alike are made
// one by one, which is slow and easy to follow.  Times are whole picoseconds; as numbers they are exact for 2.5 hours.

import { createInterface } from "node:readline";

// -- chance: a stream for each name, so that another link changes nobody's draws --------------------------------------

function stream(text) {
  let state = 0xcbf29ce484222325n; // FNV-1a
  for (const byte of Buffer.from(text)) state = BigInt.asUintN(64, (state ^ BigInt(byte)) * 0x100000001b3n);
  let [a, b, c, d] = [Number(state & 0xffffffffn), Number(state >> 32n), 0x9e3779b9, 1];
  const draw = () => {
    const sum = (a + b + d++) | 0; // sfc32
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let k = 0; k < 16; k++) draw();
  return draw;
}

function pick(draw, weights) {
  let left = draw() * weights.reduce((sum, weight) => sum + weight, 0);
  return Math.max(0, weights.findIndex((weight) => (left -= weight) < 0));
}

// -- pairs ------------------------------------------------------------------------------------------------------------

const AXIS = [2, 0, 1]; // of the bases Z, X and Y among the correlators

function sign(bell, basis) {
  const flips = [bell >> 1, bell & 1, 1 ^ (bell >> 1) ^ (bell & 1)]; // Phi+ has -1 in Y
  return 1 - 2 * flips[basis];
}

// What waiting, and attempts of the node, have left of a half: factors on X, Y and Z.
function left({ node, emitted, seen, spoiled }, now) {
  if (spoiled) return [0, 0, 0];
  const waited = node.coherence ? Math.exp(-(((now - emitted) / node.coherence) ** 2)) : 1;
  const kept = waited * (node.lasting ? Math.exp(-(node.made() - seen) / node.lasting) : 1);
  return [kept, kept, 1];
}

function measure(half, basis, now) {
  const { pair, node } = half;
  const factor = left(half, now)[AXIS[basis]];
  const first = pair.read;
  if (!first) {
    pair.read = { basis, factor, bit: Number(node.draw() < 0.5) };
    return pair.read.bit;
  }
  if (first.basis !== basis) return Number(node.draw() < 0.5);
  const together = sign(pair.bell, basis) * pair.correlators[AXIS[basis]] * factor * first.factor;
  return node.draw() < (1 + together) / 2 ? first.bit : 1 - first.bit;
}

// Two halves of one node are measured together: what is left is one pair of the two others.
function swap(one, other, now) {
  const [p, q] = [one.pair, other.pair];
  const [f, g] = [left(one, now), left(other, now)];
  const correlators = p.correlators.map((value, k) => value * q.correlators[k] * f[k] * g[k]);
  const known = p.read && q.read && p.read.basis === q.read.basis; // both others are bits already
  const weights = [0, 1, 2, 3].map((outcome) => {
    if (!known) return 1;
    const { basis } = p.read;
    const bits = (1 - 2 * p.read.bit) * (1 - 2 * q.read.bit) * p.read.factor * q.read.factor;
    return 1 + sign(p.bell ^ q.bell ^ outcome, basis) * correlators[AXIS[basis]] * bits;
  });
  const outcome = pick(one.node.draw, weights);
  const joined = { bell: p.bell ^ q.bell ^ outcome, correlators, read: p.read ?? q.read };
  joined.halves = [...p.halves, ...q.halves].filter((half) => half !== one && half !== other);
  for (const half of joined.halves) half.pair = joined;
  return outcome;
}

// -- what happens when ------------------------------------------------------------------------------------------------

class Medium {
  constructor({ seed }) {
    Object.assign(this, { seed, now: 0, count: 0, due: [], told: [], nodes: new Map(), lanes: [] });
  }

  at(time, act) {
    this.due.push({ time, order: this.count++, act });
    this.due.sort((a, b) => a.time - b.time || a.order - b.order);
  }

  wake() {
    const { time, act } = this.due.shift();
    this.now = time;
    act();
  }

  place({ node, name, coherence = 0, lasting = 0, cold = [] }) {
    const draw = stream(`${this.seed}/${name}`);
    const made = () => this.made(node);
    const placed = { number: node, draw, coherence: Number(coherence), lasting, made, before: 0, next: 1 };
    this.nodes.set(node, { ...placed, qubits: new Map(), halves: new Set(), warm: cold.length > 0 });
    for (const [begin, end] of cold) {
      this.at(Number(begin), () => this.turn(node, false));
      this.at(Number(end), () => this.turn(node, true));
    }
    return { handles: ["Trigger", "Swap", "Measure", "Apply", "Free"].map((name) => `device.${name}`) };
  }

  join({ nodes, name, sheet }) {
    const times = (list) => list.map(Number);
    const [period, emit, reply] = [Number(sheet.period), times(sheet.emit), times(sheet.reply)];
    const kept = period * Math.max(1, Math.ceil(Math.max(...reply) / period)); // the answer comes before the next attempt
    const link = { nodes, sheet, period, kept, emit, reply, sequence: 0, draw: stream(`${this.seed}/${name}`) };
    for (let lane = 0; lane < sheet.lanes; lane++) {
      this.lanes.push({ link, lane, wants: [null, null], used: [false, false], since: [0, 0], last: -1 });
    }
    return {};
  }

  // How many attempts a node has made, whether the other end has joined in or not.
  made(node) {
    const ends = this.lanes.flatMap((lane) => [0, 1].map((side) => [lane, side]));
    const own = ends.filter(([{ link }, side]) => link.nodes[side] === node);
    return own.reduce((sum, [lane, side]) => sum + this.running(lane, side), this.nodes.get(node).before);
  }

  tries({ link, wants, used }, side) {
    return wants[side] !== null && !used[side] && !this.nodes.get(link.nodes[side]).warm;
  }

  running(lane, side) {
    if (!this.tries(lane, side)) return 0;
    const length = cycle(lane, side);
    return Math.floor(this.now / length) - Math.floor(lane.since[side] / length);
  }

  // A cryostat gets cold, or warm: then what it holds is lost.
  turn(node, warm) {
    const turned = this.nodes.get(node);
    for (const lane of this.lanes) {
      lane.link.nodes.forEach((end, side) => end === node && this.change(lane, side, () => (turned.warm = warm)));
    }
    for (const half of warm ? turned.halves : []) {
      half.spoiled = true;
      if (half.qubit !== undefined) this.spoil(half);
    }
  }

  spoil({ node, lane, side, qubit }) {
    const noun = { noun: "device.Spoiled", peer: lane.link.nodes[1 - side], lane: lane.lane, qubit };
    this.told.push({ node: node.number, noun });
  }

  // Let something change at one end of a lane.
  change(lane, side, act) {
    this.nodes.get(lane.link.nodes[side]).before += this.running(lane, side);
    lane.since[side] = this.now;
    act(lane);
    this.arm(lane);
  }

  // The next attempt that both ends make alike; the others come to nothing.
  arm(lane) {
    const { wants } = lane;
    const alike = ["aid", "row", "keep"].every((name) => wants[0]?.[name] === wants[1]?.[name]);
    lane.armed = {};
    if (!alike || !this.tries(lane, 0) || !this.tries(lane, 1)) return;
    const length = cycle(lane, 0);
    const begin = Math.max(Math.ceil(this.now / length), Math.floor(lane.last / length) + 1) * length;
    const armed = lane.armed; // a change arms anew, and this one is forgotten
    this.at(begin, () => {
      if (armed !== lane.armed) return;
      lane.last = begin;
      this.attempt(lane, begin);
      this.arm(lane);
    });
  }

  attempt(lane, begin) {
    const { link } = lane;
    const { probability, outcomes } = link.sheet.heralds[lane.wants[0].row];
    if (link.draw() >= probability) return;
    const { bell, correlators } = outcomes[pick(link.draw, outcomes.map(({ share }) => share))];
    const sequence = link.sequence++ % 65536;
    const pair = { bell, correlators, read: null };
    pair.halves = [0, 1].map((side) => ({ pair, lane, side, node: this.nodes.get(link.nodes[side]) }));
    pair.halves.forEach((half, side) => {
      const { aid, keep, bases } = lane.wants[side];
      const herald = { noun: "device.Herald", peer: link.nodes[1 - side], lane: lane.lane, aid, sequence, bell };
      if (keep) half.node.halves.add(half);
      this.change(lane, side, () => (lane.used[side] = keep));
      this.at(begin + link.emit[side], () => {
        Object.assign(half, { emitted: this.now, seen: half.node.made() });
        Object.assign(herald, { emitted: String(this.now), qubit: -1, basis: -1, outcome: -1 });
        if (keep) return;
        herald.basis = bases[Math.floor(half.node.draw() * bases.length)];
        herald.outcome = measure(half, herald.basis, this.now);
      });
      this.at(begin + link.reply[side], () => {
        if (keep) half.node.qubits.set((half.qubit = herald.qubit = half.node.next++), half);
        this.told.push({ node: half.node.number, noun: herald });
        if (half.spoiled) this.spoil(half);
      });
    });
  }

  // -- requests -------------------------------------------------------------------------------------------------------

  request({ node, now, noun }) {
    const at = this.nodes.get(node);
    this.now = Number(now);
    const qubits = ["qubit", "left", "right"].filter((name) => name in noun).map((name) => noun[name]);
    const held = qubits.every((qubit) => at.qubits.has(qubit)) && new Set(qubits).size === qubits.length;
    if (!held) return { refused: "local", why: `no such qubits: ${qubits}` };
    const halves = qubits.map((qubit) => at.qubits.get(qubit));
    const tell = (answer) => this.told.push({ node, noun: answer });
    const free = () => {
      for (const qubit of qubits) at.qubits.delete(qubit);
      for (const half of halves) at.halves.delete(half);
      for (const { lane, side } of halves) this.change(lane, side, () => (lane.used[side] = false));
    };
    const acts = {
      "device.Trigger": () => {
        const found = this.lanes.find(
          ({ link, lane }) => lane === noun.lane && link.nodes.includes(node) && link.nodes.includes(noun.peer),
        );
        const side = found.link.nodes.indexOf(node);
        this.change(found, side, () => (found.wants[side] = noun.aid < 0 ? null : noun));
      },
      "device.Apply": () => (halves[0].pair.bell ^= noun.pauli),
      "device.Free": free,
      "device.Measure": () => {
        const outcome = measure(halves[0], noun.basis, this.now);
        tell({ noun: "device.Measured", qubit: noun.qubit, basis: noun.basis, outcome, purpose: noun.purpose });
        free();
      },
      "device.Swap": () => {
        tell({ noun: "device.Swapped", left: noun.left, right: noun.right, outcome: swap(...halves, this.now) });
        free();
      },
    };
    acts[noun.noun]();
    return this.said();
  }

  said() {
    const told = this.told.splice(0);
    return { told, wake: this.due.length ? String(this.due[0].time) : null };
  }
}

const cycle = ({ link, wants }, side) => (wants[side].keep ? link.kept : link.period);

// -- the pipe ---------------------------------------------------------------------------------------------------------

const media = new Map();
const answers = {
  hello: () => ({ protocol: 1, features: [] }),
  medium: (question) => {
    media.set(question.device, new Medium(question));
    return {};
  },
  place: (question) => media.get(question.device).place(question),
  join: (question) => media.get(question.device).join(question),
  request: (question) => media.get(question.device).request(question),
  wake: ({ device }) => {
    media.get(device).wake();
    return media.get(device).said();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  process.stdout.write(JSON.stringify({ re: question.re, ...answers[question.do](question) }) + "\n");
}
