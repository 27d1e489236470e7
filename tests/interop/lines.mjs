// What the test and the foreign software say to each other: one JSON object a line, both ways.

import { createInterface } from "node:readline";

export function say(event, fields = {}) {
  process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
}

// Calls `obey` with each object of standard input; the end of input ends the program.
export function listen(obey) {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => obey(JSON.parse(line)));
  lines.on("close", () => process.exit(0));
}

// Tells of everything about a peer that strict mode or OCPP-J finds wrong.
export function tellFaults(client, isExpected = () => false) {
  client.on("strictValidationFailure", ({ method, params, result, error, outbound }) =>
    say("violation", {
      identity: client.identity,
      action: method,
      payload: result ?? params,
      sentence: error.message,
      ours: outbound,
    }),
  );
  client.on("badMessage", ({ buffer, error }) => {
    if (!isExpected(buffer)) {
      say("bad message", {
        identity: client.identity,
        text: buffer.toString(),
        sentence: error.message,
      });
    }
  });
}
